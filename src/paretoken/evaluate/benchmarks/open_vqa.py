"""What TextVQA and VizWiz share: ten people's answers, compared after EvalAI's processing."""

from __future__ import annotations

from collections.abc import Mapping

from paretoken.evaluate.benchmarks.base import Row
from paretoken.evaluate.benchmarks.values import accepted, response, text
from paretoken.evaluate.benchmarks.vqa_answers import evalai_answer, leave_one_out


def score(row: Row) -> float:
    """Return the VQA accuracy of a row's answer, 0 to 1."""
    answers = [evalai_answer(answer) for answer in people(row)]
    return leave_one_out(evalai_answer(response(row)), answers)


def people(row: Row) -> list[str]:
    """Return people's answers: a list of texts, or of records with an ``answer`` each.

    Raises:
        BadRowError: they are not given, or are no list, or there are none.
    """
    return [text(each.get("answer") if isinstance(each, Mapping) else each) for each in accepted(row)]
