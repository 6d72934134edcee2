"""The summary of a study as one page of Markdown: question, answer, laws, claims and figures."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from paretoken.analysis.comparison import published_table
from paretoken.analysis.equal_cost import TOLERANCE, tally
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.methods import comparisons
from paretoken.analysis.numerical_optimum import middle
from paretoken.analysis.study_results import StudyResults
from paretoken.analysis.trade import assumed_slopes
from paretoken.config.study import Suite
from paretoken.io.escape import markdown
from paretoken.io.text_tables import counted, markdown_list, markdown_table
from paretoken.io.versions import versions
from paretoken.registry import FIGURES
from paretoken.report.glossary import GLOSSARY
from paretoken.report.methods_table import winners
from paretoken.report.sentences import optimum, verdict
from paretoken.report.suite_tables import (
    drawn_by,
    has_flags,
    interval_rows,
    law_rows,
    percent,
    published_rows,
)
from paretoken.study.published import PAPER_GRID

#: Links to the tables of a study that compares methods.
METHODS_TABLE = (
    "All methods, benchmarks and published numbers are in [methods.md](methods.md), as LaTeX in "
    "[tables/methods.tex](tables/methods.tex), and as CSV in [tables/methods.csv](tables/methods.csv)."
)


def summary(
    results: StudyResults,
    pairs: pd.DataFrame | None,
    sensitivity: pd.DataFrame | None,
    claims: pd.DataFrame,
    figures: Sequence[str],
    commit: str | None,
) -> str:
    """Return the page; paths in it are relative to the study's folder.

    Args:
        results: the results of the study.
        pairs: tables/equal_cost.csv; None for a study without laws, which compares methods.
        sensitivity: tables/sensitivity.csv; None for such a study, too.
        claims: tables/claims.csv.
        figures: the names of the figures that were drawn.
        commit: the commit of the code; None outside of a git checkout.
    """
    study = results.study
    sections = [f"# {study.name}", f"**Question.** {markdown(study.question)}"]
    if pairs is None or sensitivity is None:
        sections += [
            f"**Answer.**\n\n{markdown_list(winners(results, comparisons(results)))}",
            f"## Cells\n\n{_cells(results)}\n\n{METHODS_TABLE}",
        ]
    else:
        sections += _laws(results, pairs, sensitivity)
    if claims is not None and len(claims):
        shown = claims[["statement", "value", "low", "high", "verdict"]]
        sections.append(
            f"## Claims\n\nReasons and references to the paper are in [claims.md](claims.md).\n\n"
            f"{markdown_table(shown, 3)}"
        )
    if figures:
        sections.append(f"## Figures\n\n{_figures(figures, results)}")
    sections.append(f"## Provenance\n\n{_provenance(results, commit)}")
    return "\n\n".join(sections) + "\n"


def _laws(results: StudyResults, pairs: pd.DataFrame, sensitivity: pd.DataFrame) -> list[str]:
    """Return the sections of a study that fits laws, from its answer to the pairs of equal cost."""
    study = results.study
    sections = [
        f"**Answer.** {' '.join(_answer(results, suite) for suite in study.suites)}",
        f"## Symbols and terms\n\n{markdown_list(GLOSSARY)}",
        f"## Cells\n\n{_cells(results)}",
    ]
    for suite in study.suites:
        sections.append(f"## {markdown(suite.title)}\n\n{_suite(results, suite, sensitivity)}")
    sections.append(f"## Larger model or more tokens, at equal cost\n\n{_equal_cost(results, pairs)}")
    return sections


def _answer(results: StudyResults, suite: Suite) -> str:
    fit, title = results.headline(suite.name), markdown(suite.title)
    best = optimum(fit, middle(results.study.text_tokens))
    return f"{title}: {verdict(fit, 'alpha / beta')}{f', and {best}' if best else ''}."


def _cells(results: StudyResults) -> str:
    errors = results.errors
    flagged = errors[errors["flag"] != ""]
    fits = results.study.fit.laws and len(flagged)
    use = " (the headline fit uses them, and the *unflagged* fit leaves them out)" if fits else ""
    lines = [
        f"{counted(len(errors), 'error')} (cells times suites); {int(errors['error'].isna().sum())} "
        f"missing, {len(flagged)} flagged{use}."
    ]
    if len(flagged):
        shown = flagged[["suite", "llm", "visual_tokens", "error", "flag"]]
        lines.append(markdown_table(shown))
    return "\n\n".join(lines)


def _suite(results: StudyResults, suite: Suite, sensitivity: pd.DataFrame) -> str:
    fit = results.headline(suite.name)
    warnings = markdown_list(fit.record["warnings"] or ["none"])
    parts = [
        f"Headline: `{fit.law.formula}`, {markdown(str(fit.record['loss']))} loss, status "
        f"{markdown(str(fit.record['status']))}.",
        f"Parameters, and V* at Q text tokens, {drawn_by(fit)}:\n\n{markdown_table(interval_rows(fit))}",
        f"Warnings:\n\n{warnings}",
        *_compared(fit),
        f"All fits{', with and without flagged cells' if has_flags(results) else ''}:\n\n"
        f"{_fits(results, suite)}",
        _range_of_ratio(results, sensitivity, suite),
    ]
    published = published_table(results)
    published = published[published["suite"] == suite.name]
    if len(published):
        headline = published[published["variant"] == f"{results.study.fit.laws[0]}-all"]
        parts.append(f"Published and fitted values:\n\n{markdown_table(published_rows(headline))}")
    return "\n\n".join(parts)


def _compared(fit: FittedLaw) -> list[str]:
    """Return how well each registered law describes the cells; empty if laws were not compared."""
    rows = law_rows(fit)
    if rows.empty:
        return []
    return [
        f"Which laws describe the cells:\n\n{markdown_table(rows, 3)}",
        markdown_list(fit.record["laws"]["words"]),
    ]


def _fits(results: StudyResults, suite: Suite) -> str:
    rows = []
    for law in results.study.fit.laws:
        for cells in ("all", "unflagged") if has_flags(results) else ("all",):
            rows.append(_fit_row(law, cells, results.fits.get((suite.name, f"{law}-{cells}"))))
    rows.append(_fit_row("paper's grid", "all", results.fits.get((suite.name, PAPER_GRID))))
    return markdown_table(pd.DataFrame([row for row in rows if row]))


def _fit_row(law: str, cells: str, fit: FittedLaw | None) -> dict[str, object]:
    if fit is None:
        return {}
    held = (fit.record["holdout"].get("leave_largest_n_out") or {}).get("law") or {}
    floor = fit.parameters[fit.law.floor] if fit.law.floor else None
    return {
        "law": law,
        "cells": f"{cells} ({fit.record['n_points']})",
        "alpha or a": fit.parameters.get("alpha", fit.parameters.get("a")),
        "beta or b": fit.parameters.get("beta", fit.parameters.get("b")),
        "ratio": fit.record["alpha_over_beta"] if fit.law.constant_optimum else None,
        "floor": floor,
        "loss": fit.record["objective"],
        "rmse": fit.record["rmse"],
        "R² of means": fit.record["r_squared_of_means"],
        "AICc": fit.record["information"]["aicc"],
        "largest N held out: mean relative error, %": percent(held.get("mean_abs_relative_error")),
    }


def _equal_cost(results: StudyResults, pairs: pd.DataFrame) -> str:
    if pairs.empty:
        return "No two sizes of the grid have nearly the same cost N V at any of its token counts."
    titles = {suite.name: markdown(suite.title) for suite in results.study.suites}
    lines = [f"- {sentence}" for sentence in tally(pairs, titles)]
    return (
        f"Pairs of measured cells of two sizes, whose N V are within {TOLERANCE:.0%} of each other, are "
        "compared without a law ([tables/equal_cost.csv](tables/equal_cost.csv)).\n\n" + "\n".join(lines)
    )


def _range_of_ratio(results: StudyResults, sensitivity: pd.DataFrame, suite: Suite) -> str:
    own = sensitivity[(sensitivity["suite"] == suite.name) & (sensitivity["variant"] != "as fitted")]
    own = own[own["alpha_over_beta"].notna()]
    inside = own["variant"].str.startswith("T = Q + V")
    rows = own[~inside]
    if rows.empty or assumed_slopes(results.headline(suite.name).record):
        return ""
    ordered = rows.sort_values("alpha_over_beta", kind="stable")
    low, high = ordered.iloc[0], ordered.iloc[-1]
    limits = (
        "The published averages cannot be separated into benchmarks, so the choices include neither "
        "other normalisations of single benchmarks nor other prompts. "
    )
    ratios = own[inside]["alpha_over_beta"]
    others = (
        f"; {counted(inside.sum(), 'more choice uses', 'more choices use')} Q + V in the law, where the "
        "ratio is a different quantity "
        f"({ratios.min():.2f} to {ratios.max():.2f})"
        if inside.any()
        else ""
    )
    return (
        f"{limits if results.measured_by_the_paper else ''}"
        f"With {counted(len(rows), 'other choice')} ([tables/sensitivity.csv](tables/sensitivity.csv)) "
        f"alpha / beta ranges from {low['alpha_over_beta']:.2f} ({markdown(str(low['variant']))}) to "
        f"{high['alpha_over_beta']:.2f} ({markdown(str(high['variant']))}){others}."
    )


def _figures(names: Sequence[str], results: StudyResults) -> str:
    parts = []
    for name in names:
        figure = FIGURES.load(name)
        title, caption = markdown(figure.title_of(results)), markdown(figure.caption_of(results))
        parts.append(f"### {title}\n\n![{name}](figures/{name}.png)\n\n{caption}")
    return "\n\n".join(parts)


def _provenance(results: StudyResults, commit: str | None) -> str:
    found = versions("numpy", "scipy", "pandas", "snakemake")
    fits = sorted({fit.record["data"]["sha256"][:12] for fit in results.fits.values()})
    lines = [
        f"- commit: {commit or 'not a git checkout'}",
        f"- versions: {', '.join(f'{name} {number}' for name, number in found.items())}",
        *(
            [
                f"- bootstrap: {results.study.fit.bootstrap} replicates, seed {results.study.fit.seed}",
                f"- fitted table: tables/errors.csv, SHA-256 {', '.join(fits)}",
            ]
            if fits
            else []
        ),
        *[f"- source: {markdown(str(source))}" for source in results.errors["source"].dropna().unique()],
    ]
    return "\n".join(lines)
