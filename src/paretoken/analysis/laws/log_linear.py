"""Y = c - a ln N - b ln V: three parameters and no exponents; the fit is linear and exact.

The paper observes that the error falls log-linearly with V at each N (section 3); this law assumes it
for N too. It has no floor and turns negative far outside the data.
"""

from __future__ import annotations

import numpy as np

from paretoken.analysis.laws.base import Law
from paretoken.io.arrays import Array


def _basis(theta: Array, log_n: Array, log_t: Array) -> Array:
    columns = np.stack([np.ones_like(log_n), -log_n, -log_t], axis=1)
    return np.broadcast_to(columns, (len(theta), *columns.shape))


def _gradient(theta: Array, log_n: Array, log_t: Array) -> Array:
    return np.zeros((len(theta), len(log_n), 3, 0))


def _shift(values: Array, n0: float, t0: float) -> Array:
    shifted = values.copy()
    shifted[:, 0] += values[:, 1] * n0 + values[:, 2] * t0
    return shifted


def _ratio(values: Array) -> Array:
    a, b = values[:, 1], values[:, 2]
    return np.divide(a, b, out=np.full_like(a, np.inf), where=b > 0)


LOG_LINEAR = Law(
    name="log_linear",
    formula="Y = c - a ln N - b ln V",
    linear=("c", "a", "b"),
    exponents=(),
    bounded=False,
    floor=None,
    basis=_basis,
    basis_gradient=_gradient,
    uncenter=_shift,
    exponent_ratio=_ratio,
    constant_optimum=True,
)
