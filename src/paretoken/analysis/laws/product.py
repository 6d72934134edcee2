"""Y = K N^-alpha T^-beta + D: the paper's law (Eq. 2), and two variants.

The paper writes A/N^alpha * B/T^beta + D; errors identify only K = A B. In the authors' code, T is the
number of visual tokens V; `PRODUCT_Q_PLUS_V` takes T = Q + V, as summaries of the paper's v2 do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paretoken.analysis.laws.base import Law
from paretoken.io.arrays import Array


def _power(theta: Array, log_n: Array, log_t: Array) -> Array:
    return np.exp(-theta[:, :1] * log_n - theta[:, 1:] * log_t)


def _basis(theta: Array, log_n: Array, log_t: Array) -> Array:
    power = _power(theta, log_n, log_t)
    return np.stack([power, np.ones_like(power)], axis=2)


def _gradient(theta: Array, log_n: Array, log_t: Array) -> Array:
    power = _power(theta, log_n, log_t)
    by_exponent = np.stack([-log_n * power, -log_t * power], axis=2)
    return np.stack([by_exponent, np.zeros_like(by_exponent)], axis=2)


def _basis_zero_d(theta: Array, log_n: Array, log_t: Array) -> Array:
    return _basis(theta, log_n, log_t)[:, :, :1]


def _gradient_zero_d(theta: Array, log_n: Array, log_t: Array) -> Array:
    return _gradient(theta, log_n, log_t)[:, :, :1]


def _shift(values: Array, n0: float, t0: float) -> Array:
    shifted = values.copy()
    shifted[:, 0] *= np.exp(values[:, -2] * n0 + values[:, -1] * t0)
    return shifted


def ratio_of_exponents(values: Array) -> Array:
    """Return alpha / beta, infinite where beta is 0 or so small that the ratio overflows."""
    alpha, beta = values[:, -2], values[:, -1]
    with np.errstate(over="ignore"):
        return np.divide(alpha, beta, out=np.full_like(alpha, np.inf), where=beta > 0)


PRODUCT = Law(
    name="product",
    formula="Y = K N^-alpha V^-beta + D",
    linear=("K", "D"),
    exponents=("alpha", "beta"),
    bounded=True,
    floor="D",
    basis=_basis,
    basis_gradient=_gradient,
    uncenter=_shift,
    exponent_ratio=ratio_of_exponents,
    constant_optimum=True,
)

PRODUCT_ZERO_D = replace(
    PRODUCT,
    name="product_zero_d",
    formula="Y = K N^-alpha V^-beta",
    linear=("K",),
    floor=None,
    basis=_basis_zero_d,
    basis_gradient=_gradient_zero_d,
)

PRODUCT_Q_PLUS_V = replace(
    PRODUCT,
    name="product_q_plus_v",
    formula="Y = K N^-alpha (Q + V)^-beta + D",
    text_in_error=True,
)
