"""Converting lmms-eval's results to the score file that `paretoken score` writes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from paretoken.errors import UserError
from paretoken.evaluate.score import json_value
from paretoken.evaluate.score_intervals import Z_95, interval, standard_error
from paretoken.registry import unknown_name

Sample = Mapping[str, Any]
#: Largest standard deviation of scores from 0 to 1, used if lmms-eval gives no standard error.
LARGEST_SPREAD = 0.5


def choose_metric(task: str, metrics: Sequence[str], given: str | None) -> str:
    """Return the metric of a task that is the score.

    Raises:
        UserError: the task has several metrics and none is given, or it lacks the given one.
    """
    if given is None and len(metrics) == 1:
        return metrics[0]
    if given is None:
        raise UserError(f"{task} has several metrics; choose one with --metric: {', '.join(metrics)}")
    if given not in metrics:
        raise UserError(unknown_name(f"metric of {task}", given, metrics))
    return given


def as_score(
    name: str,
    task: str,
    metric: str,
    maximum: float,
    results: Mapping[str, Any],
    samples: Sequence[Sample],
) -> dict[str, Any]:
    """Return ``benchmark, metric, score, n, interval, details, rows`` in plain JSON.

    If the score is the mean of the rows' scores, the interval is that of `paretoken score`. Other scores
    (F1, MME) have the standard error that lmms-eval gives, or else that of the rows' mean.

    Args:
        name: name of the benchmark.
        task: lmms-eval's name of the task.
        metric: the metric of the task that is the score.
        maximum: largest value of the metric, by which it is divided.
        results: lmms-eval's ``results`` of the task.
        samples: lmms-eval's ``samples`` of the task.

    Raises:
        UserError: the metric is not a number, or is not between 0 and the maximum.
    """
    value, stated = _find(results, metric), _find(results, f"{metric}_stderr")
    if value is None:
        raise UserError(
            f"lmms-eval gave no number for {metric} of {task}; it may be scored on a server: choose "
            "another task or metric"
        )
    score = value / maximum
    if not 0 <= score <= 1:
        raise UserError(
            f"{metric} of {task} is {value:g}, which is not between 0 and --maximum ({maximum:g}); give "
            "the largest value of the metric, such as --maximum 100 for percentages"
        )
    counted = [sample for sample in samples if metric in sample]
    single = [_number(sample[metric]) for sample in counted]
    scores = _scaled(single, maximum)
    bounds, stderr = _spread(score, scores, None if stated is None else stated / maximum)
    shown: Sequence[float | None] = scores or [None] * len(counted)
    details = {"harness": "lmms_eval", "task": task, "value": value, "maximum": maximum}
    return {
        "benchmark": name,
        "metric": metric,
        "score": score,
        "n": len(counted),
        "interval": bounds,
        "details": details | {"stderr": stderr},
        "rows": [_row(*each) for each in zip(counted, shown, strict=True)],
    }


def _spread(
    score: float, scores: Sequence[float] | None, stated: float | None
) -> tuple[list[float], float]:
    """Return the 95 % interval of a score and its standard error."""
    own = standard_error(scores) if scores else None
    if scores and math.isclose(math.fsum(scores) / len(scores), score, abs_tol=1e-9):
        return interval(scores), LARGEST_SPREAD if own is None else own
    error = stated if stated is not None else own if own is not None else LARGEST_SPREAD
    return [max(0.0, score - Z_95 * error), min(1.0, score + Z_95 * error)], error


def _scaled(values: Sequence[float | None], maximum: float) -> list[float] | None:
    """Return the rows' scores, from 0 to 1; None if a row has no score or one out of range."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    for divisor in (1.0, maximum):
        if all(0 <= value / divisor <= 1 for value in known):
            return [value / divisor for value in known]
    return None


def _row(sample: Sample, score: float | None) -> dict[str, Any]:
    answers = sample["filtered_resps"]
    row = {
        **sample["doc"],
        "_id": str(sample["doc_id"]),
        "prompt": sample["arguments"][0] if sample["arguments"] else None,
        "prediction": answers[0] if len(answers) == 1 else answers,
    }
    content: dict[str, Any] = json_value(row | ({} if score is None else {"score": score}))
    return content


def _find(results: Mapping[str, Any], metric: str) -> float | None:
    """Return a metric with the first of the task's filters; keys are ``metric,filter``."""
    return next((_number(v) for key, v in results.items() if key.partition(",")[0] == metric), None)


def _number(value: Any) -> float | None:
    """Return a finite number, or that of a row's ``{score: ..}``; None for other values."""
    found = value.get("score") if isinstance(value, Mapping) else value
    return float(found) if isinstance(found, int | float) and math.isfinite(found) else None
