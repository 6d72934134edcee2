"""How the exponents change with choices that the paper does not report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from paretoken.analysis.cells import Cells
from paretoken.analysis.closed_form_optimum import optimal_tokens
from paretoken.analysis.estimate import Estimate, estimate
from paretoken.analysis.laws.base import Law
from paretoken.analysis.losses import LOSSES, make_loss
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import FitSettings
from paretoken.costs.dimension_table import read_dimensions
from paretoken.errors import FitError
from paretoken.io.text_tables import counted
from paretoken.registry import LAWS
from paretoken.study.measured import alternative_errors, is_number
from paretoken.study.published import PAPER_Q

Variant = tuple[str, pd.DataFrame]


def sensitivity(results: StudyResults, measured: Path | None, dimensions: Path | None) -> pd.DataFrame:
    """Return one row per suite and variant: the headline law's parameters, their ratio and V*.

    The variants are: without flagged cells; alternative values of a cell; without each size and each
    token count; other counts of N; other losses; Q inside the law. A variant whose remaining cells
    cannot determine the law is a row without parameters.

    Args:
        results: the results of the study.
        measured: the table that the cells come from, for alternative values; None for no such variant.
        dimensions: exact parameter counts by llm; None for no such variant.
    """
    law: Law = LAWS.load(results.study.fit.laws[0]).constrained(results.study.fit.constraints)
    rows = []
    for suite in results.study.suites:
        table = results.fitted_cells(suite.name)
        usual = results.study.fit
        rows.append(_row(suite.name, "as fitted", table, law, usual, usual.law_text_tokens))
        for name, variant in (
            *_subsets(table),
            *_alternatives(table, suite.name, measured),
            *_other_sizes(table, dimensions),
        ):
            rows.append(_row(suite.name, name, variant, law, usual, usual.law_text_tokens))
        for loss in LOSSES:
            if loss != usual.loss:
                other = usual.model_copy(update={"loss": loss})
                rows.append(_row(suite.name, f"loss {loss}", table, law, other, usual.law_text_tokens))
        for Q in (1.0, 25.0, PAPER_Q):
            inside: Law = LAWS.load("product_q_plus_v")
            rows.append(_row(suite.name, f"T = Q + V, Q = {Q:g}", table, inside, usual, Q))
    return pd.DataFrame(rows)


def _row(
    suite: str, variant: str, table: pd.DataFrame, law: Law, settings: FitSettings, Q: float
) -> dict[str, object]:
    row: dict[str, object] = {"suite": suite, "variant": variant, "n_points": len(table)}
    N, V, Y = (table[name].to_numpy(float) for name in ("params_b", "visual_tokens", "error"))
    cells = Cells(N, V, Y, np.ones(len(table)))
    try:
        fitted = estimate(cells, law, make_loss(settings.loss, settings.huber_delta), Q)
    except FitError as error:
        return row | {"note": str(error)}
    return row | fitted.parameters | _derived(fitted) | {"note": ""}


def _derived(fitted: Estimate) -> dict[str, float | None]:
    ratio = fitted.law.exponent_ratio(fitted.values[None])
    squares = float(((fitted.cells.Y - fitted.predicted()) ** 2).sum())
    star = None
    if fitted.law.constant_optimum:
        low, high = float(fitted.cells.V.min()), float(fitted.cells.V.max())
        star = float(optimal_tokens(fitted.law, ratio, PAPER_Q, low, high)[0])
    finite = float(ratio[0]) if np.isfinite(ratio[0]) else None
    return {"alpha_over_beta": finite, f"v_star_q{PAPER_Q:g}": star, "sum_of_squares": squares}


def _subsets(table: pd.DataFrame) -> Iterator[Variant]:
    flagged = table["flag"] != ""
    if flagged.any():
        yield "without flagged cells", table[~flagged]
    for llm in table["llm"].unique():
        yield f"without {llm}", table[table["llm"] != llm]
    for V in sorted(table["visual_tokens"].unique()):
        yield f"without V = {V:g}", table[table["visual_tokens"] != V]


def _alternatives(table: pd.DataFrame, suite: str, measured: Path | None) -> Iterator[Variant]:
    if measured is None:
        return
    rows = [found for found in alternative_errors(measured) if found[0]["suite"] == suite]
    changed = table.copy()
    for row, error in rows:
        of_cell = table["visual_tokens"].map(lambda V, row=row: is_number(row["visual_tokens"], V))
        changed.loc[(table["llm"] == row["llm"]) & of_cell, "error"] = error
    if rows:
        yield f"older values of {counted(len(rows), 'cell')}", changed


def _other_sizes(table: pd.DataFrame, dimensions: Path | None) -> Iterator[Variant]:
    if dimensions is None:
        return
    columns = {"total_params_b": "N = all parameters", "nonembedding_params_b": "N = non-embedding"}
    counts = read_dimensions(dimensions)
    if not set(table["llm"]) <= set(counts):
        return
    for column, name in columns.items():
        sizes = {llm: getattr(found, column) for llm, found in counts.items()}
        yield name, table.assign(params_b=table["llm"].map(sizes))
