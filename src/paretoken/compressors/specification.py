"""What is known of a compressor without PyTorch: names, reach, traits, parameters and FLOPs.

The config, the plan and the analysis read these records; the module of the same name does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from paretoken.registry import COMPRESSORS

#: Attention heads where a compressor's authors chose no other number: TokenPacker's.
USUAL_HEADS = 8


@dataclass(frozen=True)
class Sizes:
    """What the cost of a compressor depends on.

    Attributes:
        tokens: V.
        side: patches per side of the encoder's grid.
        width: channels of one encoder layer.
        joined: channels of the concatenated layers.
        text: hidden size of the language model, the width of a question's embedding.
    """

    tokens: float
    side: int
    width: int
    joined: int
    text: int

    @property
    def patches(self) -> int:
        """Patches of the grid."""
        return self.side**2


@dataclass(frozen=True)
class Products:
    """Multiplications that compress one image; 2 FLOPs each.

    Attributes:
        first: of weights by frozen input.
        weights: of weights by other input.
        attention: of activations by each other.
        fixed: of frozen input by constants, through which no gradient passes.
    """

    first: float = 0.0
    weights: float = 0.0
    attention: float = 0.0
    fixed: float = 0.0


@dataclass(frozen=True)
class Elastic:
    """How stage 2 trains one model that serves every V.

    Attributes:
        counts: from patches per side to the token counts that conversations are shown with.
        every: whether each conversation is shown once with each of them, so that the loss is the mean
            over all; otherwise it is shown once, with one of them drawn at random.
    """

    counts: Callable[[int], Sequence[int]]
    every: bool


def penultimate(depth: int) -> tuple[int, ...]:
    """Return the layer before the last one, as LLaVA-1.5 reads it (``hidden_states[-2]``)."""
    return (depth - 1,)


def joined_channels(sizes: Sizes) -> int:
    """Return the channels of all layers that a compressor reads."""
    return sizes.joined


def every_token(sizes: Sizes) -> float:
    """Return V."""
    return sizes.tokens


def no_products(sizes: Sizes) -> Products:
    """Return no multiplications."""
    return Products()


@dataclass(frozen=True, kw_only=True)
class Specification:
    """A compressor's facts.

    Attributes:
        name: its registered name.
        title: what figures call it.
        source: the publication, section or code that it follows.
        module: ``package.module:Class`` of its PyTorch module.
        reach: from patches per side of the encoder's grid to the V that it can make, ascending.
        published: name of the method in the paper's Table 1; None: it is not there.
        elastic: how one model is trained for every V; None: each V is trained by itself.
        reads_text: whether its tokens depend on the question (the language model's last hidden state).
        reads_attention: whether it needs the encoder's last attention: keys, and the class token's view.
        reads_query_layer: whether it takes queries from an encoder layer of its own.
        smaller_images: whether it changes what the encoder reads, so that it needs the pictures:
            features of whole images cannot be used.
        adaptive: whether it can also give each image its own number of tokens.
        layers: from the encoder's depth to the ``hidden_states`` indices that it reads side by side.
        attends: whether it has multi-head attention, over its ``channels``.
        heads: attention heads, if it has any.
        init_std: standard deviation of new weights, for the 1,024 channels of CLIP ViT-L; None:
            PyTorch's own initialisation.
        channels: of a visual token before the projector.
        projected: tokens that the projector maps.
        parameters: how many learn; None: it has no weights.
        products: what compressing one image takes.
    """

    name: str
    title: str
    source: str
    module: str
    reach: Callable[[int], Sequence[int]]
    published: str | None = None
    elastic: Elastic | None = None
    reads_text: bool = False
    reads_attention: bool = False
    reads_query_layer: bool = False
    smaller_images: bool = False
    adaptive: bool = False
    layers: Callable[[int], tuple[int, ...]] = penultimate
    attends: bool = False
    heads: int = USUAL_HEADS
    init_std: float | None = None
    channels: Callable[[Sizes], int] = joined_channels
    projected: Callable[[Sizes], float] = every_token
    parameters: Callable[[Sizes], int] | None = None
    products: Callable[[Sizes], Products] = no_products

    @property
    def learns(self) -> bool:
        """Whether it has weights, which stage 1 trains together with the projector."""
        return self.parameters is not None

    def undivided(self, width: int, layers: int) -> int | None:
        """Return its channels if its attention heads do not divide them, else None.

        Args:
            width: channels of one encoder layer.
            layers: how many of them it reads side by side.
        """
        channels = self.channels(Sizes(tokens=1, side=1, width=width, joined=layers * width, text=1))
        return channels if self.attends and channels % self.heads else None


@cache
def specification(name: str) -> Specification:
    """Return the specification of a registered compressor (`UserError` if there is none)."""
    found: Specification = COMPRESSORS.load(name)
    return found


def compressors_that(has: Callable[[Specification], object]) -> list[str]:
    """Return the names of the registered compressors of which something is true."""
    return [name for name in COMPRESSORS if has(specification(name))]


def linear_layers(*widths: int) -> int:
    """Return the parameters of linear layers with biases in a row, of so many channels."""
    return sum(given * made + made for given, made in pairwise(widths))
