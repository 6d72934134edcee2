"""DocVQA: questions about documents, scored by edit distance (ANLS)."""

from __future__ import annotations

from paretoken.evaluate.benchmarks.base import Benchmark, HubData, Row, Variant
from paretoken.evaluate.benchmarks.edit_distance import edit_distance
from paretoken.evaluate.benchmarks.prompts import short_prompt
from paretoken.evaluate.benchmarks.values import accepted, response, text

#: Similarities below this count as none.
THRESHOLD = 0.5


def score(row: Row) -> float:
    """Return the similarity to the nearest right answer, 0 to 1 (the challenge's own script)."""
    said = text(row, "prediction")  # not stripped: its white space counts in the length
    tidy, length = _tidy(said), len(said.upper())
    similarity = 1 - min(_distance(tidy, length, answer) for answer in set(accepted(row)))
    return 0.0 if similarity < THRESHOLD else similarity


def score_binarised(row: Row) -> float:
    """Return 1 where `score` is not 0, for an answer stripped as lmms-eval does."""
    return float(score({**row, "prediction": response(row)}) > 0)


def _distance(said: str, length: int, answer: str) -> float:
    """Return the edit distance as a share of the longer text, in capitals and before tidying.

    Texts of lengths so different that their similarity counts as none are not compared: 1.

    Args:
        said: the prediction, tidied.
        length: of the prediction in capitals, before tidying.
        answer: a right one.
    """
    longer, right = max(len(answer.upper()), length), _tidy(answer)
    if abs(len(right) - len(said)) > (1 - THRESHOLD) * longer:
        return 1.0
    return edit_distance(right, said) / longer if longer else 0.0


def _tidy(answer: str) -> str:
    return " ".join(answer.lower().split())


DOCVQA = Benchmark(
    name="docvqa",
    metric="ANLS",
    score=score,
    source="the RRC's script; https://arxiv.org/abs/2007.00398",
    columns=("answers",),
    keys=(("questionId",), ("question_id",)),
    hub=HubData("lmms-lab/DocVQA", "validation", "DocVQA", columns=("question",)),
    prompt=short_prompt,
    max_new_tokens=32,
    questions=5349,
    variants=(
        Variant(
            "binarised",
            "lmms-eval up to 0.2.4, as in the paper's time: every similarity of half or more is 1",
            {"metric": "share with ANLS >= 0.5", "score": score_binarised},
        ),
    ),
)
