"""Intervals of the parameters, of alpha / beta and of V*, by the draws that match the noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paretoken.analysis.closed_form_optimum import optimal_tokens
from paretoken.analysis.diagnostics import is_constant
from paretoken.analysis.estimate import Estimate
from paretoken.analysis.noise import Noise, measure_noise
from paretoken.analysis.profiles import Profile
from paretoken.analysis.resample import EFFECTS, METHODS, RESIDUAL, Draws, draw, percentiles
from paretoken.analysis.significance import LEVEL, SIGNIFICANT, p_in_words
from paretoken.io.arrays import Array
from paretoken.io.text_tables import counted

#: Number of replicates below which the ends of a 95 % interval rest on one or two draws.
FEW = 100


@dataclass(frozen=True)
class Uncertainty:
    """The uncertainty of one fit: its noise and the draws of every method (none without a bootstrap)."""

    fitted: Estimate
    noise: Noise
    draws: Sequence[Draws]

    @property
    def headline(self) -> Draws | None:
        """The draws that match the noise of the cells; all intervals that are shown come from them."""
        return next((d for d in self.draws if d.method == matching_method(self.noise)), None)

    def warnings(self) -> list[str]:
        """Return warnings about shared noise, and about draws that are too few or impossible."""
        sentences = []
        if self.noise.shared:
            sentences.append(
                "Cells of one language model deviate from the law together (F test, "
                f"{p_in_words(self.noise.p_value)}): they share noise, or the law misses how the error "
                "depends on N. The intervals allow for an effect of each language model."
            )
        if self.headline is not None and 0 < len(self.headline.values) < FEW:
            sentences.append(
                f"Intervals rest on {counted(len(self.headline.values), 'bootstrap replicate')} and are "
                "coarse; 1000 replicates are usual."
            )
        if self.draws and not self.noise.freedom:
            sentences.append("There are as many parameters as cells: the noise cannot be estimated.")
        return sentences

    def intervals(
        self,
        text_tokens: Sequence[float],
        profiles: Sequence[Profile] = (),
        equal_p: float | None = None,
    ) -> dict[str, Any]:
        """Return the interval of each parameter, of alpha / beta and of V* at each Q.

        It is empty without draws that match the noise, for example with as few cells as parameters. If
        the noise is independent, the interval of a profiled parameter is that of its profile: draws of
        an exponent are skewed if the floor is 0 or nearly so, and their percentiles exclude the truth
        too often on one side. For the same reason, the interval of alpha / beta includes 1 unless an F
        test excludes it. Assumed values have no interval.

        Args:
            text_tokens: the Q of each V*.
            profiles: the profiles of parameters of the fit.
            equal_p: the p value of alpha = beta, see `paretoken.analysis.restrictions.equal_slopes`.
        """
        if self.headline is None or not len(self.headline.values):
            return {}
        law = self.fitted.law
        fixed = {name for name, _ in law.constraints.fixed}
        record: dict[str, Any] = {
            name: self._interval([d.values[:, i] for d in self.draws])
            for i, name in enumerate(law.parameters)
            if name not in fixed
        }
        for item in () if self.noise.effects else profiles:
            record[item.name] |= _by_profile(record[item.name], item)
        if law.constraints.tied:
            first, second = law.constraints.tied
            record[second] = record[first]
        if not law.slopes or law.constraints.of(law.slopes).sets_ratio:
            return record
        ratios = [law.exponent_ratio(d.values) for d in self.draws]
        ratio = self._interval(ratios)
        record["alpha_over_beta"] = ratio
        if equal_p is not None and equal_p >= SIGNIFICANT:
            ratio |= _holding_one(ratio["low"], ratio["high"])
        if law.constant_optimum:
            ends = _token_range(self.fitted)
            stars = {Q: [optimal_tokens(law, r, Q, *ends) for r in ratios] for Q in text_tokens}
            record["v_star"] = {f"{Q:g}": self._interval(c) for Q, c in stars.items()}
        return record

    def _interval(self, columns: Sequence[Array]) -> dict[str, Any]:
        """Return the interval by the headline draws and that of each method; None is unbounded."""
        by_method = {d.method: percentiles(c) for d, c in zip(self.draws, columns, strict=True)}
        low, high = by_method[matching_method(self.noise)]
        return {"low": low, "high": high, **by_method}

    def record(self, replicates: int) -> dict[str, Any]:
        """Return the settings of the bootstrap for ``fit.json``."""
        return {
            "level": LEVEL,
            "replicates": replicates,
            "headline": self.headline.method if self.headline else None,
            "unusable": {d.method: d.unusable for d in self.draws},
        }

    def kept_draws(self) -> list[list[float]]:
        """Return the headline draws, to nine digits; intervals of predictions are computed from them."""
        return [_nine_digits(row) for row in self.headline.values.tolist()] if self.headline else []

    def kept_noise(self) -> list[float]:
        """Return the standard deviation of a new measurement in each headline draw, to nine digits."""
        return _nine_digits(self.headline.noise.tolist()) if self.headline else []


def _by_profile(interval: Mapping[str, Any], item: Profile) -> dict[str, float | None]:
    """Return the ends of a profile's interval; where it is not closed, the draws may extend it."""
    if item.interval is None:
        return {}
    ends: dict[str, float | None] = {}
    for name, end, closed, outer in zip(
        ("low", "high"), item.interval, item.closed, (min, max), strict=True
    ):
        drawn = interval[name]
        ends[name] = end if closed else None if drawn is None else outer(end, drawn)
    return ends


def _holding_one(low: float | None, high: float | None) -> dict[str, float | None]:
    """Return the ends of an interval of alpha / beta, extended to include 1; None is unbounded."""
    return {
        "low": 1.0 if low is None else min(low, 1.0),
        "high": None if high is None else max(high, 1.0),
    }


def matching_method(noise: Noise) -> str:
    """Return the method of resampling that matches the noise of the cells."""
    return EFFECTS if noise.effects else RESIDUAL


def _nine_digits(row: Sequence[float]) -> list[float]:
    return [float(f"{value:.9g}") for value in row]


def resample(fitted: Estimate, replicates: int, seed: int) -> Uncertainty:
    """Refit ``replicates`` resampled data sets per method; 0 for none."""
    noise = measure_noise(fitted)
    methods = dict.fromkeys([*METHODS, matching_method(noise)]) if replicates else ()
    return Uncertainty(fitted, noise, [draw(fitted, method, replicates, seed) for method in methods])


def v_star(fitted: Estimate, text_tokens: Sequence[float]) -> dict[str, float] | None:
    """Return V* at each Q; None if it depends on the budget or the fitted law is constant."""
    law = fitted.law
    if not law.constant_optimum or is_constant(fitted):
        return None
    ratio = law.exponent_ratio(fitted.values[None])
    ends = _token_range(fitted)
    return {f"{Q:g}": float(optimal_tokens(law, ratio, Q, *ends)[0]) for Q in text_tokens}


def _token_range(fitted: Estimate) -> tuple[float, float]:
    seen = fitted.cells.V[fitted.cells.used]
    return float(seen.min()), float(seen.max())
