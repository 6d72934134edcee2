"""A fitted law as a straight one near its estimate: Jacobian, leverage, and free parameters."""

from __future__ import annotations

import numpy as np

from paretoken.analysis.estimate import Estimate
from paretoken.analysis.laws.base import Array
from paretoken.analysis.solver import default_bounds


def leverage(fitted: Estimate) -> Array:
    """Return how much each cell determines its own prediction, (n,), at most 0.99."""
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
