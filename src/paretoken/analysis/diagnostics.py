"""The status and goodness of a fit, and warnings about parameters that it does not determine."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np

from paretoken.analysis.estimate import Estimate
from paretoken.analysis.laws.base import EXPONENT_LIMIT
from paretoken.analysis.linearised import free_parameters, scaled_jacobian
from paretoken.analysis.profiles import Profile, is_flat
from paretoken.analysis.significance import EXACT, ROUNDING
from paretoken.io.arrays import Array

#: Number of robust standard deviations beyond which a cell is listed as an outlier.
OUTLIER = 3.5
#: Largest plausible N in billions of parameters; a larger number is in another unit.
LARGEST_B = 1e5
#: Condition number of the scaled Jacobian beyond which the data hardly distinguish the parameters.
ILL_CONDITIONED = 1e5


class FitStatus(StrEnum):
    """The status of a fit; a fit that is of no use at all raises `FitError` instead."""

    CONVERGED = "converged"
    """At a minimum inside all bounds."""
    BOUND_ACTIVE = "bound_active"
    """At a minimum where a parameter sits on a bound: usable, see the warnings."""
    NOT_CONVERGED = "not_converged"
    """The optimiser reached its step limit; the objective may not be the lowest."""


def status_of(fitted: Estimate) -> FitStatus:
    """Return the status of a fit."""
    if not fitted.converged:
        return FitStatus.NOT_CONVERGED
    inside = len(free_parameters(fitted)) == len(fitted.law.free)
    return FitStatus.CONVERGED if inside else FitStatus.BOUND_ACTIVE


def goodness(fitted: Estimate) -> dict[str, float | None]:
    """Return ``rmse``, ``r_squared`` of cells, and ``r_squared_of_means`` of means at equal N and V.

    No law can explain the spread of cells over seeds, so a law should describe their means. An R^2 is
    None if all errors are equal.
    """
    cells, used = fitted.cells, fitted.cells.used
    measured, predicted = cells.Y[used], np.asarray(fitted.predicted())[used]
    places, which = np.unique(np.stack([cells.N[used], cells.V[used]]), axis=1, return_inverse=True)
    counts = np.bincount(which, minlength=places.shape[1])
    means = [np.bincount(which, weights=values) / counts for values in (measured, predicted)]
    return {
        "rmse": float(np.sqrt(np.mean((predicted - measured) ** 2))),
        "r_squared": _r_squared(measured, predicted),
        "r_squared_of_means": _r_squared(*means),
    }


def _r_squared(measured: Array, predicted: Array) -> float | None:
    spread = float(((measured - measured.mean()) ** 2).sum())
    return None if spread == 0 else 1 - float(((measured - predicted) ** 2).sum()) / spread


def bound_warnings(fitted: Estimate) -> list[str]:
    """Return one sentence per parameter on a bound."""
    free = free_parameters(fitted)
    sentences = []
    for position, name in enumerate(fitted.law.parameters):
        if position in free or name not in fitted.law.free:
            continue
        value = fitted.values[position]
        if name == fitted.law.floor:
            meaning = "the data neither require nor exclude an irreducible error"
        elif name in fitted.law.exponents and value >= EXPONENT_LIMIT:
            meaning = "the search ends there, and the data do not follow a power law of that scale"
        elif name in fitted.law.exponents:
            meaning = "the fit shows no fall of the error along that scale"
        else:
            meaning = "that term explains nothing in these data"
        sentences.append(f"{name} is at its bound {value:g}: {meaning}.")
    return sentences


def profile_warnings(fitted: Estimate, profiles: list[Profile]) -> list[str]:
    """Return one sentence per parameter with a flat profile, and the exponents that vary with it."""
    sentences = []
    if any(item.threshold is None for item in profiles):
        sentences.append(
            f"With the loss {fitted.loss.name}, a profile has no 95 % region: only bootstrap intervals "
            f"show how well the data determine {' and '.join(item.name for item in profiles)}."
        )
    for item in profiles:
        if item.interval is None or not is_flat(fitted, item):
            continue
        along = [
            f"{name} varies from {values.min():.3g} to {values.max():.3g}"
            for name in fitted.law.exponents
            if name != item.name
            and name in fitted.law.free
            and len(values := item.inside(name, fitted.law.parameters))
            and f"{values.min():.3g}" != f"{values.max():.3g}"
        ]
        moves = f"; along it, {' and '.join(along)}" if along else ""
        sentences.append(
            f"The profile of {item.name} is flat: the law fits about equally well with every value from "
            f"{item.interval[0]:.3g} to {item.interval[1]:.3g}, so {item.name} is not "
            f"identified{moves}."
        )
    return sentences


def is_constant(fitted: Estimate) -> bool:
    """Return whether the law has no slopes or was fitted as constant: its optimum means nothing."""
    predicted = np.asarray(fitted.predicted())[fitted.cells.used]
    flat = float(np.ptp(predicted)) <= ROUNDING * float(np.abs(predicted).max())
    return (fitted.law.linear[0] == "K" and flat) or not fitted.law.slopes


def conditioning(fitted: Estimate) -> dict[str, Any]:
    """Return the condition number of the scaled Jacobian and the correlation of the estimates.

    Both cover the free parameters, at centred logarithms. The condition number is None if it exceeds
    what double precision resolves: the data then do not distinguish some of the parameters.
    """
    names = [fitted.law.parameters[i] for i in free_parameters(fitted)]
    jacobian = scaled_jacobian(fitted)
    norms = np.linalg.norm(jacobian, axis=0)
    if not names or (norms == 0).any():
        return {"free": names, "condition_number": None, "correlation": None}
    unit = jacobian / norms
    covariance = np.linalg.pinv(unit.T @ unit)
    sd, condition = np.sqrt(np.diag(covariance)), float(np.linalg.cond(unit))
    return {
        "free": names,
        "condition_number": condition if condition < 1 / np.finfo(float).eps else None,
        "correlation": [[float(c) for c in row] for row in covariance / np.outer(sd, sd)],
    }


def outliers(fitted: Estimate) -> list[dict[str, float]]:
    """Return the cells whose residual exceeds `OUTLIER` robust standard deviations; they stay fitted."""
    residual = standardised_residuals(fitted)
    return [
        {
            "n": float(fitted.cells.N[i]),
            "v": float(fitted.cells.V[i]),
            "error": float(fitted.cells.Y[i]),
            "standardised_residual": float(residual[i]),
        }
        for i in np.flatnonzero(np.abs(residual) > OUTLIER)
    ]


def standardised_residuals(fitted: Estimate) -> Array:
    """Return residuals divided by their robust scale, (n,); 0 for cells left out or a perfect fit."""
    raw = fitted.loss.residuals(fitted.cells.Y, fitted.predicted())
    residual = np.where(fitted.cells.used, raw * np.sqrt(fitted.cells.weight), 0.0)
    kept = residual[fitted.cells.used]
    scale = 1.4826 * float(np.median(np.abs(kept - np.median(kept))))
    if scale <= ROUNDING * float(np.abs(fitted.cells.Y).max()):
        return np.zeros_like(residual)
    return residual / scale


def information(fitted: Estimate) -> dict[str, float | int | str | None]:
    """Return AICc and BIC under normal errors, the variance counted as a parameter.

    With logarithmic residuals, the Jacobian of the transformation is included, so that values are
    comparable across squared losses. Other losses have no such likelihood: their values are None, with
    the reason.
    """
    n, k = int(fitted.cells.used.sum()), len(fitted.law.free) + 1
    record: dict[str, float | int | str | None] = {"n_points": n, "k": k, "aicc": None, "bic": None}
    if not np.isinf(fitted.loss.delta):
        return record | {"reason": f"the loss {fitted.loss.name} is not a normal likelihood"}
    if n - k - 1 < 1:
        return record | {"reason": "too few cells for the small-sample correction"}
    if fitted.objective <= EXACT * float((fitted.cells.weight * fitted.cells.Y**2).sum()):
        return record | {"reason": "the fit is exact; its likelihood is unbounded"}
    weight = fitted.cells.weight[fitted.cells.used]
    deviance = n * np.log(fitted.objective / n) - float(np.log(weight).sum())
    if fitted.loss.log:
        deviance += 2 * float(np.log(fitted.cells.Y[fitted.cells.used]).sum())
    aicc = deviance + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    return record | {"aicc": float(aicc), "bic": float(deviance + k * np.log(n))}
