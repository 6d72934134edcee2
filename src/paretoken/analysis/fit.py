"""A fit with everything a reader needs to trust or doubt it: the content of ``fit.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from paretoken.analysis.cells import CellData, Cells
from paretoken.analysis.diagnostics import (
    bound_warnings,
    conditioning,
    data_warnings,
    information,
    is_constant,
    outliers,
    profile_warnings,
    status_of,
)
from paretoken.analysis.estimate import Estimate, estimate
from paretoken.analysis.grid_search import search
from paretoken.analysis.holdout import hold_outs
from paretoken.analysis.laws.base import Array, Law
from paretoken.analysis.losses import HUBER_DELTA, Loss, make_loss
from paretoken.analysis.optimum import optimal_tokens
from paretoken.analysis.profiles import is_flat, profile, profiled_parameters
from paretoken.analysis.resample import (
    CLUSTER,
    LEVEL,
    METHODS,
    RESIDUAL,
    Draws,
    draw,
    percentiles,
)
from paretoken.analysis.solver import default_bounds
from paretoken.errors import UserError
from paretoken.provenance import versions
from paretoken.registry import LAWS

#: Intervals narrower than this are rounding (noise-free data).
NOISE = 1e-9


@dataclass(frozen=True)
class FitOptions:
    """What ``paretoken fit`` can be told.

    Attributes:
        law: a registered law.
        loss: one of `paretoken.analysis.losses.LOSSES`.
        huber_delta: where the Huber losses turn linear, in the unit of the residual.
        method: ``exact`` or the paper's ``grid``.
        bootstrap: replicates per method; 0 for no intervals.
        seed: of the bootstrap.
        text_tokens: the Q for which V* is reported.
        law_text_tokens: Q inside the error, for laws with T = Q + V.
        held_out: sizes N that the fit must not see.
    """

    law: str = "product"
    loss: str = "squared"
    huber_delta: float = HUBER_DELTA
    method: str = "exact"
    bootstrap: int = 1000
    seed: int = 0
    text_tokens: tuple[float, ...] = (0, 25, 50, 100, 200)
    law_text_tokens: float = 50
    held_out: tuple[float, ...] = ()


def fit_record(data: CellData, options: FitOptions) -> dict[str, Any]:
    """Fit and describe; the result is plain JSON and the same each time.

    Raises:
        FitError: the cells cannot determine the law.
        UserError: the options contradict each other or the data.
    """
    law, loss = LAWS.load(options.law), make_loss(options.loss, options.huber_delta)
    cells = _without(data.cells.sorted(), options.held_out)
    inside = law.text_in_error
    fitted, extra = _fitted(cells, law, loss, options)
    draws = _draws(fitted, options)
    widened = _widened(law, draws)
    headline = _headline(draws, widened)
    return {
        "law": law.name,
        "formula": law.formula,
        "method": options.method,
        "loss": loss.name,
        "huber_delta": loss.delta if "huber" in loss.name else None,
        "text_tokens_in_law": options.law_text_tokens if inside else None,
        "parameters": fitted.parameters,
        "bounds": _bounds(law),
        "alpha_over_beta": None if is_constant(fitted) else _finite(_ratio(fitted)),
        "v_star": _v_star(fitted, options.text_tokens),
        "status": status_of(fitted).value,
        "warnings": [
            *extra.pop("warnings"),
            *bound_warnings(fitted),
            *data_warnings(fitted, data.flagged),
            *_clustering_warning(widened),
        ],
        "notes": _notes(law),
        "objective": fitted.objective,
        "rmse": float(np.sqrt(np.mean((fitted.predicted() - cells.Y)[cells.used] ** 2))),
        "n_points": int(cells.used.sum()),
        "intervals": _intervals(fitted, draws, options.text_tokens),
        "bootstrap": _bootstrap_record(draws, headline, options),
        **extra,
        "information": information(fitted),
        "conditioning": conditioning(fitted),
        "outliers": outliers(fitted),
        "data": data.provenance | _levels(data.cells, options.held_out),
        "versions": versions("numpy", "scipy", "pandas"),
        "seed": options.seed,
        "draws": _kept_draws(headline),
    }


def _fitted(cells: Cells, law: Law, loss: Loss, options: FitOptions) -> tuple[Estimate, dict[str, Any]]:
    """Return the estimate and the parts of the record that depend on the method."""
    exact = estimate(cells, law, loss, options.law_text_tokens)
    if options.method == "grid":
        return _on_grid(exact)
    profiles = [profile(exact, name) for name in profiled_parameters(exact)]
    return exact, {
        "warnings": profile_warnings(exact, profiles),
        "profile": {p.name: p.as_record(law.parameters, is_flat(exact, p)) for p in profiles},
        "holdout": hold_outs(exact) | {"excluded_from_fit": list(options.held_out)},
        "search": {"starts": exact.starts, "reached": exact.reached},
    }


def _on_grid(exact: Estimate) -> tuple[Estimate, dict[str, Any]]:
    if exact.law.name != "product":
        raise UserError("--method grid is the paper's search, defined for --law product only")
    found = search(exact.cells, exact.loss)
    values = np.array([[found.parameters[name] for name in exact.law.parameters]])
    on_grid = Estimate(
        exact.cells,
        exact.law,
        exact.loss,
        exact.text_tokens,
        centred=exact.law.center(values, *exact.centre)[0],
        objective=found.objective,
        converged=True,
        starts=found.points,
        reached=1,
    )
    excess = 100 * (found.objective / exact.objective - 1) if exact.objective else np.inf
    above = f"The grid's best objective is {excess:.3g} % above the exact minimum."
    return on_grid, {
        "warnings": [*found.warnings(), above],
        "profile": {},
        "holdout": {"reason": "not computed on the grid; use --method exact"},
        "search": {"points": found.points, "edges": list(found.edges)},
        "exact": {"parameters": exact.parameters, "objective": exact.objective},
    }


def _without(cells: Cells, held_out: tuple[float, ...]) -> Cells:
    missing = sorted(set(held_out) - set(cells.N.tolist()))
    if missing:
        sizes = ", ".join(f"{n:g}" for n in np.unique(cells.N))
        raise UserError(f"cannot hold out N = {missing[0]:g}: the table has N = {sizes}")
    return cells.reweighted(np.where(np.isin(cells.N, held_out), 0.0, cells.weight))


def _draws(fitted: Estimate, options: FitOptions) -> list[Draws]:
    if not options.bootstrap or options.method == "grid":
        return []
    return [draw(fitted, method, options.bootstrap, options.seed) for method in METHODS]


def _headline(draws: list[Draws], widened: list[str]) -> Draws | None:
    """Return the draws that bands of predictions come from: by residuals, or by whole sizes.

    Residuals give the right coverage if every cell has noise of its own, and about half of it for
    alpha if the cells of one size share theirs; then whole sizes are what is resampled.
    """
    wanted = CLUSTER if widened else RESIDUAL
    return next((d for d in draws if d.method == wanted), None)


def _widened(law: Law, draws: list[Draws]) -> list[str]:
    """Return the slopes whose interval grows by half or more when whole sizes are resampled."""
    if not draws:
        return []
    at = {name: law.parameters.index(name) for name in law.exponents or law.linear[1:]}
    columns = {n: {d.method: d.values[:, i] for d in draws} for n, i in at.items()}
    columns["alpha_over_beta"] = {d.method: law.exponent_ratio(d.values) for d in draws}
    widths = {n: (_width(c[RESIDUAL]), _width(c[CLUSTER])) for n, c in columns.items()}
    return [n for n, (plain, whole) in widths.items() if NOISE < plain < np.inf and whole >= 1.5 * plain]


def _width(values: Array) -> float:
    low, high = percentiles(values)
    return np.inf if low is None or high is None else high - low


def _intervals(fitted: Estimate, draws: list[Draws], text: tuple[float, ...]) -> dict[str, Any]:
    """Return the interval of each parameter, of alpha / beta and of V*(Q)."""
    if not draws:
        return {}
    law = fitted.law
    columns = {name: [d.values[:, i] for d in draws] for i, name in enumerate(law.parameters)}
    ratios = [law.exponent_ratio(d.values) for d in draws]
    columns["alpha_over_beta"] = ratios
    record: dict[str, Any] = {n: _interval(draws, c) for n, c in columns.items()}
    if law.constant_optimum:
        low, high = _token_range(fitted)
        stars = {Q: [optimal_tokens(law, r, Q, low, high) for r in ratios] for Q in text}
        record["v_star"] = {f"{Q:g}": _interval(draws, c) for Q, c in stars.items()}
    return record


def _interval(draws: list[Draws], columns: list[Array]) -> dict[str, Any]:
    """Return the hull of the methods' intervals, and each method's own; None is unbounded."""
    by_method = {d.method: percentiles(c) for d, c in zip(draws, columns, strict=True)}
    lows, highs = zip(*by_method.values(), strict=True)
    low = None if None in lows else min(lows)
    return {"low": low, "high": None if None in highs else max(highs), **by_method}


def _bootstrap_record(draws: list[Draws], headline: Draws | None, options: FitOptions) -> dict[str, Any]:
    return {
        "level": LEVEL,
        "replicates": options.bootstrap if draws else 0,
        "headline": headline.method if headline else None,
        "unusable": {d.method: d.unusable for d in draws},
    }


def _kept_draws(headline: Draws | None) -> list[list[float]]:
    """Return the headline draws, to nine digits: frontier and figures make their bands of them."""
    rows = headline.values.tolist() if headline else []
    return [[float(f"{v:.9g}") for v in row] for row in rows]


def _clustering_warning(widened: list[str]) -> list[str]:
    if not widened:
        return []
    return [
        f"Resampling whole model sizes widens the interval of {' and '.join(widened)} by half or more: "
        "cells of one size seem to share noise, so bands of predictions are by resampling sizes."
    ]


def _ratio(fitted: Estimate) -> float:
    return float(fitted.law.exponent_ratio(fitted.values[None])[0])


def _v_star(fitted: Estimate, text: tuple[float, ...]) -> dict[str, float] | None:
    if not fitted.law.constant_optimum or is_constant(fitted):
        return None
    ratio = fitted.law.exponent_ratio(fitted.values[None])
    low, high = _token_range(fitted)
    return {f"{Q:g}": float(optimal_tokens(fitted.law, ratio, Q, low, high)[0]) for Q in text}


def _token_range(fitted: Estimate) -> tuple[float, float]:
    seen = fitted.cells.V[fitted.cells.used]
    return float(seen.min()), float(seen.max())


def _levels(cells: Cells, held_out: tuple[float, ...]) -> dict[str, Any]:
    return {
        "levels": {
            "N": [float(n) for n in np.unique(cells.N)],
            "V": [float(v) for v in np.unique(cells.V)],
        },
        "held_out": list(held_out),
    }


def _bounds(law: Law) -> dict[str, list[float | None]]:
    lower, upper = default_bounds(law, 1)
    ends = zip(law.parameters, lower[0], upper[0], strict=True)
    return {name: [_finite(low), _finite(high)] for name, low, high in ends}


def _notes(law: Law) -> list[str]:
    notes = []
    if law.linear[0] == "K":
        notes.append("Only K = A B is identifiable; the paper's A and B are not.")
    if not law.constant_optimum:
        notes.append(f"The optimal V of {law.name} depends on the budget; see the frontier.")
    return notes


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
