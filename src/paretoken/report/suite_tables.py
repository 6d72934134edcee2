"""The tables of one suite: parameters with intervals, all fits, and the best V by cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from paretoken.analysis.comparison import predictions
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.numerical_optimum import middle, optimum_table
from paretoken.analysis.resample import EFFECTS, RESIDUAL
from paretoken.analysis.scenarios import Scenario
from paretoken.analysis.study_results import StudyResults
from paretoken.io.text_tables import UNBOUNDED, range_text, size_label

#: Flag of a published value that the paper does not state itself -> its words.
SOURCES = {"inferred": "inferred", "second_hand": "second hand"}
#: Method of resampling -> the noise that it draws, in words.
WORDS = {
    RESIDUAL: "the noise of each cell",
    EFFECTS: "the noise of each language model and of each cell",
}


def interval_rows(fit: FittedLaw) -> pd.DataFrame:
    """Return the estimates and intervals of all parameters, of alpha / beta, and of V* at each Q.

    alpha / beta is included only if it alone decides between N and V under the law.
    """
    intervals = fit.record["intervals"]
    ratio = fit.record["alpha_over_beta"]
    known = fit.law.constraints
    notes = {name: "fixed" for name, _ in known.fixed} | dict.fromkeys(known.tied or (), "tied")
    rows = [_row(name, value, intervals.get(name)) for name, value in fit.parameters.items()]
    for row in rows:
        if row["parameter"] in notes:
            row["95 % interval"] = ", ".join(
                filter(None, [row["95 % interval"], notes[row["parameter"]]])
            )
    if fit.law.constant_optimum:
        shown = UNBOUNDED if ratio is None else ratio
        rows.append(_row("alpha / beta", shown, intervals.get("alpha_over_beta")))
    stars = intervals.get("v_star") or {}
    for Q, value in (fit.record["v_star"] or {}).items():
        rows.append(_row(f"V* at Q = {Q}", value, stars.get(Q)))
    return pd.DataFrame(rows)


def _row(name: str, value: Any, interval: Mapping[str, float | None] | None) -> dict[str, Any]:
    return {"parameter": name, "estimate": value, "95 % interval": _ends(interval)}


def _ends(interval: Mapping[str, float | None] | None) -> str | None:
    return range_text(interval["low"], interval["high"], ".4g") if interval else None


def drawn_by(fit: FittedLaw) -> str:
    """Return how a fit's intervals were drawn, in words."""
    method = fit.record["bootstrap"]["headline"]
    if method is None or not fit.record["intervals"]:
        return "without intervals (no bootstrap, or too few cells)"
    return f"with 95 % intervals by resampling {WORDS.get(method, method)}"


def prediction_rows(results: StudyResults, suite: str) -> pd.DataFrame:
    """Return the predicted errors of sizes that the headline law was not fitted to, a row per cell."""
    table = predictions(results)
    rows = table[table["suite"] == suite]
    return pd.DataFrame(
        {
            "model": rows["llm"],
            "V": rows["visual_tokens"],
            "predicted error": rows["predicted"],
            "mean: low": rows["low"],
            "mean: high": rows["high"],
            "new measurement: low": rows["measured_low"],
            "new measurement: high": rows["measured_high"],
            "measured": rows["measured"].astype(float),
        }
    )


def has_flags(results: StudyResults) -> bool:
    """Return whether any cell is flagged; if none is, the unflagged fits equal the others."""
    return bool((results.errors["flag"] != "").any())


def fit_rows(results: StudyResults, suite: str) -> pd.DataFrame:
    """Return one row per fit of a suite."""
    rows, flagged = [], has_flags(results)
    for (own, variant), fit in results.fits.items():
        if own != suite or (variant.endswith("-unflagged") and not flagged):
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
                "largest N held out: mean relative error, %": percent(
                    held.get("mean_abs_relative_error")
                ),
                "status": fit.record["status"],
            }
        )
    return pd.DataFrame(rows)


def published_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return published and fitted values, and whether the intervals of the fit include the former.

    Args:
        table: the rows of one fit in `published_table`.
    """
    inside = [_inside(row) for _, row in table.iterrows()]
    sources = [SOURCES.get(str(flag), "") for flag in table["flag"]]
    shown = [
        f"{value:.4g}{f' ({source})' if source else ''}"
        for value, source in zip(table["published"], sources, strict=True)
    ]
    columns = {"quantity": table["quantity"], "published": shown, "fitted": table["fitted"]}
    ends = {"low": table["low"], "high": table["high"]}
    return pd.DataFrame(columns | ends | {"published inside": inside})


def _inside(row: pd.Series[Any]) -> str | None:
    if pd.isna(row["low"]) and pd.isna(row["high"]):
        return None
    low, high = (math.inf if pd.isna(row[end]) else float(row[end]) for end in ("low", "high"))
    return "yes" if low <= row["published"] <= high else "no"


def percent(share: float | None) -> float | None:
    """Return a share in percent."""
    return None if share is None else 100 * share


def law_rows(fit: FittedLaw) -> pd.DataFrame:
    """Return one row per registered law on the cells of a fit; empty if no laws were compared.

    Q is the number of text tokens of the comparison. For laws without a closed form, V* is that at a
    medium cost.
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
                "describes the cells": "no" if row["excluded"] else "not excluded",
                "AICc above the lowest": row["aicc_difference"],
                "weight": row["weight"],
                "R² of means": row["r_squared_of_means"],
                "p of a pattern": row["pattern_p"],
                "error at largest N held out (%)": None if held is None else 100 * held,
                f"V* at Q = {compared['text_tokens']:g}": row["v_star"],
            }
        )
    return pd.DataFrame(rows)


def optimum_rows(results: StudyResults, fit: FittedLaw, ways: Sequence[Scenario]) -> pd.DataFrame:
    """Return V* with one row per cost scenario and one column per size; empty without a positive Q."""
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
