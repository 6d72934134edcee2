"""Test whether the error changes with N and with V at all, before a law says how fast.

Each test is a t test of the slope in the logarithm of one scale, with free levels of the other scale, so
no law is assumed. If the cells of a language model may share noise, N is tested between models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretoken.analysis.estimate import Estimate
from paretoken.analysis.significance import ROUNDING, is_significant, p_in_words
from paretoken.io.arrays import Array

#: Fewest degrees of freedom of a test; with fewer it has almost no power, and is not made.
LEAST_FREEDOM = 2
#: Most levels of a scale with a column each; a scale with more is continuous, and gets a straight line.
MOST_LEVELS = 200


@dataclass(frozen=True)
class Effect:
    """The effect of one scale on the error, as tested on the cells.

    Attributes:
        scale: ``N`` or ``V``.
        slope: change of the error (of its logarithm where residuals are logarithms) per unit of ln N or
            ln V; None if it cannot be estimated.
        p_value: of the two-sided t test that it is 0; None if the cells cannot test it.
    """

    scale: str
    slope: float | None
    p_value: float | None

    @property
    def falls(self) -> bool:
        """Whether the error falls significantly along the scale."""
        return self._significant and self.slope is not None and self.slope < 0

    @property
    def rises(self) -> bool:
        """Whether the error rises significantly along the scale."""
        return self._significant and self.slope is not None and self.slope > 0

    @property
    def _significant(self) -> bool:
        return is_significant(self.p_value)

    def as_record(self) -> dict[str, object]:
        """Return the effect for ``fit.json``."""
        return {
            "slope": self.slope,
            "p_value": self.p_value,
            "falls": self.falls,
            "rises": self.rises,
            "words": self.in_words(),
        }

    def in_words(self) -> str:
        """Return a sentence on the effect."""
        if self.p_value is None:
            return (
                f"The data cannot test whether {self.scale} has an effect: too few cells, or too few "
                "language models whose cells may share noise."
            )
        p = p_in_words(self.p_value)
        if self.falls:
            return f"The error falls with {self.scale} ({p})."
        if self.rises:
            return f"The error rises with {self.scale} ({p})."
        return f"The data show no significant effect of {self.scale} ({p})."


def effects(fitted: Estimate, between_models: bool) -> dict[str, Effect]:
    """Return the effects of N and of V on the errors that a law is fitted to.

    Args:
        fitted: the fit; its cells and its kind of residual are used.
        between_models: whether N is tested between language models, because their cells may share noise.
    """
    cells, used = fitted.cells, fitted.cells.used
    positive = (cells.Y[used] > 0).all()
    Y = np.log(cells.Y[used]) if fitted.loss.log and positive else cells.Y[used]
    T = fitted.law.tokens(cells.V[used], fitted.text_tokens)
    log_n, log_t = np.log(cells.N[used]), np.log(T)
    weight, models = cells.weight[used], cells.language_models[used]
    by_tokens = _trend(Y, log_t, _levels(log_n, models), weight)
    if between_models:
        Y, log_n, log_t, weight = _between(Y, log_n, log_t, models, weight)
    by_size = _trend(Y, log_n, _levels(log_t, log_t), weight)
    return {"N": Effect("N", *by_size), "V": Effect("V", *by_tokens)}


def _levels(values: Array, labels: Array | NDArray[np.intp]) -> Array:
    """Return columns for the levels of a scale: one each, or a straight line for very many."""
    found = np.unique(labels)
    if len(found) <= MOST_LEVELS:
        return np.asarray((labels[:, None] == found).astype(float))
    return np.stack([np.ones_like(values), values], axis=1)


def _between(
    Y: Array, log_n: Array, log_t: Array, models: NDArray[np.intp], weight: Array
) -> tuple[Array, Array, Array, Array]:
    """Return one row per language model: its mean error at the mean token count, and its size."""
    levels = _levels(log_t, log_t)
    effects = (models[:, None] == np.unique(models)).astype(float)
    root = np.sqrt(weight)[:, None]
    design = np.hstack([effects, levels])
    values = np.linalg.lstsq(design * root, Y * root[:, 0], rcond=None)[0][: effects.shape[1]]
    first = np.argmax(effects, axis=0)
    return values, log_n[first], np.zeros(len(values)), np.ones(len(values))


def _trend(Y: Array, x: Array, others: Array, weight: Array) -> tuple[float | None, float | None]:
    """Return the slope of Y on x, adjusted for the columns ``others``, and its p value."""
    root = np.sqrt(weight)
    left, singular, _ = np.linalg.svd(others * root[:, None], full_matrices=False)
    basis = left[:, singular > 1e-10 * singular.max()]
    rest = x * root - basis @ (basis.T @ (x * root))
    target = Y * root - basis @ (basis.T @ (Y * root))
    squares = float(rest @ rest)
    if squares <= 1e-20 * float((x * root) @ (x * root)) or squares == 0:
        return None, None
    slope = float(rest @ target) / squares
    freedom = len(Y) - basis.shape[1] - 1
    if freedom < LEAST_FREEDOM:
        return slope, None
    left_over = float(((target - slope * rest) ** 2).sum()) / freedom
    error = np.sqrt(left_over / squares)
    if error <= ROUNDING * abs(slope) or error == 0:
        return slope, 0.0 if slope else 1.0
    from scipy.special import stdtr

    return slope, float(2 * stdtr(freedom, -abs(slope) / error))
