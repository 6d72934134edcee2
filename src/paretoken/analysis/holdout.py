"""Measure how well a law predicts a held-out model size, compared with predictions without a law."""

from __future__ import annotations

from typing import Any

import numpy as np

from paretoken.analysis.estimate import Estimate
from paretoken.io.arrays import Array

#: Most sizes that are left out one by one; a table with more is continuous in N.
MOST_SIZES = 40


def hold_out(fitted: Estimate, held: list[float]) -> dict[str, Any]:
    """Fit without the sizes ``held`` and predict their cells.

    There are two baselines: ``last_value`` copies the next smaller size's error at the same V, and
    ``log_linear`` is a plane in ln N and ln V fitted to the same cells. A baseline without an answer for
    a cell (no smaller size there) is None.

    Returns:
        ``n`` (the sizes), ``cells`` (one record each, relative errors as fractions of the measured
        error), and mean, largest and signed relative error of the law and of each baseline; or
        ``n`` and a ``reason`` if the rest cannot determine the law.
    """
    cells = fitted.cells
    out = np.isin(cells.N, held)
    weight = np.where(out, 0.0, cells.weight)
    rest = weight > 0
    if (
        len(np.unique(cells.N[rest])) < 2
        or len(np.unique(cells.V[rest])) < 2
        or rest.sum() < len(fitted.law.free)
    ):
        return {"n": held, "reason": "the remaining cells cannot determine the law"}
    values = fitted.refit(weight=weight[None])[0]
    parameters = dict(zip(fitted.law.parameters, values, strict=True))
    N, V, Y = cells.N[out], cells.V[out], cells.Y[out]
    predictions = {
        "law": fitted.law.predict(parameters, N, V, fitted.text_tokens),
        "last_value": _last_value(cells.N[rest], cells.V[rest], cells.Y[rest], N, V),
        "log_linear": _log_linear(cells.N[rest], cells.V[rest], cells.Y[rest], N, V),
    }
    return {
        "n": held,
        "parameters": {name: float(value) for name, value in parameters.items()},
        **{name: _summary(Y, predicted) for name, predicted in predictions.items()},
        "cells": [
            {"n": float(n), "v": float(v), "measured": float(y), **_row(predictions, i)}
            for i, (n, v, y) in enumerate(zip(N, V, Y, strict=True))
        ],
    }


def _row(predictions: dict[str, Array], index: int) -> dict[str, float | None]:
    values = {name: float(predicted[index]) for name, predicted in predictions.items()}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _summary(measured: Array, predicted: Array) -> dict[str, float] | None:
    known = np.isfinite(predicted) & (measured != 0)
    if not known.any():
        return None
    relative = (predicted[known] - measured[known]) / np.abs(measured[known])
    return {
        "mean_abs_relative_error": float(np.abs(relative).mean()),
        "max_abs_relative_error": float(np.abs(relative).max()),
        "mean_relative_error": float(relative.mean()),
        "cells": int(known.sum()),
    }


def _last_value(N: Array, V: Array, Y: Array, at_n: Array, at_v: Array) -> Array:
    """Return the mean error of the nearest smaller size at the same V (NaN if there is none)."""
    answers = np.full(len(at_n), np.nan)
    for i, (n, v) in enumerate(zip(at_n, at_v, strict=True)):
        smaller = N[(v == V) & (n > N)]
        if len(smaller):
            answers[i] = Y[(v == V) & (smaller.max() == N)].mean()
    return answers


def _log_linear(N: Array, V: Array, Y: Array, at_n: Array, at_v: Array) -> Array:
    """Return the predictions of a least-squares plane in ln N and ln V (NaN if any V is 0)."""

    def design(n: Array, v: Array) -> Array:
        return np.stack([np.ones_like(n), np.log(n), np.log(v)], axis=1)

    if (np.concatenate([V, at_v]) <= 0).any():
        return np.full(len(at_n), np.nan)
    return np.asarray(design(at_n, at_v) @ np.linalg.lstsq(design(N, V), Y, rcond=None)[0])


def hold_outs(fitted: Estimate) -> dict[str, Any]:
    """Return leave-largest-N-out and leave-one-N-out over all sizes of the cells.

    Sizes that were held out of the fit (weight 0) are predicted too, but never fitted. Leave-one-N-out
    is skipped for more than `MOST_SIZES` sizes.
    """
    sizes = [float(n) for n in np.unique(fitted.cells.N)]
    each = sizes if len(sizes) <= MOST_SIZES else []
    unseen = sorted({float(n) for n in fitted.cells.N[~fitted.cells.used]})
    return {
        "leave_largest_n_out": hold_out(fitted, sizes[-1:]),
        "leave_one_n_out": [hold_out(fitted, [n]) for n in each],
        "unseen": hold_out(fitted, unseen) if unseen else None,
    }
