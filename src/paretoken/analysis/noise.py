"""Estimate the noise of the cells, and test whether the cells of one language model share part of it.

The residuals of a fit are compared with those of the same fit plus one effect per language model. If the
effects explain more than chance would (an F test), every cell has the noise of its model and its own
noise; otherwise it has only its own. The two variances follow from the two sums of squares (the moments
of a variance components model, Searle, Casella and McCulloch 1992, "Variance components", section 5.3).
Their uncertainty follows from chi-squared distributions, so that intervals are Student's if a law is
linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoken.analysis.estimate import Estimate
from paretoken.analysis.linearised import orthonormal_basis, outside, scaled_jacobian
from paretoken.analysis.significance import EXACT, ROUNDING, is_significant, p_in_words
from paretoken.io.arrays import Array

#: p value below which effects are allowed for without being claimed: with few language models, effects
#: often exist without being significant. This is a level for deciding on pooling (Bancroft 1964,
#: "Analysis and inference for incompletely specified models"); with it, verdicts at equal exponents are
#: wrong in about 5 % of data sets (benchmarks/coverage.py, LOG.md).
ALLOWED = 0.4
#: Most language models times cells that are tested; a table with more is continuous in N.
MOST_EFFECTS = 4_000_000
#: Effects of which less than this share lies outside the space of the law are attributed to the law.
LEAST_HELD = 0.1
#: Singular values below this share of the largest count as 0.
RANK = 1e-10
#: Fewest cells in excess of the law's parameters for a test of how the cells scatter.
LEAST_SPARE = 4


@dataclass(frozen=True)
class Noise:
    """The noise of a fit's cells, in the unit of the residuals and for a cell of weight 1.

    Attributes:
        p_value: of the F test for effects of language models; None if the cells cannot test it.
        effects: whether effects of language models are allowed for.
        own_squares: sum of squares that neither the law nor effects explain.
        own_freedom: its degrees of freedom.
        effect_squares: sum of squares that effects of language models explain.
        effect_freedom: its degrees of freedom.
        cells_per_effect: the factor of an effect's variance in its mean square.
        uneven_p: p value of the test that the scatter of cells grows with their error; None if untested.
    """

    p_value: float | None
    effects: bool
    own_squares: float
    own_freedom: int
    effect_squares: float
    effect_freedom: int
    cells_per_effect: float
    uneven_p: float | None = None

    @property
    def uneven(self) -> bool:
        """Whether cells with larger errors scatter significantly more."""
        return is_significant(self.uneven_p)

    @property
    def shared(self) -> bool:
        """Whether the cells of one language model deviate from the law together significantly."""
        return is_significant(self.p_value)

    @property
    def freedom(self) -> int:
        """The degrees of freedom of the exponents' noise: those of effects if these are allowed for."""
        return self.effect_freedom if self.effects else self.own_freedom + self.effect_freedom

    @property
    def standard_deviations(self) -> tuple[float, float]:
        """The standard deviations of a cell's own noise and of an effect; NaN without spare cells."""
        own, effect = self.variances(
            np.array([float(self.own_freedom)]), np.array([float(self.effect_freedom)])
        )
        return float(np.sqrt(own[0])), float(np.sqrt(effect[0]))

    def variances(self, own: Array, effect: Array) -> tuple[Array, Array]:
        """Return the variances of a cell's own noise and of an effect.

        Args:
            own: divisors of the sum of squares of a cell's own noise, (R,): its degrees of freedom for
                the estimate, draws of chi-squared for draws of the variance.
            effect: divisors of the sum of squares of effects, (R,).
        """
        if not self.effects:
            total = own + effect
            pooled = (self.own_squares + self.effect_squares) / np.where(total > 0, total, np.nan)
            return pooled, np.zeros_like(pooled)
        variance = self.own_squares / own
        return variance, np.maximum(self.effect_squares / effect - variance, 0) / self.cells_per_effect

    def draws(self, count: int, generator: np.random.Generator) -> tuple[Array, Array]:
        """Return ``count`` draws of both variances, by the chi-squared distribution of each."""
        own, effect = (
            generator.chisquare(n, count) if n else np.zeros(count)
            for n in (self.own_freedom, self.effect_freedom)
        )
        return self.variances(own, effect)

    def warnings(self) -> list[str]:
        """Return a sentence if the cells do not scatter equally, as intervals assume."""
        if not self.uneven:
            return []
        return [
            "Cells with larger errors scatter more (rank correlation, "
            f"{p_in_words(self.uneven_p)}), but intervals assume that all scatter equally: they may be "
            "too narrow. A logarithmic loss assumes scatter proportional to the error, and --sigma "
            "gives known standard errors."
        ]

    def as_record(self) -> dict[str, object]:
        """Return the noise for ``fit.json``; standard deviations are None without spare cells."""
        known = [float(value) if np.isfinite(value) else None for value in self.standard_deviations]
        return {
            "shared": self.shared,
            "p_value": self.p_value,
            "uneven_p_value": self.uneven_p,
            "own_sd": known[0],
            "effect_sd": known[1],
            "own_freedom": self.own_freedom,
            "effect_freedom": self.effect_freedom,
        }


