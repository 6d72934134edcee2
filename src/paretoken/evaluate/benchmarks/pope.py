"""POPE: whether an object is in the image; absent objects are chosen in three ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from paretoken.data.conversations import BadRowError
from paretoken.evaluate.benchmarks.base import Aggregate, Benchmark, HubData, Row, Variant
from paretoken.evaluate.benchmarks.prompts import SHORT
from paretoken.evaluate.benchmarks.values import gold, one_of, question, response, text
from paretoken.evaluate.score_intervals import bootstrap
from paretoken.io.escape import shown

if TYPE_CHECKING:
    from paretoken.io.arrays import Numbers

NEGATIONS = frozenset({"No", "no", "not"})
CATEGORIES = ("adversarial", "popular", "random")
#: True positives, false positives, false negatives.
Counts = tuple[bool, bool, bool]


def read_answer(prediction: str) -> str:
    """Return ``no`` if the first sentence has a negation, else ``yes`` (the authors' rule)."""
    words = prediction.split(".", maxsplit=1)[0].replace(",", "").split(" ")
    return "yes" if NEGATIONS.isdisjoint(words) else "no"


def score(row: Row) -> float:
    """Return 1 if a row's answer is correct, else 0."""
    return float(read_answer(response(row)) == _truth(row))


def score_literal(row: Row) -> float:
    """Return 1 if the answer is the correct word in any case, else 0, like lmms-eval."""
    return float(response(row).lower() == _truth(row))


def _truth(row: Row) -> str:
    truth = gold(row).lower().strip()
    if truth not in ("yes", "no"):
        raise BadRowError(f"its answer is {shown(row['answer'])}; it must be yes or no")
    one_of(row, "category", CATEGORIES)
    _image(row)
    return truth


def _counts(row: Row) -> Counts:
    said, truth = read_answer(response(row)) == "yes", _truth(row) == "yes"
    return said and truth, said and not truth, truth and not said


def _counts_literal(row: Row) -> Counts:
    said, truth = response(row).lower(), _truth(row) == "yes"
    # An answer that is neither word does not count in precision or recall.
    return said == "yes" and truth, said == "yes" and not truth, said == "no" and truth


def f1(counts: Numbers) -> Numbers:
    """Return F1 of (..., 3) counts: true positives, false positives, false negatives."""
    import numpy as np

    true, other = 2 * counts[..., 0], counts[..., 1] + counts[..., 2]
    result: Numbers = np.divide(true, true + other, out=np.zeros_like(true), where=true > 0)
    return result


def aggregate(
    rows: Sequence[Row],
    scores: Sequence[float],
    count: Callable[[Row], Counts] = _counts,
    pooled: bool = False,
) -> Aggregate:
    """Return F1, with an interval by a bootstrap over images.

    Args:
        rows: the scored rows.
        scores: 1 or 0 per row.
        count: returns the counts of a row for F1.
        pooled: whether F1 is that of all rows; otherwise it is the mean over the categories, as in
            papers on LLaVA.
    """
    import numpy as np

    names = sorted({row["category"] for row in rows})
    images = [_image(row) or f"row {number}" for number, row in enumerate(rows)]
    place = {image: number for number, image in enumerate(dict.fromkeys(images))}
    table = np.zeros((len(place), len(names), 3))
    for row, image in zip(rows, images, strict=True):
        table[place[image], names.index(row["category"])] += count(row)

    def statistic(weights: list[Numbers]) -> Numbers:
        counts = np.tensordot(weights[0], table, axes=1)
        result: Numbers = f1(counts.sum(axis=1)) if pooled else f1(counts).mean(axis=1)
        return result

    interval, stderr = bootstrap([len(place)], statistic)
    single = f1(table.sum(axis=0))
    whole = float(f1(table.sum(axis=(0, 1))))
    mean = float(single.mean())
    details: dict[str, Any] = {
        "f1_mean": mean,
        "f1_pooled": whole,
        "accuracy": sum(scores) / len(scores),
        "categories": {
            name: {"f1": float(value), **_detail(rows, scores, name)}
            for name, value in zip(names, single, strict=True)
        },
        "said_yes": sum(count(row)[0] or count(row)[1] for row in rows) / len(rows),
        "stderr": stderr,
    }
    missing = [name for name in CATEGORIES if name not in names]
    lacks = [f"without {', '.join(missing)}"] if missing else []
    return Aggregate(whole if pooled else mean, interval, details, lacks=lacks)


def _image(row: Row) -> str:
    return text(row, "image_source")


def _detail(rows: Sequence[Row], scores: Sequence[float], name: str) -> dict[str, float]:
    own = [value for row, value in zip(rows, scores, strict=True) if row["category"] == name]
    return {"accuracy": sum(own) / len(own), "questions": len(own)}


def aggregate_pooled(rows: Sequence[Row], scores: Sequence[float]) -> Aggregate:
    """Return F1 over all rows."""
    return aggregate(rows, scores, pooled=True)


def aggregate_literal(rows: Sequence[Row], scores: Sequence[float]) -> Aggregate:
    """Return F1 over all rows, counted like lmms-eval."""
    return aggregate(rows, scores, _counts_literal, pooled=True)


def prompt(row: Row) -> str:
    """Return the prompt of a row."""
    return question(row).strip() + SHORT


POPE = Benchmark(
    name="pope",
    metric="F1, mean over categories",
    score=score,
    source="eval_pope.py of LLaVA; https://arxiv.org/abs/2305.10355",
    columns=("category", "answer"),
    # Ids of questions are unique within a category only.
    keys=(("category", "question_id"), ("category", "id")),
    aggregate=aggregate,
    hub=HubData("lmms-lab/POPE", "test", columns=("question", "image_source")),
    prompt=prompt,
    max_new_tokens=128,
    questions=9000,
    variants=(
        Variant(
            "pooled",
            "the same parsing of answers, F1 over all rows",
            {"metric": "F1 over all rows", "aggregate": aggregate_pooled},
        ),
        Variant(
            "literal",
            "lmms-eval: the exact word, F1 over all rows without unparsed answers",
            {"metric": "F1 over all rows", "score": score_literal, "aggregate": aggregate_literal},
        ),
    ),
)
