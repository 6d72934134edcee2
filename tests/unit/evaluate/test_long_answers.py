"""Answers of many thousands of characters: every scorer takes time in proportion to their length."""

from __future__ import annotations

import json
import random
import re
import resource
import subprocess
import sys
from typing import Any

import pytest
from test_score import ROWS, numbered

from paretoken.evaluate.benchmarks.edit_distance import edit_distance, edit_distances
from paretoken.evaluate.benchmarks.mathvista import extract
from paretoken.evaluate.benchmarks.mmmu_open import _NUMBERS
from paretoken.registry import BENCHMARKS

#: A scorer that takes the square of this in steps takes minutes; all answers together take seconds.
LENGTH = 20_000
CPU_SECONDS = 120
#: What answers are made of, by itself and mixed: what regular expressions and loops of scorers look for.
PIECES = (
    *("7", "12,", ",", "1.5", ".5", ".", "-", "1e", "1e5.", "²", " ", "\n", "\t", "a", "A ", "("),
    *("(A)", "\\", 'The answer is "', '".', "The answer is A", "correct ", "answer is ", "*", "is "),
    *("= ", "111,111,", "'s ", "the ", "%", "_", "no ", "yes", "日", '"', "[", "]["),
)
#: Rows beside those of `ROWS`, whose answers are read by other rules.
MORE = {
    "mmmu": [
        {"id": "validation_Art_1", "question_type": "open", "options": "[]", "answer": "['7', 'red']"},
        {"id": "validation_Art_1", "question_type": "multiple-choice", "options": ["red", "blue"],
         "answer": "B"},
    ],
    "mathvista": [
        {"pid": "1", "question_type": "multi_choice", "answer_type": "text", "answer": "red",
         "choices": ["red", "blue", "r" * 2000], "precision": None},
        {"pid": "1", "question_type": "free_form", "answer_type": "float", "answer": "3.5",
         "choices": None, "precision": 1.0},
        {"pid": "1", "question_type": "free_form", "answer_type": "text", "answer": "red",
         "choices": None, "precision": None},
    ],
    "docvqa": [{"questionId": "1", "answers": ["red", "7" * 2000]}],
}  # fmt: skip
SCORE = """
import json, sys
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS
name, variant, rows = json.load(sys.stdin)
print(score_predictions(BENCHMARKS.load(name), rows, variant)["n"])
"""


def long_answers() -> list[str]:
    """Return answers of `LENGTH` characters: of one piece each, with another end, and mixed."""
    rng = random.Random(0)
    whole = [piece * (LENGTH // len(piece)) for piece in PIECES]
    mixed = ["".join(rng.choices(PIECES[:count], k=LENGTH // 3)) for count in (4, 12, len(PIECES))]
    return [*whole, *(f"x{said}\nis {said[: LENGTH // 10]}," for said in whole), *mixed]


def limit_time() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


def score_in_time(name: str, rows: list[dict[str, Any]]) -> None:
    """Score rows by all variants of a benchmark, each in a process of its own with a limit of time."""
    for variant in (None, *(variant.name for variant in BENCHMARKS.load(name).variants)):
        command, given = [sys.executable, "-c", SCORE], json.dumps([name, variant, rows])
        done = subprocess.run(
            command, input=given, text=True, capture_output=True, check=False, preexec_fn=limit_time
        )
        assert done.returncode == 0, f"{name} {variant}: {done.stderr[-500:]}"
        assert int(done.stdout) == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_long_answers_are_scored_in_linear_time(name: str) -> None:
    plain = [ROWS[name][0]] if name in ROWS else [{"answer": "red"}]
    kinds, said = [*plain, *MORE.get(name, [])], long_answers()
    pairs = [(kind, answer) for kind in kinds for answer in said]
    rows = [{**numbered(name, kind, i), "prediction": answer} for i, (kind, answer) in enumerate(pairs)]
    score_in_time(name, rows)


#: The patterns of the official tool, which take the square of an answer's length.
SLOW = (
    r"-?\b\d{1,3}(?:,\d{3})+\b",
    r"-?\d+(?:\.\d+)?[eE][+-]?\d+",
    r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])",
)


def test_numbers_are_found_as_by_the_official_patterns() -> None:
    pieces = ["1", "12", "123", ",", ".", "-", "e", "E", "+", " ", "a", "_", "²", "٣", "1.5e", "e-3"]
    rng = random.Random(1)
    for _ in range(2000):
        said = "".join(rng.choices(pieces, k=rng.randint(0, 14)))
        for slow, fast in zip(SLOW, _NUMBERS, strict=True):
            assert fast.findall(said) == re.findall(slow, said), said


def test_quoted_answers_are_found_as_by_the_official_pattern() -> None:
    pieces = ['The answer is "', "The answer is ", '"', '".', ".", "\n", "a", "\r"]
    rng = random.Random(2)
    row: dict[str, Any] = {"question_type": "free_form", "answer_type": "text"}
    for _ in range(2000):
        said = "".join(rng.choices(pieces, k=rng.randint(0, 10)))
        found = re.search(r'The answer is "(.*)"\.', said)
        assert extract(row, said) == (found.group(1) if found else said), said


def by_table(first: str, second: str) -> int:
    """Return the edit distance by the usual table."""
    above = list(range(len(first) + 1))
    for row, there in enumerate(second, start=1):
        line = [row]
        for column, here in enumerate(first):
            line.append(min(above[column] + (here != there), above[column + 1] + 1, line[-1] + 1))
        above = line
    return above[-1]


def test_edit_distances_are_those_of_the_table() -> None:
    rng = random.Random(3)
    for _ in range(1000):
        letters = "abcd"[: rng.randint(1, 4)]
        first, second = ("".join(rng.choices(letters, k=rng.randint(0, 12))) for _ in range(2))
        assert edit_distance(first, second) == by_table(first, second), (first, second)
    long = "".join(rng.choices("ab", k=300))
    assert edit_distance(long, long[7:] + "ba") == by_table(long, long[7:] + "ba")


def test_edit_distances_to_several_words_are_those_to_each() -> None:
    rng = random.Random(4)
    for _ in range(1000):
        letters = "abcd"[: rng.randint(1, 4)]
        text, *words = (
            "".join(rng.choices(letters, k=rng.randint(0, 12))) for _ in range(rng.randint(1, 7))
        )
        assert edit_distances(text, words) == [by_table(text, word) for word in words], (text, words)
