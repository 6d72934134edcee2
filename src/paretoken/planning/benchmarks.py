"""How many questions each benchmark asks, and how long they are."""

from __future__ import annotations

from dataclasses import dataclass

#: Questions of the splits that the benchmarks are scored on (MMBench: with rotations).
QUESTIONS = {
    "mme": 2374,
    "gqa": 12_578,
    "ai2d": 3088,
    "mmbench": 4329,
    "mmmu": 900,
    "scienceqa": 2017,
    "mathvista": 1000,
    "pope": 9000,
    "chartqa": 2500,
    "docvqa": 5349,
    "textvqa": 5000,
    "vizwiz": 4319,
    "vqav2": 214_354,
}
#: For benchmarks that are not in the table, lmms-eval's other tasks for example.
TYPICAL_QUESTIONS = 5000
#: Tokens of a prompt with template and system message; with options or a hint it is longer.
PROMPT, LONG_PROMPT = 70, 130
LONG = ("ai2d", "mmbench", "mmmu", "scienceqa", "mathvista")
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


def questions(asked: dict[str, int | None]) -> Questions:
    """Return what a cell is asked by benchmarks; each may have a limit."""
    counts = {
        name: min(
            limit or QUESTIONS.get(name, TYPICAL_QUESTIONS), QUESTIONS.get(name, TYPICAL_QUESTIONS)
        )
        for name, limit in asked.items()
    }
    total = sum(counts.values())
    tokens = sum(n * (LONG_PROMPT if name in LONG else PROMPT) for name, n in counts.items())
    return Questions(total, tokens / total if total else 0.0, ANSWER)