def measure_noise(fitted: Estimate) -> Noise:
    """Return the noise of a fit's cells, and whether language models share it."""
    used = fitted.cells.used
    root = np.sqrt(fitted.cells.weight[used])
    residual = fitted.loss.residuals(fitted.cells.Y, fitted.predicted())[used] * root
    jacobian = scaled_jacobian(fitted)[used]
    models = fitted.cells.language_models[used]
    law = orthonormal_basis(jacobian, RANK)
    squares = float((outside(law, residual) ** 2).sum())
    levels = np.unique(models)
    if len(levels) * len(residual) > MOST_EFFECTS:
        return Noise(None, False, squares, len(residual) - law.shape[1], 0.0, 0, 1.0)
    effects = outside(law, (models[:, None] == levels) * root[:, None])
    left, singular, _ = np.linalg.svd(effects, full_matrices=False)
    kept = singular**2 > LEAST_HELD * max(len(residual) / len(levels), 1)
    freedom = int(kept.sum()), len(residual) - law.shape[1] - int(kept.sum())
    explained = float(((left[:, kept].T @ residual) ** 2).sum())
    own = max(squares - explained, 0.0)
    per_effect = float((singular[kept] ** 2).mean()) if kept.any() else 1.0
    exact = squares <= EXACT * float((fitted.cells.weight * fitted.cells.Y**2).sum())
    p_value = None
    if min(freedom) > 0 and not exact:
        ratio = (explained / freedom[0]) / (own / freedom[1]) if own > 0 else np.inf
        from scipy.special import fdtrc

        p_value = float(fdtrc(*freedom, ratio))
    allowed = p_value is not None and p_value < ALLOWED
    uneven = None if exact else _uneven(fitted.predicted()[used], residual, law)
    return Noise(p_value, allowed, own, freedom[1], explained, freedom[0], per_effect, uneven)


def _uneven(predicted: Array, residual: Array, law: Array) -> float | None:
    """Return the one-sided p value of a test that residuals grow with the predicted error.

    The test is Spearman's rank correlation of predictions with absolute residuals, each divided by the
    share that the law leaves of it. Ranks make it valid for noise of any distribution.
    """
    kept = np.sqrt(np.maximum(1 - (law**2).sum(axis=1), LEAST_HELD))
    x, y = (_ranks(values) for values in (predicted, np.abs(residual) / kept))
    spread, freedom = float(np.sqrt((x @ x) * (y @ y))), len(x) - 2
    if (
        len(x) - law.shape[1] < LEAST_SPARE
        or spread == 0
        or np.ptp(predicted) <= ROUNDING * np.abs(predicted).max()
    ):
        return None
    correlation = float(np.clip(x @ y / spread, ROUNDING - 1, 1 - ROUNDING))
    from scipy.special import stdtr

    return float(stdtr(freedom, -correlation * np.sqrt(freedom / (1 - correlation**2))))


def _ranks(values: Array) -> Array:
    """Return ranks minus their mean; equal values share a rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.ravel()]
    return np.asarray(ranks - ranks.mean())
