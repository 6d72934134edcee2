"""Y = E + A N^-alpha + B V^-beta: the form of Hoffmann et al. (Chinchilla), with V in place of data.

With a column of training tokens as V, it fits tables like Chinchilla's. Its optimal V at a fixed cost
depends on the budget, so no single V*(Q) follows from the exponents; the frontier is searched instead.
"""

from __future__ import annotations

import numpy as np

from paretoken.analysis.laws.base import Law
from paretoken.analysis.laws.product import ratio_of_exponents
from paretoken.io.arrays import Array


def _basis(theta: Array, log_n: Array, log_t: Array) -> Array:
    by_size, by_tokens = np.exp(-theta[:, :1] * log_n), np.exp(-theta[:, 1:] * log_t)
    return np.stack([np.ones_like(by_size), by_size, by_tokens], axis=2)


def _gradient(theta: Array, log_n: Array, log_t: Array) -> Array:
    gradient = np.zeros((len(theta), len(log_n), 3, 2))
    gradient[:, :, 1, 0] = -log_n * np.exp(-theta[:, :1] * log_n)
    gradient[:, :, 2, 1] = -log_t * np.exp(-theta[:, 1:] * log_t)
    return gradient


def _shift(values: Array, n0: float, t0: float) -> Array:
    shifted = values.copy()
    shifted[:, 1] *= np.exp(values[:, 3] * n0)
    shifted[:, 2] *= np.exp(values[:, 4] * t0)
    return shifted


ADDITIVE = Law(
    name="additive",
    formula="Y = E + A N^-alpha + B V^-beta",
    linear=("E", "A", "B"),
    exponents=("alpha", "beta"),
    bounded=True,
    floor="E",
    basis=_basis,
    basis_gradient=_gradient,
    uncenter=_shift,
    exponent_ratio=ratio_of_exponents,
    constant_optimum=False,
)
