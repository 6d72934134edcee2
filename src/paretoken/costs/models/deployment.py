"""Deployments, on which a cost depends besides N, V and Q, and the file with the models' dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from paretoken.config.error_messages import message_for
from paretoken.costs.answer_work import adapter_parameters, adapter_work
from paretoken.costs.shapes import DecoderShape, EncoderShape
from paretoken.errors import UserError
from paretoken.io.files import read_json, write_json
from paretoken.io.text_tables import counted

if TYPE_CHECKING:
    from paretoken.costs.models.latency_table import LatencyTable


@dataclass(frozen=True)
class LlmShape:
    """A language model of a study.

    Attributes:
        name: name of its record.
        params_b: N, its nominal size in billions of parameters.
        parameters: its exact number of parameters.
        decoder: its dimensions.
        origin: where the dimensions are from.
    """

    name: str
    params_b: float
    parameters: int
    decoder: DecoderShape
    origin: str


@dataclass(frozen=True)
class AdapterShape:
    """Compressor and projector.

    Attributes:
        compressor: its registered name.
        layers: number of encoder layers that it reads, concatenated.
        inner: inner width of the projector; None: the language model's.
        whitened: whether a fixed whitening map precedes the projector.
    """

    compressor: str
    layers: int
    inner: int | None = None
    whitened: bool = False


@dataclass(frozen=True)
class Shapes:
    """The dimensions of a study's models: ``shapes.json``."""

    llms: tuple[LlmShape, ...]
    encoder: EncoderShape
    adapter: AdapterShape

    @property
    def by_size(self) -> list[LlmShape]:
        """The language models, by ascending N."""
        return sorted(self.llms, key=lambda llm: llm.params_b)

    def between(self, llm: LlmShape, tokens: float) -> tuple[int, float]:
        """Return parameters and FLOPs per image of compressor and projector, with V = ``tokens``."""
        return _between(self.encoder, self.adapter, llm.decoder.hidden, tokens)


@lru_cache(maxsize=10_000)  # the search for an optimum repeats a few hundred widths and V
def _between(
    encoder: EncoderShape, adapter: AdapterShape, hidden: int, tokens: float
) -> tuple[int, float]:
    joined = adapter.layers * encoder.width
    parameters = adapter_parameters(
        adapter.compressor, encoder.width, joined, hidden, adapter.inner, tokens, encoder.side
    )
    work = adapter_work(
        adapter.compressor,
        tokens,
        encoder.side,
        encoder.width,
        joined,
        hidden,
        adapter.inner,
        adapter.whitened,
    )
    return parameters, work.forward


@dataclass(frozen=True)
class Deployment:
    """The conditions under which models answer.

    Attributes:
        shapes: dimensions of the models, if known.
        latency: measured latency, if any.
        price_per_hour: price of the device, in any currency.
        answer_tokens: length of an answer; None: the default of the cost model or measurement (the
            first token).
        batch: questions answered at once.
        encoder: whether each question's image is encoded; False: its features are stored.
        cached_text: whether the text tokens are in the cache already (the paper's Q = 0).
    """

    shapes: Shapes | None = None
    latency: LatencyTable | None = None
    price_per_hour: float | None = None
    answer_tokens: float | None = None
    batch: int = 1
    encoder: bool = True
    cached_text: bool = False

    def words(self, counts: Sequence[str]) -> list[str]:
        """Return texts for the settings in ``counts`` that need a mention."""
        parts = []
        if "encoder" in counts:
            parts.append("vision encoder included" if self.encoder else "without the vision encoder")
        if "cached_text" in counts and self.cached_text:
            parts.append("text cached")
        if "answer_tokens" in counts and self.answer_tokens is not None:
            parts.append(f"answers of {counted(self.answer_tokens, 'token', form='g')}")
        if "batch" in counts and self.batch != 1:
            parts.append(f"{self.batch} questions at once")
        if "device" in counts and self.latency is not None and self.latency.device:
            parts.append(f"on {self.latency.device}")
        return parts


def write_shapes(path: Path, shapes: Shapes) -> None:
    """Write ``shapes.json``."""
    write_json(path, asdict(shapes))


def read_shapes(path: Path) -> Shapes:
    """Read ``shapes.json``.

    Raises:
        UserError: the file cannot be read, or has no valid dimensions.
    """
    try:
        shapes = TypeAdapter(Shapes).validate_python(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its top level"
        raise UserError(
            f"{path} has no valid dimensions of models ({place}: {message_for(first)}); make it with "
            "`paretoken shapes`"
        ) from error
    sizes = [llm.params_b for llm in shapes.llms]
    if not sizes or len(set(sizes)) < len(sizes) or min(sizes) <= 0:
        raise UserError(
            f"{path}: models must have different sizes > 0, got {sizes}; make it with `paretoken shapes`"
        )
    return shapes
