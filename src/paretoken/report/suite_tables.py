"""The tables of one suite: parameters with intervals, all fits, and the best V by cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from paretoken.analysis.cost_optimum import middle, optimum_table
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.resample import METHODS
from paretoken.analysis.scenarios import Scenario
from paretoken.analysis.study_results import StudyResults
from paretoken.text_tables import size_label


def interval_rows(fit: FittedLaw) -> pd.DataFrame:
    """Return one row per parameter: its estimate and the interval of each bootstrap."""
    shown = dict(fit.parameters)
    if fit.law.constant_optimum:
        shown["alpha / beta"] = fit.record["alpha_over_beta"]
    keys = {"alpha / beta": "alpha_over_beta"}
    rows = []
    for name, value in shown.items():
        interval = fit.record["intervals"].get(keys.get(name, name), {})
        row: dict[str, Any] = {"parameter": name, "estimate": "unbounded" if value is None else value}
        rows.append(row | {method: _ends(interval.get(method)) for method in METHODS})
    return pd.DataFrame(rows)


def _ends(interval: Sequence[float | None] | None) -> str | None:
    if interval is None:
        return None
    return " to ".join("unbounded" if end is None else f"{end:.4g}" for end in interval)


def fit_rows(results: StudyResults, suite: str) -> pd.DataFrame:
    """Return one row per fit of a suite."""
    rows = []
    for (own, variant), fit in results.fits.items():
        if own != suite:
            continue
        held = (fit.record["holdout"].get("leave_largest_n_out") or {}).get("law") or {}
        rows.append(
            {
                "fit": variant,
                "cells": fit.record["n_points"],
                "alpha or a": fit.parameters.get("alpha", fit.parameters.get("a")),
                "beta or b": fit.parameters.get("beta", fit.parameters.get("b")),
                "alpha / beta": fit.record["alpha_over_beta"] if fit.law.constant_optimum else None,
                "rmse": fit.record["rmse"],
                "R² of means": fit.record["r_squared_of_means"],
                "AICc": fit.record["information"]["aicc"],
                "error at largest N held out": held.get("mean_abs_relative_error"),
                "status": fit.record["status"],
            }
        )
    return pd.DataFrame(rows)


def law_rows(fit: FittedLaw) -> pd.DataFrame:
    """Return one row per registered law on the cells of a fit; empty where none were compared.

    Q is the one at which answers were compared; V* of laws without a closed form is that at a middle
    cost.
    """
    compared = fit.record.get("laws") or {"laws": []}
    rows = []
    for row in compared["laws"]:
        if row["reason"]:
            continue
        held = row["largest_n_out"]
        rows.append(
            {
                "law": row["law"],
                "AICc above the lowest": row["aicc_difference"],
                "weight": row["weight"],
                "R² of means": row["r_squared_of_means"],
                "p of a pattern": row["pattern_p"],
                "error at largest N held out (%)": None if held is None else 100 * held,
                f"V* at Q = {compared['text_tokens']:g}": row["v_star"],
                "describes the cells": "no" if row["excluded"] else "not excluded",
            }
        )
    return pd.DataFrame(rows)


def optimum_rows(results: StudyResults, fit: FittedLaw, ways: Sequence[Scenario]) -> pd.DataFrame:
    """Return one row per way to count costs, one column per size; empty without positive Q."""
    Q = middle(results.study.text_tokens)
    if Q is None:
        return pd.DataFrame()
    table = optimum_table(fit, ways, fit.fitted_sizes, [Q])
    rows = []
    for way in ways:
        own = table[table["scenario"] == way.label]
        row: dict[str, str | None] = {f"cost of an answer at Q = {Q:g}": way.label}
        rows.append(row | {size_label(float(r["params_b"])): _star(r) for _, r in own.iterrows()})
    return pd.DataFrame(rows)


def _star(row: pd.Series[Any]) -> str | None:
    if pd.isna(row["v_star"]):
        return None
    interval = ""
    if pd.notna(row["v_star_low"]):
        interval = f" ({row['v_star_low']:.3g} to {row['v_star_high']:.3g})"
    return f"{row['v_star']:.3g}{interval}"
