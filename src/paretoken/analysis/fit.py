"""Make the record of a fit, ``fit.json``, with everything that is needed to judge it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from paretoken.analysis.cells import CellData, Cells
from paretoken.analysis.data_warnings import data_warnings, range_warnings
from paretoken.analysis.diagnostics import (
    bound_warnings,
    conditioning,
    goodness,
    information,
    is_constant,
    outliers,
    profile_warnings,
    status_of,
)
from paretoken.analysis.effects import effects
from paretoken.analysis.estimate import Estimate, estimate
from paretoken.analysis.grid_search import estimate_on_grid
from paretoken.analysis.holdout import hold_outs
from paretoken.analysis.intervals import resample, v_star
from paretoken.analysis.law_comparison import compare_laws
from paretoken.analysis.law_words import warnings as law_warnings
from paretoken.analysis.laws.base import Law
from paretoken.analysis.losses import HUBER_DELTA, Loss, make_loss
from paretoken.analysis.possible import possible_errors, require_possible
from paretoken.analysis.profiles import Profile, is_flat, profile, profiled_parameters
from paretoken.analysis.restrictions import contradicted, contradiction, equal_slopes
from paretoken.analysis.solver import default_bounds
from paretoken.analysis.trade import trade_warnings
from paretoken.config.constraints import NOTHING, Constraints
from paretoken.errors import UserError
from paretoken.io.versions import versions
from paretoken.registry import LAWS


@dataclass(frozen=True)
class FitOptions:
    """The options of ``paretoken fit``.

    Attributes:
        law: a registered law.
        loss: one of `paretoken.analysis.losses.LOSSES`.
        huber_delta: the residual at which the Huber losses become linear.
        method: ``exact`` or the paper's ``grid``.
        bootstrap: replicates per method; 0 for no intervals.
        seed: of the bootstrap.
        text_tokens: the values of Q for which V* is reported.
        law_text_tokens: Q inside the error, for laws with T = Q + V.
        held_out: sizes N that are left out of the fit.
        constraints: what is assumed about its parameters.
        compare: whether all registered laws are fitted too, and compared with this one.
        losses: whether errors may exceed 1 although none does; otherwise they are treated as shares
            then.
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
    constraints: Constraints = NOTHING
    compare: bool = False
    losses: bool = False


def fit_record(data: CellData, options: FitOptions) -> dict[str, Any]:
    """Fit a law and return the record: plain JSON, the same for the same input.

    Raises:
        FitError: the cells cannot determine the law.
        UserError: the options contradict each other or the data.
    """
    law: Law = LAWS.load(options.law).constrained(options.constraints)
    loss = make_loss(options.loss, options.huber_delta)
    cells = _without(data.cells.sorted(), options.held_out)
    require_possible(cells, law, options.losses)
    fitted, profiles, extra = _fitted(cells, law, loss, options)
    resampled = options.bootstrap if options.method == "exact" else 0
    uncertainty = resample(fitted, resampled, options.seed)
    tested = effects(fitted, uncertainty.noise.effects)
    compared = options.compare and options.method == "exact"
    laws = compare_laws(fitted, options.text_tokens) if compared else None
    assumed_p = contradiction(fitted)
    cautions = [
        *range_warnings(fitted),
        *law_warnings(laws),
        *contradicted(fitted, assumed_p),
        *uncertainty.noise.warnings(),
        *[found.in_words() for found in tested.values() if not found.falls],
    ]
    record: dict[str, Any] = {
        **_specification(law, loss, options, assumed_p),
        **_estimates(fitted, options),
        "warnings": [
            *extra.pop("warnings"),
            *bound_warnings(fitted),
            *data_warnings(fitted, data.flagged, data.repeated),
            *uncertainty.warnings(),
            *cautions,
        ],
        "cautions": cautions,
        "notes": _notes(law, cells),
        "laws": laws,
        "objective": fitted.objective,
        **goodness(fitted),
        "n_points": int(cells.used.sum()),
        "noise": uncertainty.noise.as_record(),
        "effects": {name: found.as_record() for name, found in tested.items()},
        "possible_errors": possible_errors(cells, options.losses),
        "intervals": uncertainty.intervals(options.text_tokens, profiles, equal_slopes(fitted)),
        "bootstrap": uncertainty.record(resampled),
        **extra,
        "information": information(fitted),
        "conditioning": conditioning(fitted),
        "outliers": outliers(fitted),
        "data": data.provenance | _levels(data.cells, options.held_out),
        "versions": versions("numpy", "scipy", "pandas"),
        "seed": options.seed,
        "draws": uncertainty.kept_draws(),
        "noise_draws": uncertainty.kept_noise(),
    }
    return record | {"warnings": [*record["warnings"], *trade_warnings(record)]}


