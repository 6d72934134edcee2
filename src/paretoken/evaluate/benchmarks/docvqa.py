"""DocVQA: questions about documents, scored by edit distance (ANLS)."""

from __future__ import annotations

from paretoken.evaluate.benchmarks.base import Benchmark, HubData, Row, Variant
from paretoken.evaluate.benchmarks.edit_distance import edit_distance
from paretoken.evaluate.benchmarks.prompts import short_prompt
from paretoken.evaluate.benchmarks.values import accepted, response, text

#: Similarities below this count as 0.
THRESHOLD = 0.5


def score(row: Row) -> float:
    """Return the similarity to the nearest correct answer, 0 to 1, like the challenge's script."""
    said = text(row, "prediction")  # not stripped, as white space counts in the length
    tidy, length = _tidy(said), len(said.upper())
    similarity = 1 - min(_distance(tidy, length, answer) for answer in set(accepted(row)))
    return 0.0 if similarity < THRESHOLD else similarity


def score_binarised(row: Row) -> float:
    """Return 1 if `score` of the stripped answer is not 0, else 0, like lmms-eval."""
    return float(score({**row, "prediction": response(row)}) > 0)


def _distance(said: str, length: int, answer: str) -> float:
    """Return the edit distance over the length of the longer text.

    Lengths are those of the texts in capitals before normalisation. The distance is 1 if the lengths
    alone imply a similarity that counts as 0.

    Args:
        said: the normalised prediction.
        length: length of the prediction in capitals before normalisation.
        answer: a correct answer.
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
