"""The description of a benchmark: its data, its prompts, its scoring and its variants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from paretoken.errors import UserError
from paretoken.registry import unknown_name

Row = Mapping[str, Any]

#: Attributes of `Benchmark` that determine questions or answers; the others determine the scoring.
ASKED = frozenset({"hub", "prompt", "shown", "max_new_tokens", "columns"})
#: Typical tokens of a prompt with template and system message, without and with options or a hint.
PROMPT_TOKENS, LONG_PROMPT_TOKENS = 70, 130


@dataclass(frozen=True)
class Join:
    """Images in another config of the data set.

    Attributes:
        config: name of that config.
        split: its split.
        column: its column of images.
        id: its column of ids.
        key: column of the questions with the id of the image.
    """

    config: str
    split: str
    column: str
    id: str
    key: str


@dataclass(frozen=True)
class HubData:
    """The location of a benchmark's questions on the Hugging Face hub.

    Attributes:
        repo: id of the data set.
        split: the split of the questions.
        config: the config; ``default`` for a data set with a single one.
        images: columns of pictures, in the order in which they are shown.
        columns: other columns of the data set that prompt or score need.
        join: location of the pictures, if they are in another config.
        text_only: whether questions without a picture are included.
    """

    repo: str
    split: str
    config: str = "default"
    images: tuple[str, ...] = ("image",)
    columns: tuple[str, ...] = ()
    join: Join | None = None
    text_only: bool = False


@dataclass(frozen=True)
class Aggregate:
    """A benchmark's score over all rows.

    Attributes:
        score: from 0 to 1.
        interval: the 95 % interval.
        details: further entries of the score file; ``stderr`` if it is not that of the rows' mean.
        metric: name of the metric; None: the benchmark's metric.
        lacks: remarks on what the rows lack for the metric.
    """

    score: float
    interval: list[float]
    details: Mapping[str, Any] = field(default_factory=dict)
    metric: str | None = None
    lacks: Sequence[str] = ()


@dataclass(frozen=True)
class Variant:
    """A named alternative convention for a benchmark.

    Attributes:
        name: the value of ``--variant``.
        what: how it differs, and who uses it.
        changes: the attributes of `Benchmark` that it replaces.
    """

    name: str
    what: str
    changes: Mapping[str, Any]

    @property
    def key(self) -> Literal["questions", "scoring"]:
        """The config key that selects it: it changes the questions, or only their scoring."""
        return "questions" if ASKED & set(self.changes) else "scoring"


@dataclass(frozen=True)
class Benchmark:
    """The prompts and the scoring of a benchmark.

    Attributes:
        name: its registered name.
        metric: name of its metric.
        score: returns the score, from 0 to 1, of a row (the data set's own columns and
            ``prediction``); raises `BadRowError` for a row that cannot be scored.
        source: origin of the scoring rule.
        columns: columns that rows must have besides ``prediction``.
        keys: alternative sets of columns that identify a row; the first one that a file has must be
            unique. Data sets without ids list the columns that users commonly add.
        aggregate: returns the benchmark's score for rows and their scores; None: the mean.
        whole: returns how many of the first rows can be scored together, for questions with several
            rows; None: any number.
        breakdown: columns for whose values means are reported, if rows have them.
        parts: column that names the part of a row; suites average the scores of the parts. None: there
            are no parts.
        hub: location of the questions; None for a benchmark without a data set on the hub.
        prompt: returns the complete prompt of a row.
        shown: returns the columns of the pictures that a row shows; None: all of ``hub.images``.
        max_new_tokens: most tokens of an answer.
        questions: number of questions of the split, for plans; None: there is no data set.
        prompt_tokens: typical tokens of a prompt without the image, for plans.
        variants: alternative conventions.
    """

    name: str
    metric: str
    score: Callable[[Row], float]
    source: str
    columns: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...] = (("question_id",), ("id",))
    aggregate: Callable[[Sequence[Row], Sequence[float]], Aggregate] | None = None
    whole: Callable[[Sequence[Row]], int] | None = None
    breakdown: tuple[str, ...] = ()
    parts: str | None = None
    hub: HubData | None = None
    prompt: Callable[[Row], str] | None = None
    shown: Callable[[Row], Sequence[str]] | None = None
    max_new_tokens: int = 16
    questions: int | None = None
    prompt_tokens: int = PROMPT_TOKENS
    variants: tuple[Variant, ...] = ()

    def variant(self, name: str | None) -> Benchmark:
        """Return a variant of this benchmark; None: the recommended convention.

        Raises:
            UserError: the variant does not exist.
        """
        if name is None:
            return self
        found = {variant.name: variant for variant in self.variants}
        if name not in found:
            raise UserError(unknown_name(f"variant of {self.name}", name, found))
        return replace(self, **found[name].changes)
