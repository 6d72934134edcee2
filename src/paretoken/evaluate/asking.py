"""What is asked of a model, looked through before its first answer: whole files at once, by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import Benchmark
from paretoken.evaluate.pictures import unusable
from paretoken.evaluate.prediction import Predictor, stored_questions
from paretoken.evaluate.questions import Question, place_of, sort_questions
from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.io.escape import shown
from paretoken.io.files import read_object
from paretoken.io.finished import RUN_FILE
from paretoken.registry import BENCHMARKS

#: How many bad rows a message lists.
SHOWN = 50


@dataclass
class Asked:
    """One file of questions.

    Attributes:
        source: the file.
        max_new_tokens: the longest answer.
        rows: all of it, in order.
        good: questions that can be asked, by row from 1.
        bad: what is wrong with the other rows.
    """

    source: Path
    max_new_tokens: int
    rows: Sequence[Mapping[str, Any]]
    good: dict[int, Question]
    bad: dict[int, str]

    @property
    def questions(self) -> list[Question]:
        """The questions that can be asked, in order."""
        return list(self.good.values())

    def refuse(self, problems: Mapping[int, str]) -> None:
        """Take rows out of the good ones."""
        self.bad |= problems
        for number in problems:
            del self.good[number]

    def check(self, share: float) -> None:
        """Raise `UserError` if more than a share of the rows is bad, or nothing is left to ask."""
        skips = Skips(str(self.source), share, shown=SHOWN)
        for number, reason in sorted(self.bad.items()):
            skips.add(place_of(number, self.rows[number - 1]), reason)
        skips.check(len(self.rows))
        if not self.good:
            raise UserError(f"{self.source}: no row is left that could be asked, all are bad")
        stored_questions(self.questions)


def read_asked(source: Path, max_new_tokens: int) -> Asked:
    """Read a file of questions; rows that are none are bad.

    Raises:
        UserError: the file cannot be read.
    """
    rows = read_rows(source)
    good, bad = sort_questions(rows, as_they_are=_benchmark_of(source) is not None)
    return Asked(source, max_new_tokens, rows, good, bad)


def require_answerable(
    files: Sequence[Asked],
    predictor: Predictor,
    share: float = 0.0,
    progress: ProgressCallback = silent,
) -> None:
    """Look at every question of every file: its pictures, and whether prompt and answer fit the model.

    Bad rows are taken out of ``files``.

    Args:
        files: to look through.
        predictor: who will be asked. A model with V = 0 sees no picture, and none is looked at.
        share: the largest share of a file's rows that may be bad.
        progress: is told how many pictures were decoded.

    Raises:
        UserError: more rows are bad; lists those of all files.
    """
    if predictor.model.config.visual_tokens:
        _take_out_unseen(files, predictor, progress)
    for asked in files:
        problems = predictor.misfits(asked.questions, asked.max_new_tokens)
        asked.refuse({row: problems[i] for i, row in enumerate(list(asked.good)) if i in problems})
    said = []
    for asked in files:
        try:
            asked.check(share)
        except UserError as error:
            said.append(str(error))
    if said:
        raise UserError("\n".join(said))


def _take_out_unseen(files: Sequence[Asked], predictor: Predictor, progress: ProgressCallback) -> None:
    for asked in files:
        asked.refuse(_without_picture(asked))
    questions = [question for asked in files for question in asked.questions]
    names = list(dict.fromkeys(name for question in questions for name in question.images))
    wrong = unusable(predictor.visual, names, progress)
    for asked in files:
        named = {number: [wrong[name] for name in question.images if name in wrong]
                 for number, question in asked.good.items()}  # fmt: skip
        asked.refuse({number: "; ".join(reasons) for number, reasons in named.items() if reasons})


def _without_picture(asked: Asked) -> dict[int, str]:
    """Return what is wrong with questions that a model would be asked blind.

    What a row must show is known of a benchmark that `paretoken questions` wrote. In other files an
    empty ``image`` is a lost picture; a row without that key, or with an empty list, is about text.
    """
    benchmark = _benchmark_of(asked.source)
    if benchmark is not None:
        return {n: problem for n, question in asked.good.items()
                if (problem := _lost(benchmark, asked.rows[n - 1], question))}  # fmt: skip
    lost = "its image is empty; leave the key out, or write [], if it is about text only"
    return {n: lost for n, question in asked.good.items()
            if not question.images and asked.rows[n - 1].get("image", []) != []}  # fmt: skip


def _lost(benchmark: Benchmark, row: Mapping[str, Any], question: Question) -> str | None:
    """Return what is wrong if a row lacks a picture that its benchmark shows."""
    hub = benchmark.hub
    if hub is None or hub.text_only:
        return None
    shown = 1
    if benchmark.shown is not None:
        needed = {*benchmark.columns, *hub.columns}
        shown = len(benchmark.shown(row)) if needed <= row.keys() else 0
    if len(question.images) >= shown:
        return None
    return f"it has {len(question.images)} of {shown} pictures that {benchmark.name} shows"


def _benchmark_of(questions: Path) -> Benchmark | None:
    """Return the benchmark of a file that `paretoken questions` wrote, None for another one."""
    record = _record_of(questions)
    name = record.get("benchmark")
    if name not in list(BENCHMARKS):
        return None
    found: Benchmark = BENCHMARKS.load(str(name)).variant(record.get("variant"))
    return found


def max_new_tokens_of(questions: Path, otherwise: int) -> int:
    """Return the longest answer of a benchmark, as `paretoken questions` recorded it.

    Raises:
        UserError: what it recorded is not a whole number above 0.
    """
    found = _record_of(questions).get("max_new_tokens", otherwise)
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise UserError(
            f"{questions.parent / RUN_FILE}: max_new_tokens is {shown(found)}; it must be a whole "
            "number, 1 or more: write it there, or give --max-new-tokens"
        )
    return found


def _record_of(questions: Path) -> dict[str, Any]:
    path = questions.parent / RUN_FILE
    return read_object(path) if path.exists() else {}
