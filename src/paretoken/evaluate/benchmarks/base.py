"""What a benchmark is: where its questions are, how it asks, how it scores, and its variants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from paretoken.errors import UserError
from paretoken.registry import unknown_name

Row = Mapping[str, Any]

#: Attributes of `Benchmark` that decide a question or its answer; all others are how it is scored.
ASKED = frozenset({"hub", "prompt", "shown", "max_new_tokens", "columns"})
#: Typical tokens of a prompt with template and system message; with options or a hint it is longer.
PROMPT_TOKENS, LONG_PROMPT_TOKENS = 70, 130


@dataclass(frozen=True)
class Join:
    """Images that another config of the data set holds.

    Attributes:
        config: that config.
        split: its split.
        column: its column of images.
        id: its column that ``key`` of a question refers to.
        key: the question's column.
    """

    config: str
    split: str
    column: str
    id: str
    key: str


@dataclass(frozen=True)
class HubData:
    """Where the questions are on the Hugging Face hub.

    Attributes:
        repo: id of the data set.
        split: the split that is asked.
        config: the config; ``default`` for a data set that has one only.
        images: columns of pictures, in the order in which they are shown.
        columns: the data set's other columns that prompt or score need.
        join: where the pictures are, if not beside the questions.
        text_only: whether questions without a picture belong to it, to be asked without one.
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
        interval: 95 %.
        details: what else the score file says; ``stderr`` if rows do not give it.
        metric: what this score is, where it is not the benchmark's metric; None: it is.
        lacks: what the metric's name promises and the rows do not have.
    """

    score: float
    interval: list[float]
    details: Mapping[str, Any] = field(default_factory=dict)
    metric: str | None = None
    lacks: Sequence[str] = ()


@dataclass(frozen=True)
class Variant:
    """Another convention for the same benchmark, under a name of its own.

    Attributes:
        name: what ``--variant`` takes.
        what: how it differs, and who does it that way.
        changes: the attributes of `Benchmark` that it replaces.
    """

    name: str
    what: str
    changes: Mapping[str, Any]

    @property
    def key(self) -> Literal["questions", "scoring"]:
        """Where a study's config names it: it changes what is asked, or only how that is scored."""
        return "questions" if ASKED & set(self.changes) else "scoring"


@dataclass(frozen=True)
class Benchmark:
    """How a benchmark asks and how its answers are scored.

    Attributes:
        name: its registered name.
        metric: what the score is called.
        score: from a row (the data set's own columns and ``prediction``) to a number from 0 to 1;
            raises `BadRowError` for a row that cannot be scored.
        source: where the rule comes from.
        columns: what rows must have besides ``prediction``.
        keys: columns that identify a row, the first of them that a file has; no two rows may share
            their values. Data sets without an id of their own have the columns that people add.
        aggregate: from rows and their scores to the benchmark's score; None: the mean.
        whole: from rows to how many of the first of them can be scored together, where a question has
            several rows; None: any rows can.
        breakdown: columns whose values get a mean each, where rows have them.
        parts: the column whose values are benchmarks of their own, which suites average; None: it has
            no parts.
        hub: where the questions are; None for a benchmark that is made here.
        prompt: from a row to the whole prompt.
        shown: from a row to the columns of the pictures it shows; None: all of ``hub.images``.
        max_new_tokens: the longest answer.
        questions: of the split that it is scored on, for plans; None: no data set stands behind it.
        prompt_tokens: typical tokens of a prompt, the image's not counted, for plans.
        variants: other conventions.
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
        """Return this benchmark under another convention; None: the recommended one.

        Raises:
            UserError: it has no such variant.
        """
        if name is None:
            return self
        found = {variant.name: variant for variant in self.variants}
        if name not in found:
            raise UserError(unknown_name(f"variant of {self.name}", name, found))
        return replace(self, **found[name].changes)
