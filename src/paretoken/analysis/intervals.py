"""How sure a fit is of its parameters, of alpha / beta and of V*: three bootstraps side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from paretoken.analysis.diagnostics import is_constant
from paretoken.analysis.estimate import Estimate
from paretoken.analysis.laws.base import Array
from paretoken.analysis.optimum import optimal_tokens
from paretoken.analysis.resample import (
    CLUSTER,
    LEVEL,
    METHODS,
    RESIDUAL,
    Draws,
    draw,
    percentiles,
)

#: Intervals narrower than this are rounding (noise-free data).
NOISE = 1e-9
#: How much wider an interval by whole sizes must be to show that the cells of a size share noise.
WIDER = 1.5


@dataclass(frozen=True)
class Doubt:
    """The draws of every method for one fit; none if no bootstrap was wanted."""

    fitted: Estimate
    draws: Sequence[Draws]

    @cached_property
    def widened(self) -> list[str]:
        """The slopes whose interval grows by half or more when whole sizes are resampled."""
        if not self.draws:
            return []
        law = self.fitted.law
        at = {name: law.parameters.index(name) for name in law.exponents or law.linear[1:]}
        columns = {n: {d.method: d.values[:, i] for d in self.draws} for n, i in at.items()}
        columns["alpha_over_beta"] = {d.method: law.exponent_ratio(d.values) for d in self.draws}
        widths = {n: (_width(c[RESIDUAL]), _width(c[CLUSTER])) for n, c in columns.items()}
        return [
            name
            for name, (plain, whole) in widths.items()
            if NOISE < plain < np.inf and whole >= WIDER * plain
        ]

    @property
    def headline(self) -> Draws | None:
        """The draws that bands of predictions come from: by residuals, or by whole sizes.

        Residuals give the right coverage if every cell has noise of its own, and about half of it
        for alpha if the cells of one size share theirs; then whole sizes are what is resampled.
        """
        wanted = CLUSTER if self.widened else RESIDUAL
        return next((d for d in self.draws if d.method == wanted), None)

    def warnings(self) -> list[str]:
        """Return a sentence if whole sizes widen an interval."""
        if not self.widened:
            return []
        return [
            f"Resampling whole model sizes widens the interval of {' and '.join(self.widened)} by half "
            "or more: cells of one size seem to share noise, so bands of predictions are by "
            "resampling sizes."
        ]

    def intervals(self, text_tokens: Sequence[float]) -> dict[str, Any]:
        """Return the interval of each parameter, of alpha / beta and of V* at each Q."""
        if not self.draws:
            return {}
        law = self.fitted.law
        columns = {name: [d.values[:, i] for d in self.draws] for i, name in enumerate(law.parameters)}
        columns["alpha_over_beta"] = ratios = [law.exponent_ratio(d.values) for d in self.draws]
        record: dict[str, Any] = {name: self._interval(c) for name, c in columns.items()}
        if law.constant_optimum:
            ends = _token_range(self.fitted)
            stars = {Q: [optimal_tokens(law, r, Q, *ends) for r in ratios] for Q in text_tokens}
            record["v_star"] = {f"{Q:g}": self._interval(c) for Q, c in stars.items()}
        return record

    def _interval(self, columns: Sequence[Array]) -> dict[str, Any]:
        """Return the hull of the methods' intervals, and each method's own; None is unbounded."""
        by_method = {d.method: percentiles(c) for d, c in zip(self.draws, columns, strict=True)}
        lows, highs = zip(*by_method.values(), strict=True)
        low = None if None in lows else min(lows)
        return {"low": low, "high": None if None in highs else max(highs), **by_method}

    def record(self, replicates: int) -> dict[str, Any]:
        """Return how the intervals were made."""
        return {
            "level": LEVEL,
            "replicates": replicates,
            "headline": self.headline.method if self.headline else None,
            "unusable": {d.method: d.unusable for d in self.draws},
        }

    def kept_draws(self) -> list[list[float]]:
        """Return the headline draws, to nine digits: frontier and figures make their bands of them."""
        rows = self.headline.values.tolist() if self.headline else []
        return [[float(f"{v:.9g}") for v in row] for row in rows]


def resample(fitted: Estimate, replicates: int, seed: int) -> Doubt:
    """Refit ``replicates`` data sets of each method; 0 for none."""
    methods = METHODS if replicates else ()
    return Doubt(fitted, [draw(fitted, method, replicates, seed) for method in methods])


def v_star(fitted: Estimate, text_tokens: Sequence[float]) -> dict[str, float] | None:
    """Return V* at each Q; None if it depends on the budget or the law came out constant."""
    law = fitted.law
    if not law.constant_optimum or is_constant(fitted):
        return None
    ratio = law.exponent_ratio(fitted.values[None])
    ends = _token_range(fitted)
    return {f"{Q:g}": float(optimal_tokens(law, ratio, Q, *ends)[0]) for Q in text_tokens}


def _width(values: Array) -> float:
    low, high = percentiles(values)
    return np.inf if low is None or high is None else high - low


def _token_range(fitted: Estimate) -> tuple[float, float]:
    seen = fitted.cells.V[fitted.cells.used]
    return float(seen.min()), float(seen.max())
