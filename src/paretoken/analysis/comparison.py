"""All fits of a study in one table, and published parameters beside fitted ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import StudyResults
from paretoken.study.published import PAPER_Q


def fit_table(results: StudyResults) -> pd.DataFrame:
    """Return one row per fit: parameters with intervals, quality, and errors on held-out sizes."""
    rows = [_fit_row(suite, variant, fit) for (suite, variant), fit in results.fits.items()]
    order = {suite.name: i for i, suite in enumerate(results.study.suites)}
    return (
        pd.DataFrame(rows)
        .sort_values(
            ["suite", "variant"], key=lambda c: c.map(order) if c.name == "suite" else c, kind="stable"
        )
        .reset_index(drop=True)
    )


def _fit_row(suite: str, variant: str, fit: FittedLaw) -> dict[str, Any]:
    record = fit.record
    held = record["holdout"].get("leave_largest_n_out") or {}
    row: dict[str, Any] = {
        "suite": suite,
        "variant": variant,
        "law": record["law"],
        "method": record["method"],
        "n_points": record["n_points"],
        "status": record["status"],
        "objective": record["objective"],
        "rmse": record["rmse"],
        "aicc": record["information"]["aicc"],
        "bic": record["information"]["bic"],
        "largest_n_out_error": (held.get("law") or {}).get("mean_abs_relative_error"),
        "largest_n_out_last_value": (held.get("last_value") or {}).get("mean_abs_relative_error"),
        "largest_n_out_log_linear": (held.get("log_linear") or {}).get("mean_abs_relative_error"),
    }
    for name, value in (
        *record["parameters"].items(),
        ("alpha_over_beta", record["alpha_over_beta"]),
    ):
        row |= _with_interval(name, value, record["intervals"].get(name))
    Q = f"{PAPER_Q:g}"
    star = (record["v_star"] or {}).get(Q)
    interval = record["intervals"].get("v_star", {}).get(Q)
    return row | _with_interval(f"v_star_q{Q}", star, interval)


def _with_interval(name: str, value: float | None, interval: Any) -> dict[str, float | None]:
    low, high = (interval["low"], interval["high"]) if interval else (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def published_table(results: StudyResults) -> pd.DataFrame:
    """Return published and fitted parameters, with their difference in standard errors of the fit.

    The standard error is the standard deviation of the bootstrap draws; it is empty without draws.
    """
    columns = [
        "suite",
        "quantity",
        "published",
        "source",
        "flag",
        "variant",
        "fitted",
        "low",
        "high",
        "standard_error",
        "difference_in_se",
    ]
    rows = []
    for (suite, variant), fit in results.fits.items():
        for name in ("K", "D", "alpha", "beta", "exponent_ratio"):
            rows += _published_row(results, suite, variant, fit, name)
    return pd.DataFrame(rows, columns=columns)


def _published_row(
    results: StudyResults, suite: str, variant: str, fit: FittedLaw, quantity: str
) -> list[dict[str, Any]]:
    published = results.value(suite, quantity)
    is_ratio = quantity == "exponent_ratio"
    if published is None or "K" not in fit.parameters or not (is_ratio or quantity in fit.parameters):
        return []
    key = "alpha_over_beta" if is_ratio else quantity
    fitted = fit.record["alpha_over_beta"] if is_ratio else fit.parameters[quantity]
    interval = fit.record["intervals"].get(key) or {"low": None, "high": None}
    error = standard_error(fit, key)
    values = results.values
    origin = values[(values["suite"] == suite) & (values["quantity"] == quantity)].iloc[0]
    difference = (published - fitted) / error if error and fitted is not None else None
    return [
        {
            "suite": suite,
            "quantity": quantity,
            "published": published,
            "source": origin["source"],
            "flag": origin.get("flag"),
            "variant": variant,
            "fitted": fitted,
            "low": interval["low"],
            "high": interval["high"],
            "standard_error": error,
            "difference_in_se": difference,
        }
    ]


def standard_error(fit: FittedLaw, name: str) -> float | None:
    """Return the standard deviation of the headline draws of a parameter or of alpha_over_beta."""
    if len(fit.draws) < 2:
        return None
    if name == "alpha_over_beta":
        draws = fit.law.exponent_ratio(fit.draws)
    else:
        draws = fit.draws[:, fit.law.parameters.index(name)]
    return float(np.std(draws, ddof=1)) if np.isfinite(draws).all() else None


def predictions(results: StudyResults) -> pd.DataFrame:
    """Return the headline law's predictions for sizes outside its fit, with 95 % intervals.

    ``low`` and ``high`` are the interval of the mean error. ``measured_low`` and ``measured_high`` are
    the interval of the error of a newly trained model; compare a measurement with this one.

    Sizes are those under `predict:` and `holdout:`, and token counts are those of the grid. ``measured``
    and ``published_curve`` hold the cell's measurement and the paper's curve, if they are known.
    """
    study = results.study
    tokens = sorted({v for entry in study.compressors for v in entry.tokens if v > 0})
    columns = [
        "suite",
        "llm",
        "params_b",
        "visual_tokens",
        "predicted",
        "low",
        "high",
        "measured_low",
        "measured_high",
        "published_curve",
        "measured",
    ]
    rows = []
    for suite in study.suites:
        fit, cells = results.headline(suite.name), results.cells(suite.name)
        for llm in (*study.holdout, *study.predict):
            N = results.frozen.params_b(llm)
            V_all = np.array(tokens, dtype=float)
            low, high = fit.interval(N, V_all)
            measured_low, measured_high = fit.measurement_interval(N, V_all)
            for i, V in enumerate(tokens):
                measured = cells[(cells["llm"] == llm) & (cells["visual_tokens"] == V)]["error"]
                rows.append(
                    {
                        "suite": suite.name,
                        "llm": llm,
                        "params_b": N,
                        "visual_tokens": V,
                        "predicted": float(fit.predict(N, V)),
                        "low": low[i],
                        "high": high[i],
                        "measured_low": measured_low[i],
                        "measured_high": measured_high[i],
                        "published_curve": published_curve(results, suite.name, N, V),
                        "measured": measured.mean() if len(measured) else None,
                    }
                )
    return pd.DataFrame(rows, columns=columns)


def published_curve(results: StudyResults, suite: str, N: float, V: float) -> float | None:
    """Return K N^-alpha V^-beta + D with the published parameters; None if one is missing."""
    K, alpha, beta, D = (results.value(suite, name) for name in ("K", "alpha", "beta", "D"))
    if K is None or alpha is None or beta is None or D is None:
        return None
    return float(K * N**-alpha * V**-beta + D)
