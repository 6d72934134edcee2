"""VQAv2: short answers about photographs, validation split."""

from __future__ import annotations

from collections.abc import Callable

from paretoken.evaluate.benchmarks.base import Benchmark, HubData, Row, Variant
from paretoken.evaluate.benchmarks.open_vqa import aggregate, people
from paretoken.evaluate.benchmarks.prompts import short_prompt
from paretoken.evaluate.benchmarks.values import response
from paretoken.evaluate.benchmarks.vqa_answers import (
    challenge_answer,
    evalai_answer,
    leave_one_out,
    single_line,
)


def score(row: Row) -> float:
    """Return the VQA accuracy of a row's answer, 0 to 1, like the challenge's server."""
    return _official(row, evalai_answer)


def score_raw(row: Row) -> float:
    """Return the VQA accuracy without EvalAI's processor."""
    return _official(row, single_line)


def _official(row: Row, process: Callable[[str], str]) -> float:
    said, answers = process(response(row)), _answers(row)
    if len(set(answers)) > 1:  # if all people agree, the evaluator does not process answers
        said, answers = challenge_answer(said), [challenge_answer(answer) for answer in answers]
    return leave_one_out(said, answers)


def score_processed(row: Row) -> float:
    """Return the VQA accuracy of lmms-eval since 0.5, which processes all answers."""
    answers = [challenge_answer(answer) for answer in _answers(row)]
    return leave_one_out(challenge_answer(single_line(response(row))), answers)


def _answers(row: Row) -> list[str]:
    return [single_line(answer) for answer in people(row)]


VQAV2 = Benchmark(
    name="vqav2",
    metric="VQA accuracy",
    score=score,
    source="EvalAI's processor and the official evaluator; https://arxiv.org/abs/1612.00837",
    columns=("answers",),
    aggregate=aggregate,
    breakdown=("answer_type",),
    hub=HubData("lmms-lab/VQAv2", "validation", columns=("question", "answer_type")),
    prompt=short_prompt,
    questions=214_354,
    variants=(
        Variant(
            "processed",
            "lmms-eval since 0.5: punctuation and number words always processed, 's and commas not",
            {"score": score_processed},
        ),
        Variant(
            "raw",
            "the official evaluator without EvalAI's processor: 'Yes' is wrong if all said 'yes'",
            {"score": score_raw},
        ),
    ),
)
