"""Specifications of compressors without PyTorch: names, token counts, traits, parameters and FLOPs.

The config, the plan and the analysis read them; the PyTorch module of the same name does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from paretoken.registry import COMPRESSORS


@dataclass(frozen=True)
class Sizes:
    """The sizes on which the cost of a compressor depends.

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
        """Number of patches of the grid."""
        return self.side**2


@dataclass(frozen=True)
class Products:
    """Numbers of multiplications that compress one image; each takes 2 FLOPs.

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
    """The training of one model that serves every V, in stage 2.

    Attributes:
        counts: function from patches per side to the token counts that are used in training.
        every: whether each conversation is shown once with each of these counts, so that the loss is
            the mean over all; otherwise it is shown once, with a count that is drawn at random.
    """

    counts: Callable[[int], Sequence[int]]
    every: bool


def penultimate(depth: int) -> tuple[int, ...]:
    """Return the layer before the last one, which LLaVA-1.5 reads (``hidden_states[-2]``)."""
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


def nothing_kept(sizes: Sizes) -> float:
    """Return 0: a compressor without weights has no backward pass."""
    return 0.0


@dataclass(frozen=True, kw_only=True)
class Specification:
    """The properties of a compressor.

    Attributes:
        name: its registered name.
        title: its name in figures.
        source: the publication, section or code that it follows.
        module: ``package.module:Class`` of its PyTorch module.
        reach: function from patches per side of the encoder's grid to the possible V, ascending.
        published: name of the method in the paper's Table 1; None: it is not there.
        elastic: how one model is trained for every V; None: one model is trained per V.
        reads_text: whether its tokens depend on the question (the language model's last hidden state).
        reads_attention: whether it needs the encoder's last attention: keys, and scores of the class
            token.
        reads_query_layer: whether it takes queries from a separate encoder layer.
        query_layer: that layer, -1: the last; ignored without such queries.
        smaller_images: whether it changes the encoder's input, so that it needs the images: stored
            features of whole images cannot be used.
        adaptive: whether it can also give each image its own number of tokens.
        layers: function from the encoder's depth to the indices of the ``hidden_states`` that it reads,
            concatenated.
        attends: whether it has multi-head attention over its ``channels``.
        heads: number of attention heads; ignored without attention.
        init_std: standard deviation of new weights, for the 1,024 channels of CLIP ViT-L; None:
            PyTorch's default initialisation.
        channels: function that returns the channels of a visual token before the projector.
        projected: function that returns the number of tokens that the projector maps.
        parameters: function that returns the number of trained parameters; None: it has no weights.
        products: function that returns the multiplications that compress one image.
        activations: function that returns how many numbers of one image are kept for the backward pass,
            until the projector.
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
    query_layer: int = -2
    smaller_images: bool = False
    adaptive: bool = False
    layers: Callable[[int], tuple[int, ...]] = penultimate
    attends: bool = False
    heads: int = 8
    init_std: float | None = None
    channels: Callable[[Sizes], int] = joined_channels
    projected: Callable[[Sizes], float] = every_token
    parameters: Callable[[Sizes], int] | None = None
    products: Callable[[Sizes], Products] = no_products
    activations: Callable[[Sizes], float] = nothing_kept

    @property
    def learns(self) -> bool:
        """Whether it has weights, which stage 1 trains together with the projector."""
        return self.parameters is not None

    def undivided(self, width: int, layers: int) -> int | None:
        """Return its channels if its attention heads do not divide them, otherwise None.

        Args:
            width: channels of one encoder layer.
            layers: number of encoder layers that it reads, concatenated.
        """
        channels = self.channels(Sizes(tokens=1, side=1, width=width, joined=layers * width, text=1))
        return channels if self.attends and channels % self.heads else None


@cache
def specification(name: str) -> Specification:
    """Return the specification of a registered compressor (`UserError` if there is none)."""
    found: Specification = COMPRESSORS.load(name)
    return found


def compressors_that(has: Callable[[Specification], object]) -> list[str]:
    """Return the names of the registered compressors for which ``has`` is true."""
    return [name for name in COMPRESSORS if has(specification(name))]


def linear_layers(*widths: int) -> int:
    """Return the number of parameters of consecutive linear layers, biases included.

    Args:
        widths: channels before, between and after the layers.
    """
    return sum(given * made + made for given, made in pairwise(widths))
