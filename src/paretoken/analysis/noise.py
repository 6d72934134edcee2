"""How large the noise of the cells is, and whether the cells of one language model share a part of it.

The residuals of a fit are compared with those of the same fit plus one effect per language model. Where
effects explain more than chance would (an F test), every cell has the noise of its model and one of its
own; otherwise only one of its own. The two variances follow from the two sums of squares (the moments of
a variance components model, Searle, Casella and McCulloch 1992, section 5.3), and their uncertainty from
chi-squared distributions, which makes intervals those of Student where a law is linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoken.analysis.estimate import Estimate
from paretoken.analysis.linearised import orthonormal_basis, outside, scaled_jacobian
from paretoken.analysis.significance import EXACT, ROUNDING, is_significant, p_in_words
from paretoken.io.arrays import Array

#: Where the test comes below this, effects are allowed for without being claimed: with few language
#: models they are often there and not significant. A level to decide on pooling (Bancroft 1964); with
#: this one what is said at equal exponents is wrong near 5 % (benchmarks/coverage.py, LOG.md).
ALLOWED = 0.4
#: Language models times cells that are compared; a table with more is continuous in N.
MOST_EFFECTS = 4_000_000
#: Effects of which the law leaves less than this share of a model's cells are the law's own.
LEAST_HELD = 0.1
#: Singular values below this share of the largest are 0.
RANK = 1e-10
#: Cells beyond the parameters of the law below which nothing is said of how they scatter.
LEAST_SPARE = 4


@dataclass(frozen=True)
class Noise:
    """The noise of a fit's cells, in the unit of the residuals and of a cell with weight 1.

    Attributes:
        p_value: of the F test for effects of language models; None if the cells cannot test it.
        effects: whether effects of language models are allowed for.
        own_squares: sum of squares that neither the law nor effects explain.
        own_freedom: its degrees of freedom.
        effect_squares: sum of squares that effects of language models explain.
        effect_freedom: its degrees of freedom.
        cells_per_effect: how many times the variance of an effect its mean square holds.
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
        """Whether cells with larger errors scatter more than chance explains."""
        return is_significant(self.uneven_p)

    @property
    def shared(self) -> bool:
        """Whether the cells of one language model lie off the law together more than chance explains."""
        return is_significant(self.p_value)

    @property
    def freedom(self) -> int:
        """The degrees of freedom of the noise of the exponents: of effects where noise is shared."""
        return self.effect_freedom if self.effects else self.own_freedom + self.effect_freedom

    @property
    def standard_deviations(self) -> tuple[float, float]:
        """The standard deviations of a cell's own noise and of an effect; NaN if no cell is spare."""
        own, effect = self.variances(
            np.array([float(self.own_freedom)]), np.array([float(self.effect_freedom)])
        )
        return float(np.sqrt(own[0])), float(np.sqrt(effect[0]))

    def variances(self, own: Array, effect: Array) -> tuple[Array, Array]:
        """Return the variances of a cell's own noise and of an effect.

        Args:
            own: what to divide the sum of squares of a cell's own noise by: its degrees of freedom for
                the estimate, draws of chi-squared for draws of the variance, (R,).
            effect: likewise that of effects, (R,).
        """
        if not self.effects:
            total = own + effect
            pooled = (self.own_squares + self.effect_squares) / np.where(total > 0, total, np.nan)
            return pooled, np.zeros_like(pooled)
        variance = self.own_squares / own
        return variance, np.maximum(self.effect_squares / effect - variance, 0) / self.cells_per_effect

    def draws(self, count: int, generator: np.random.Generator) -> tuple[Array, Array]:
        """Return ``count`` draws of both variances: as uncertain as their degrees of freedom say."""
        own, effect = (
            generator.chisquare(n, count) if n else np.zeros(count)
            for n in (self.own_freedom, self.effect_freedom)
        )
        return self.variances(own, effect)

    def warnings(self) -> list[str]:
        """Return a sentence where cells do not scatter alike, as intervals take them to."""
        if not self.uneven:
            return []
        return [
            "Cells with larger errors scatter more (rank correlation, "
            f"{p_in_words(self.uneven_p)}), and intervals take all to scatter alike: they may be too "
            "narrow. A logarithmic loss takes the scatter as proportional to the error, standard errors "
            "(--sigma) as known."
        ]

    def as_record(self) -> dict[str, object]:
        """Return the noise for ``fit.json``; standard deviations are None if no cell is spare."""
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
    """Return the p value that residuals do not grow with what is predicted (one-sided).

    By Spearman's rank correlation of absolute residuals, over what the law leaves of each, with
    predictions: of ranks, so that it holds for noise of any form.
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
    """Return ranks about their mean; equal values share one."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.ravel()]
    return np.asarray(ranks - ranks.mean())
