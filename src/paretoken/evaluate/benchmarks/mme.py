"""MME: yes-or-no questions, two per image, in ten perception and four cognition subtasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from paretoken.data.conversations import BadRowError
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.base import Aggregate, Benchmark, HubData, Row, Variant
from paretoken.evaluate.benchmarks.prompts import SHORT
from paretoken.evaluate.benchmarks.values import gold, one_of, question, response, text
from paretoken.evaluate.ids import id_text
from paretoken.evaluate.score_intervals import bootstrap
from paretoken.io.escape import shown
from paretoken.io.text_tables import counted

if TYPE_CHECKING:
    from paretoken.io.arrays import Numbers

PERCEPTION = ("existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark",
              "artwork", "OCR")  # fmt: skip
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
#: A subtask's score is a percentage of questions plus a percentage of images.
SUBTASK_MAXIMUM = 200
#: Most missing subtasks that the metric names.
NAMED = 3
SUFFIX = " Please answer yes or no."
#: Indices of the rows of a subtask, by image.
Images = list[list[int]]


def read_answer(prediction: str) -> str:
    """Return ``yes``, ``no`` or ``other`` for an answer, like lmms-eval."""
    plain = prediction.lower().strip().replace(".", "")
    if len(plain) == 1:
        return {"y": "yes", "n": "no"}.get(plain, "other")
    return _read_start(plain)


def _read_start(plain: str) -> str:
    start = plain[:4]
    return "yes" if "yes" in start else "no" if "no" in start else "other"


def score(row: Row) -> float:
    """Return 1 if a row's answer is correct, else 0."""
    return float(read_answer(response(row)) == _truth(row))


def score_official(row: Row) -> float:
    """Return the score of the official tool, which removes neither white space nor full stops."""
    return float(_read_start(text(row, "prediction").lower()) == _truth(row))


def _truth(row: Row) -> str:
    truth = gold(row).lower().strip().replace(".", "")
    if truth not in ("yes", "no"):
        raise BadRowError(f"its answer is {shown(row['answer'])}; it must be Yes or No")
    one_of(row, "category", PERCEPTION + COGNITION)
    return truth


def by_image(rows: Sequence[Row], numbers: Sequence[int]) -> Images:
    """Return the rows of a subtask grouped by image, which is their ``question_id``.

    Raises:
        BadRowError: a ``question_id`` is missing, or neither a text nor a whole number.
    """
    ordered = sorted(numbers, key=lambda number: _image_id(rows[number]))
    groups = groupby(ordered, key=lambda number: _image_id(rows[number]))
    return [list(group) for _, group in groups]


def _image_id(row: Row) -> str:
    return id_text(row["question_id"], "question_id")


def by_neighbours(rows: Sequence[Row], numbers: Sequence[int]) -> Images:
    """Return the rows of a subtask in pairs of neighbours, like the official tool."""
    return [list(numbers[start : start + 2]) for start in range(0, len(numbers), 2)]


def aggregate(
    rows: Sequence[Row],
    scores: Sequence[float],
    pair: Callable[[Sequence[Row], Sequence[int]], Images] = by_image,
    subtasks: Sequence[str] = PERCEPTION + COGNITION,
) -> Aggregate:
    """Return the sum of the subtasks' scores over its maximum.

    Args:
        rows: the scored rows.
        scores: 1 or 0 per row.
        pair: groups the rows of a subtask by image.
        subtasks: subtasks that count; all 14 have a maximum of 2800 points.

    Raises:
        UserError: no row belongs to a subtask that counts.
    """
    import numpy as np

    images = _images(rows, pair, subtasks)
    if not images:
        raise UserError(
            f"no row belongs to one of the subtasks {', '.join(subtasks)}; give rows of them"
        )
    counts = {name: _counts(found, scores) for name, found in images.items()}
    points = {name: _points(each, np.ones((1, len(each)))) for name, each in counts.items()}
    maximum = SUBTASK_MAXIMUM * len(subtasks)

    def normalised(weights: list[Numbers]) -> Numbers:
        parts = [_points(*part) for part in zip(counts.values(), weights, strict=True)]
        summed: Numbers = np.sum(parts, axis=0)
        return summed / maximum

    interval, stderr = bootstrap([len(each) for each in counts.values()], normalised)
    single = {name: float(value[0]) for name, value in points.items()}
    perception, cognition = (
        sum(single.get(name, 0.0) for name in part) for part in (PERCEPTION, COGNITION)
    )
    total = perception + cognition
    details: dict[str, Any] = {
        "total": total,
        "maximum": maximum,
        "perception": perception,
        "cognition": cognition,
        "subtasks": {name: _detail(counts[name], single[name]) for name in counts},
        "missing_subtasks": [name for name in subtasks if name not in counts],
        "unpaired_images": int(sum((each[:, 1] != 2).sum() for each in counts.values())),
        "stderr": stderr,
    }
    return Aggregate(total / maximum, interval, details, lacks=_lacks(details, rows, images))


