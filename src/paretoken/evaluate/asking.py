"""Validating all questions before a model answers the first one; problems are listed by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.evaluate.answer_file import stored_questions
from paretoken.evaluate.benchmarks.base import Benchmark
from paretoken.evaluate.pictures import unusable
from paretoken.evaluate.prediction import Predictor
from paretoken.evaluate.questions import Question, place_of, sort_questions
from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.io.escape import shown
from paretoken.io.files import read_object
from paretoken.io.finished import RUN_FILE
from paretoken.io.text_tables import counted
from paretoken.registry import BENCHMARKS

#: How many bad rows a message lists.
SHOWN = 50


@dataclass
class QuestionFile:
    """One file of questions.

    Attributes:
        source: path of the file.
        max_new_tokens: most tokens of an answer.
        rows: all rows, in order.
        good: valid questions by row, from 1.
        bad: what is wrong with the other rows, by row.
    """

    source: Path
    max_new_tokens: int
    rows: Sequence[Mapping[str, Any]]
    good: dict[int, Question]
    bad: dict[int, str]

    @property
    def questions(self) -> list[Question]:
        """The valid questions, in order."""
        return list(self.good.values())

    def reject(self, problems: Mapping[int, str]) -> None:
        """Move rows from the good ones to the bad ones."""
        self.bad |= problems
        for number in problems:
            del self.good[number]

    def check(self, share: float) -> None:
        """Raise `UserError` if more than a share of the rows is bad, or all are."""
        skips = Skips(str(self.source), share, shown=SHOWN)
        for number, reason in sorted(self.bad.items()):
            skips.add(place_of(number, self.rows[number - 1]), reason)
        skips.check(len(self.rows))
        if not self.good:
            raise UserError(f"{self.source}: no valid question is left; correct the rows")
        stored_questions(self.questions)


def read_question_file(source: Path, max_new_tokens: int) -> QuestionFile:
    """Return a file of questions; rows that are not valid questions are bad.

    Raises:
        UserError: the file cannot be read.
    """
    rows = read_rows(source)
    good, bad = sort_questions(rows, as_they_are=_benchmark_of(source) is not None)
    return QuestionFile(source, max_new_tokens, rows, good, bad)


def require_answerable(
    files: Sequence[QuestionFile],
    predictor: Predictor,
    share: float = 0.0,
    progress: ProgressCallback = silent,
) -> None:
    """Check the pictures of all questions, and that prompts and answers fit the model.

    Bad rows are removed from the questions of ``files``.

    Args:
        files: files of questions.
        predictor: predictor of the model. Pictures are not checked for a model with V = 0.
        share: the largest share of a file's rows that may be bad.
        progress: called with the pictures checked and the number of all pictures.

    Raises:
        UserError: more rows are bad; the message lists those of all files.
    """
    if predictor.model.config.visual_tokens:
        _reject_bad_pictures(files, predictor, progress)
    for asked in files:
        problems = predictor.misfits(asked.questions, asked.max_new_tokens)
        asked.reject({row: problems[i] for i, row in enumerate(list(asked.good)) if i in problems})
    messages = []
    for asked in files:
        try:
            asked.check(share)
        except UserError as error:
            messages.append(str(error))
    if messages:
        raise UserError("\n".join(messages))


def _reject_bad_pictures(
    files: Sequence[QuestionFile], predictor: Predictor, progress: ProgressCallback
) -> None:
    for asked in files:
        asked.reject(_missing_pictures(asked))
    questions = [question for asked in files for question in asked.questions]
    names = list(dict.fromkeys(name for question in questions for name in question.images))
    wrong = unusable(predictor.visual, names, progress)
    for asked in files:
        named = {
            number: [wrong[name] for name in question.images if name in wrong]
            for number, question in asked.good.items()
        }
        asked.reject({number: "; ".join(reasons) for number, reasons in named.items() if reasons})


def _missing_pictures(asked: QuestionFile) -> dict[int, str]:
    """Return the problems of rows that lack pictures.

    The pictures that a row needs are known if `paretoken questions` wrote the file. In other files an
    empty ``image`` is a missing picture; a row without that key, or with an empty list, is text only.
    """
    benchmark = _benchmark_of(asked.source)
    if benchmark is not None:
        return {
            n: problem
            for n, question in asked.good.items()
            if (problem := _lack(benchmark, asked.rows[n - 1], question))
        }
    lost = "its image is empty; if it is about text only, leave the key out or write []"
    return {
        n: lost
        for n, question in asked.good.items()
        if not question.images and asked.rows[n - 1].get("image", []) != []
    }


def _lack(benchmark: Benchmark, row: Mapping[str, Any], question: Question) -> str | None:
    """Return the problem of a row with fewer pictures than its benchmark shows; None if it has all."""
    hub = benchmark.hub
    if hub is None or hub.text_only:
        return None
    shown = 1
    if benchmark.shown is not None:
        needed = {*benchmark.columns, *hub.columns}
        shown = len(benchmark.shown(row)) if needed <= row.keys() else 0
    if len(question.images) >= shown:
        return None
    return (
        f"it has {len(question.images)} of the {counted(shown, 'picture')} that {benchmark.name} shows"
    )


def _benchmark_of(questions: Path) -> Benchmark | None:
    """Return the benchmark of a file that `paretoken questions` wrote; None for other files."""
    record = _record_of(questions)
    name = record.get("benchmark")
    if name not in list(BENCHMARKS):
        return None
    found: Benchmark = BENCHMARKS.load(str(name)).variant(record.get("variant"))
    return found


def max_new_tokens_of(questions: Path, otherwise: int) -> int:
    """Return the most tokens of an answer that `paretoken questions` recorded, or ``otherwise``.

    Raises:
        UserError: the recorded value is not a whole number above 0.
    """
    found = _record_of(questions).get("max_new_tokens", otherwise)
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise UserError(
            f"{questions.parent / RUN_FILE}: max_new_tokens is {shown(found)}; it must be a whole "
            "number, 1 or more: correct it there, or give --max-new-tokens"
        )
    return found


def _record_of(questions: Path) -> dict[str, Any]:
    path = questions.parent / RUN_FILE
    return read_object(path) if path.exists() else {}
