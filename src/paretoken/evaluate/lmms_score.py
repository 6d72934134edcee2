"""From what lmms-eval returns to the score file that `paretoken score` writes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from paretoken.errors import UserError
from paretoken.evaluate.score import json_value
from paretoken.evaluate.score_intervals import Z_95, interval, standard_error
from paretoken.registry import unknown_name

Sample = Mapping[str, Any]
#: No score from 0 to 1 spreads more: what is said where lmms-eval gives nothing to go by.
LARGEST_SPREAD = 0.5


def choose_metric(task: str, metrics: Sequence[str], given: str | None) -> str:
    """Return which of a task's metrics is the score.

    Raises:
        UserError: the task has several and none was given, or it has no such metric.
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

    Where the score is the mean of the rows' scores, the interval is that of `paretoken score`. A score
    that is none (F1, MME) gets the standard error that lmms-eval states, else that of the rows' mean.

    Args:
        name: of the benchmark.
        task: lmms-eval's name of it.
        metric: which of its metrics is the score.
        maximum: by which the metric is divided, so that it lies between 0 and 1.
        results: ``results`` of the task.
        samples: ``samples`` of the task.

    Raises:
        UserError: the metric is no number, or does not lie between 0 and the maximum.
    """
    value, stated = _find(results, metric), _find(results, f"{metric}_stderr")
    if value is None:
        raise UserError(f"lmms-eval gave no number for {metric} of {task}; does it score on a server?")
    score = value / maximum
    if not 0 <= score <= 1:
        raise UserError(
            f"{metric} of {task} is {value:g}; say what it can reach, so that scores lie between 0 "
            f"and 1: --maximum 100 for percentages, for example (it is {maximum:g} now)"
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
    """Return the rows' scores from 0 to 1; None if some row has none."""
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
    """Return a metric under the first of the task's filters: the key is ``metric,filter``."""
    return next((_number(v) for key, v in results.items() if key.partition(",")[0] == metric), None)


def _number(value: Any) -> float | None:
    """Return a number, or the one in a row's ``{score: ..}``."""
    found = value.get("score") if isinstance(value, Mapping) else value
    return float(found) if isinstance(found, int | float) and math.isfinite(found) else None