def _specification(law: Law, loss: Loss, options: FitOptions, assumed_p: float | None) -> dict[str, Any]:
    return {
        "law": law.name,
        "formula": law.formula,
        "method": options.method,
        "loss": loss.name,
        "huber_delta": loss.delta if "huber" in loss.name else None,
        "text_tokens_in_law": options.law_text_tokens if law.text_in_error else None,
        "constraints": law.constraints.as_record() | {"p_value": assumed_p},
    }


def _estimates(fitted: Estimate, options: FitOptions) -> dict[str, Any]:
    return {
        "parameters": fitted.parameters,
        "bounds": _bounds(fitted.law),
        "alpha_over_beta": None if is_constant(fitted) else _finite(_ratio(fitted)),
        "v_star": v_star(fitted, options.text_tokens),
        "status": status_of(fitted).value,
    }


def _fitted(
    cells: Cells, law: Law, loss: Loss, options: FitOptions
) -> tuple[Estimate, list[Profile], dict[str, Any]]:
    """Return the estimate, its profiles, and the parts of the record that depend on the method."""
    exact = estimate(cells, law, loss, options.law_text_tokens)
    if options.method == "grid":
        on_grid, extra = estimate_on_grid(exact)
        return on_grid, [], extra
    profiles = [profile(exact, name) for name in profiled_parameters(exact)]
    return (
        exact,
        profiles,
        {
            "warnings": profile_warnings(exact, profiles),
            "profile": {p.name: p.as_record(law.parameters, is_flat(exact, p)) for p in profiles},
            "holdout": hold_outs(exact) | {"excluded_from_fit": list(options.held_out)},
            "search": {"starts": exact.starts, "reached": exact.reached},
        },
    )


def _without(cells: Cells, held_out: tuple[float, ...]) -> Cells:
    missing = sorted(set(held_out) - set(cells.N.tolist()))
    if missing:
        sizes = ", ".join(f"{n:g}" for n in np.unique(cells.N))
        raise UserError(f"cannot hold out N = {missing[0]:g}: the table has N = {sizes}")
    return cells.reweighted(np.where(np.isin(cells.N, held_out), 0.0, cells.weight))


def _ratio(fitted: Estimate) -> float:
    return float(fitted.law.exponent_ratio(fitted.values[None])[0])


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


def _notes(law: Law, cells: Cells) -> list[str]:
    notes = []
    if np.ptp(cells.weight[cells.used]) > 0:
        notes.append(
            "The cells have different weights: the interval of a new measurement assumes the mean "
            "variance of the fitted cells."
        )
    if law.linear[0] == "K":
        notes.append("Only K = A B is identifiable; the paper's A and B are not.")
    if law.constraints.taken:
        notes.append(
            "Ties and fixed values were assumed: intervals of these parameters do not show what the "
            "data say about them."
        )
    if not law.slopes:
        notes.append("A constant depends on neither N nor V: there is no optimal V.")
    elif not law.constant_optimum:
        notes.append(f"The optimal V of {law.name} depends on the budget; see the frontier.")
        notes.append(
            f"Each exponent of {law.name} belongs to its own term: alpha / beta is not an exchange rate "
            "between N and V, and the exponents are not comparable with those of a product."
        )
    return notes


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
