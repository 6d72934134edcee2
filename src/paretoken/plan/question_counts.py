"""The number of questions that a cell answers, and their length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paretoken.config.study import Study
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import PROMPT_TOKENS
from paretoken.registry import BENCHMARKS

#: Decoding steps of a batch, which are those of its longest answer. Most answers are a word or a letter.
ANSWER = 10

#: Tokens of a prompt and of an answer of the miniature, and kinds of questions; it asks one question of
#: each kind about each of its test images.
MINIATURE_PROMPT, MINIATURE_ANSWER, MINIATURE_KINDS = 4, 2, 3


@dataclass(frozen=True)
class Questions:
    """All questions that a cell answers.

    Attributes:
        count: number of questions.
        prompt: mean tokens of a prompt, without visual tokens.
        answer: decoding steps of a batch.
    """

    count: int
    prompt: float
    answer: float


def asked_by(study: Study) -> list[tuple[int, int]]:
    """Return the number of questions and the tokens of a prompt, per benchmark of a fetched study.

    Raises:
        UserError: the number of questions of a benchmark is unknown.
    """
    training = study.training
    assert training is not None  # noqa: S101  (measured studies ask nothing)
    found = []
    for name in study.benchmarks:
        own = training.settings(name)
        if own.harness == "paretoken":
            benchmark = BENCHMARKS.load(name).variant(own.questions)
            count, tokens = benchmark.questions, benchmark.prompt_tokens
        else:
            count, tokens = own.count or own.limit, PROMPT_TOKENS
        if count is None:
            raise UserError(
                f"the number of questions of benchmark {name} is unknown; set `questions` where it is "
                "registered"
            )
        found.append((min(count, own.limit or count), tokens))
    return found


def in_all(asked: Sequence[tuple[int, int]]) -> Questions:
    """Return all questions of some benchmarks together.

    Args:
        asked: per benchmark, the number of questions and the tokens of a prompt.
    """
    total = sum(count for count, _ in asked)
    tokens = sum(count * each for count, each in asked)
    return Questions(total, tokens / total if total else 0.0, ANSWER)
