"""The sections of a study's page on fits, methods, errors and claims."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pandas as pd

from paretoken.analysis.claims.verdicts import Verdict
from paretoken.analysis.comparison import published_table
from paretoken.analysis.equal_cost import tally
from paretoken.analysis.scenarios import scenarios
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.io.text_tables import MISSING, HtmlTable, counted, html_table, text_cell
from paretoken.report.methods_table import error_rows, winners
from paretoken.report.suite_tables import (
    drawn_by,
    fit_rows,
    interval_rows,
    law_rows,
    optimum_rows,
    prediction_rows,
    published_rows,
)

KINDS = {Verdict.HOLDS: "holds", Verdict.FAILS: "fails"}
#: Numbers with a negative exponent, such as 7.5e-22, which tables show as less than 0.0001.
TINY = re.compile(r"^[\d.]+e-\d+$")
#: Column of the tables of fits -> its heading on the page.
COLUMNS = {
    "parameter": "Parameter",
    "estimate": "Estimate",
    "95 % interval": "95 % interval",
    "law": "Law",
    "describes the cells": "Describes the cells",
    "weight": "Weight",
    "error at largest N held out (%)": "Mean relative error at the largest N, held out (%)",
    "fit": "Fit",
    "cells": "Cells",
    "largest N held out: mean relative error, %": "Mean relative error at the largest N, held out (%)",
    "status": "Status",
    "quantity": "Quantity",
    "published": "Published",
    "fitted": "Fitted",
    "low": "95 % interval: from",
    "high": "95 % interval: to",
    "published inside": "Interval includes the published value",
    "model": "Model",
    "predicted error": "Predicted error",
    "mean: low": "Mean: 95 % interval from",
    "mean: high": "Mean: to",
    "new measurement: low": "New measurement: 95 % interval from",
    "new measurement: high": "New measurement: to",
    "measured": "Measured",
}
METHOD_NAMES = {
    "compressor": "Method",
    "llm": "Model",
    "visual_tokens": "V",
    "error": "Error",
    "low": "95 % from",
    "high": "to",
    "seeds": "Seeds",
}
ERROR_NAMES = {
    "suite": "Suite",
    "llm": "Model",
    "params_b": "N (billions)",
    "visual_tokens": "V",
    "seed": "Seed",
    "error": "Error",
    "stderr": "Standard error",
    "flag": "Flag",
}


def suite_section(results: StudyResults, suite: Suite) -> dict[str, Any]:
    """Return the section on a suite's fits: its headline fit, sentences on laws, and tables."""
    fit = results.headline(suite.name)
    tables = [
        _table(interval_rows(fit), f"Parameters, and V* with Q text tokens, {drawn_by(fit)}"),
        _table(fit_rows(results, suite.name), "All fits of this suite"),
    ]
    published = published_table(results)
    published = published[
        (published["suite"] == suite.name) & (published["variant"] == f"{fit.law.name}-all")
    ]
    if len(published):
        caption = "Published values and those of the headline fit"
        rows = published_rows(published).replace({"quantity": {"exponent_ratio": "alpha / beta"}})
        tables.append(_table(rows, caption))
    predicted = prediction_rows(results, suite.name)
    if len(predicted):
        caption = "Model sizes that the law was not fitted to: predicted errors with 95 % intervals"
        tables.append(_table(predicted, caption))
    compared = law_rows(fit)
    if len(compared):
        tables.insert(1, _table(compared, "Which laws describe the cells"))
    ways = [replace(way, label=_capital(way.cost.words)) for way in scenarios(results.cost.deployment)]
    by_cost = optimum_rows(results, fit, ways)
    if len(by_cost):
        caption = "V* of each model size, with 95 % intervals, for each way to count the cost"
        tables.append(html_table(by_cost.rename(columns=_capital), caption))
    return {
        "title": suite.title,
        "formula": fit.law.formula,
        "loss": str(fit.record["loss"]).replace("_", " "),
        "status": fit.record["status"],
        "points": fit.record["n_points"],
        "laws": fit.record["laws"]["words"] if len(compared) else [],
        "tables": tables,
    }


def _table(frame: pd.DataFrame, caption: str) -> HtmlTable:
    table = html_table(frame.rename(columns=COLUMNS), caption)
    return replace(table, rows=[[TINY.sub("< 0.0001", text) for text in row] for row in table.rows])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def methods_section(results: StudyResults, compared: pd.DataFrame) -> dict[str, Any]:
    """Return the section on the methods of a study without laws: sentences, and a table per suite."""
    return {
        "sentences": winners(results, compared),
        "tables": [
            html_table(error_rows(results, suite.name), suite.title, METHOD_NAMES)
            for suite in results.study.suites
        ],
    }


def equal_cost_sentences(results: StudyResults, pairs: pd.DataFrame | None) -> list[str]:
    """Return a sentence per suite on its pairs of cells of nearly equal cost; empty without pairs."""
    if pairs is None or pairs.empty:
        return []
    titles = {suite.name: suite.title for suite in results.study.suites}
    return tally(pairs, titles)


def error_tables(results: StudyResults) -> list[HtmlTable]:
    """Return the table of all errors of the study."""
    shown = results.errors.dropna(axis="columns", how="all")
    return [html_table(shown, f"All {counted(len(shown), 'error')}", ERROR_NAMES)]


def claim_row(row: pd.Series[Any]) -> dict[str, str]:
    """Return a row of tables/claims.csv, formatted for the page."""
    verdict = str(row["verdict"])
    value, *ends = [text_cell(float(row[name])) for name in ("value", "low", "high")]
    return {
        "statement": str(row["statement"]),
        "verdict": verdict,
        "kind": next((kind for known, kind in KINDS.items() if known == verdict), "open"),
        "reason": str(row["because"]),
        "value": value,
        "interval": MISSING if ends == [MISSING, MISSING] else " to ".join(ends),
    }
