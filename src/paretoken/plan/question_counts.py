"""How many questions a cell is asked, and how long they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paretoken.config.study import Study
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import PROMPT_TOKENS
from paretoken.registry import BENCHMARKS

#: Decoding steps of a batch: its longest answer. Most answers are a word or a letter.
ANSWER = 10

#: The miniature asks each of its test images one question of each kind.
MINIATURE_PROMPT, MINIATURE_ANSWER, MINIATURE_KINDS = 4, 2, 3


@dataclass(frozen=True)
class Questions:
    """What a cell is asked in all.

    Attributes:
        count: questions.
        prompt: mean tokens of one, the image's not counted.
        answer: decoding steps.
    """

    count: int
    prompt: float
    answer: float


def asked_by(study: Study) -> list[tuple[int, int]]:
    """Return questions, and tokens of a prompt, of each benchmark that a study on downloaded data asks.

    Raises:
        UserError: it is not known how many questions one has.
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
            raise UserError(f"benchmark {name} does not say how many questions it has: set `questions`")
        found.append((min(count, own.limit or count), tokens))
    return found


def in_all(asked: Sequence[tuple[int, int]]) -> Questions:
    """Return what a cell is asked by benchmarks of so many questions, with so many tokens each."""
    total = sum(count for count, _ in asked)
    tokens = sum(count * each for count, each in asked)
    return Questions(total, tokens / total if total else 0.0, ANSWER)
