"""Scoring that VQA benchmarks share: ten people's answers, compared after EvalAI's processing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from paretoken.evaluate.benchmarks.base import Aggregate, Row
from paretoken.evaluate.benchmarks.values import accepted, response
from paretoken.evaluate.benchmarks.vqa_answers import evalai_answer, leave_one_out
from paretoken.evaluate.score_intervals import interval
from paretoken.io.text_tables import counted

#: Number of people who answered; with fewer people, a correct answer has a lower score.
PEOPLE = 10


def score(row: Row) -> float:
    """Return the VQA accuracy of a row's answer, 0 to 1."""
    answers = [evalai_answer(answer) for answer in people(row)]
    return leave_one_out(evalai_answer(response(row)), answers)


def people(row: Row) -> list[str]:
    """Return people's answers, given as a list of texts or of records with an ``answer``.

    Raises:
        BadRowError: the answers are missing, are not a list, are empty, or have an invalid entry.
    """
    return accepted(row, _answer)


def _answer(entry: Any) -> Any:
    return entry.get("answer") if isinstance(entry, Mapping) else entry


def aggregate(rows: Sequence[Row], scores: Sequence[float]) -> Aggregate:
    """Return the mean; the metric names the number of questions without exactly ten answers."""
    odd = sum(len(people(row)) != PEOPLE for row in rows)
    lacks = (
        [f"{odd} of {counted(len(rows), 'question')} without exactly {PEOPLE} answers"] if odd else []
    )
    return Aggregate(math.fsum(scores) / len(scores), interval(scores), lacks=lacks)
