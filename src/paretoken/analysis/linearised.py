"""A fitted law, linearised at its estimate: Jacobian, leverage, and the space of its columns."""

from __future__ import annotations

import numpy as np

from paretoken.analysis.estimate import Estimate
from paretoken.analysis.solver import default_bounds
from paretoken.io.arrays import Array


def leverage(fitted: Estimate) -> Array:
    """Return the leverage of each cell, its weight in its own prediction, (n,), at most 0.99."""
    jacobian = scaled_jacobian(fitted)
    orthogonal = np.linalg.qr(jacobian)[0]
    return np.asarray(np.minimum((orthogonal**2).sum(axis=1), 0.99))


def scaled_jacobian(fitted: Estimate) -> Array:
    """Return the Jacobian of the free parameters, times the root of the weights, (n, free).

    Centred logarithms are used, so that it does not depend on the unit of N.
    """
    log_n = np.log(fitted.cells.N) - fitted.centre[0]
    log_t = np.log(fitted.law.tokens(fitted.cells.V, fitted.text_tokens)) - fitted.centre[1]
    jacobian = fitted.law.jacobian(fitted.centred[None], log_n, log_t)[0]
    if fitted.loss.log:
        jacobian = jacobian / fitted.predicted()[:, None]
    return np.asarray(jacobian * np.sqrt(fitted.cells.weight)[:, None])[:, free_parameters(fitted)]


def free_parameters(fitted: Estimate) -> list[int]:
    """Return the positions of the parameters that are fitted and not at a bound."""
    lower, upper = default_bounds(fitted.law, 1)
    inside = (fitted.centred > lower[0]) & (fitted.centred < upper[0])
    inside &= np.isin(fitted.law.parameters, fitted.law.free)
    return [int(i) for i in np.flatnonzero(inside)]


def orthonormal_basis(columns: Array, least: float) -> Array:
    """Return an orthonormal basis of the space of the columns, (n, rank).

    Args:
        columns: (n, k); their lengths do not matter.
        least: singular values below this share of the largest one count as 0.
    """
    if not columns.shape[1]:
        return np.asarray(columns)
    norms = np.linalg.norm(columns, axis=0)
    left, singular, _ = np.linalg.svd(columns / np.where(norms > 0, norms, 1.0), full_matrices=False)
    return np.asarray(left[:, singular > least * max(float(singular.max(initial=0.0)), 1e-300)])


def outside(basis: Array, values: Array) -> Array:
    """Return values, (n,) or (n, k), without their projection onto the space of a basis."""
    return np.asarray(values - basis @ (basis.T @ values))