def _lacks(details: Mapping[str, Any], rows: Sequence[Row], images: Mapping[str, Images]) -> list[str]:
    """Return remarks on missing subtasks and on images without exactly two questions."""
    missing, unpaired = details["missing_subtasks"], details["unpaired_images"]
    named = ", ".join(missing) if len(missing) <= NAMED else f"{len(missing)} of them"
    pairs = [pair for found in images.values() for pair in found]
    crossed = sum(len({_image_id(rows[number]) for number in pair}) > 1 for pair in pairs)
    return [
        *([f"subtasks missing, counted as 0: {named}"] if missing else []),
        *([f"{counted(unpaired, 'image')} without exactly two questions"] if unpaired else []),
        *([f"{counted(crossed, 'pair')} of rows of two images"] if crossed else []),
    ]


def _images(
    rows: Sequence[Row],
    pair: Callable[[Sequence[Row], Sequence[int]], Images],
    subtasks: Sequence[str],
) -> dict[str, Images]:
    numbers: dict[str, list[int]] = {name: [] for name in subtasks}
    for number, row in enumerate(rows):
        if row["category"] in numbers:
            numbers[row["category"]].append(number)
    return {name: pair(rows, found) for name, found in numbers.items() if found}


def _counts(images: Images, scores: Sequence[float]) -> Numbers:
    """Return the correct answers, the questions, and whether both are correct (images, 3)."""
    import numpy as np

    right = [(sum(scores[number] for number in image), len(image)) for image in images]
    # An image with one question, which a limit can leave, cannot have two correct answers.
    return np.array([(r, n, float(n > 1 and r == n)) for r, n in right])


def _points(counts: Numbers, weights: Numbers) -> Numbers:
    """Return a subtask's score, 0 to 200, for each row of weights (replicates, images)."""
    accuracy = weights @ counts[:, 0] / (weights @ counts[:, 1])
    both: Numbers = weights @ counts[:, 2] / weights.sum(axis=1)
    return 100 * (accuracy + both)


def _detail(counts: Numbers, points: float) -> Mapping[str, float]:
    right, questions, both = counts.sum(axis=0)
    return {
        "score": points,
        "accuracy": float(right / questions),
        "both_right": float(both / len(counts)),
        "images": len(counts),
    }


def aggregate_official(rows: Sequence[Row], scores: Sequence[float]) -> Aggregate:
    """Return the score with images paired as the official tool does."""
    return aggregate(rows, scores, by_neighbours)


def aggregate_perception(rows: Sequence[Row], scores: Sequence[float]) -> Aggregate:
    """Return the score over the perception subtasks, of 2000 points."""
    return aggregate(rows, scores, subtasks=PERCEPTION)


def prompt(row: Row) -> str:
    """Return the prompt of a row."""
    return question(row).strip().replace(SUFFIX, "") + SHORT


MME = Benchmark(
    name="mme",
    metric="(perception + cognition) / 2800",
    score=score,
    source="lmms-eval 0.7.3, task mme; https://arxiv.org/abs/2306.13394",
    columns=("question_id", "category", "answer"),
    # The two questions on an image share its id; the answer to one is Yes, to the other No.
    keys=(("question_id", "category", "question"), ("question_id", "category", "answer")),
    aggregate=aggregate,
    hub=HubData("lmms-lab/MME", "test", columns=("question",)),
    prompt=prompt,
    questions=2374,
    variants=(
        Variant(
            "perception",
            "perception subtasks only, over 2000: what LLaVA and the paper's Table 1 report",
            {"metric": "perception / 2000", "aggregate": aggregate_perception},
        ),
        Variant(
            "official",
            "the official tool: no stripping, no y or n, images paired by neighbouring rows",
            {"score": score_official, "aggregate": aggregate_official},
        ),
    ),
)
