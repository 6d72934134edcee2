"""Y = c: neither model size nor number of tokens matters. It is the baseline of all other laws."""

from __future__ import annotations

import numpy as np

from paretoken.analysis.laws.base import Law
from paretoken.io.arrays import Array


def _basis(theta: Array, log_n: Array, log_t: Array) -> Array:
    return np.ones((len(theta), len(log_n), 1))


def _gradient(theta: Array, log_n: Array, log_t: Array) -> Array:
    return np.zeros((len(theta), len(log_n), 1, 0))


def _same(values: Array, n0: float, t0: float) -> Array:
    return values.copy()


def _no_ratio(values: Array) -> Array:
    return np.full(len(values), np.nan)


CONSTANT = Law(
    name="constant",
    formula="Y = c",
    linear=("c",),
    exponents=(),
    bounded=False,
    floor=None,
    basis=_basis,
    basis_gradient=_gradient,
    uncenter=_same,
    exponent_ratio=_no_ratio,
    constant_optimum=False,
)
