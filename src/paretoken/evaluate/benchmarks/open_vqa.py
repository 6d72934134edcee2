"""What TextVQA and VizWiz share: ten people's answers, compared after EvalAI's processing."""

from __future__ import annotations

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import Row
from paretoken.evaluate.benchmarks.values import is_missing, response, texts
from paretoken.evaluate.benchmarks.vqa_answers import evalai_answer, leave_one_out


def score(row: Row) -> float:
    """Return the VQA accuracy of a row's answer, 0 to 1."""
    demand_answers(row)
    answers = [evalai_answer(answer) for answer in texts(row, "answers")]
    return leave_one_out(evalai_answer(response(row)), answers)


def demand_answers(row: Row) -> None:
    """Raise `BadRowError` if people's answers are not given."""
    if is_missing(row.get("answers")):
        raise BadRowError("its answers are empty; a split with hidden answers cannot be scored here")
