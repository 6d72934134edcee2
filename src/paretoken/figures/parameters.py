"""Fitted against published parameters: every law and variant with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import PAPER_GRID, StudyResults
from paretoken.config import Suite
from paretoken.escape import mathtext
from paretoken.figures.base import Figure
from paretoken.figures.legends import bottom_legend
from paretoken.figures.parts import LEVEL_TEXT, shown_suites
from paretoken.figures.style import BLUE, VERMILION, Look

QUANTITIES = {
    "alpha": "α (exponent of N)",
    "beta": "β (exponent of V)",
    "alpha_over_beta": "α/β (ratio)",
}
WIDTH, LINE_HEIGHT, FRAME_HEIGHT = 10.0, 0.27, 0.95
#: Largest ratio of the ends of a linear axis; the room around the values on either kind.
LINEAR_UP_TO, LOG_MARGIN, LINEAR_MARGIN = 5.0, 1.2, 0.1
#: A tick hides no interval, however short that is.
POINT: Look = {"color": "black", "marker": "|", "markersize": 11, "markeredgewidth": 2.2, "zorder": 5}
INTERVAL: Look = {"color": BLUE, "linewidth": 3.2}
PUBLISHED: Look = {"color": VERMILION, "linestyle": ":", "linewidth": 1.8, "zorder": 1}


def draw(results: StudyResults) -> Drawing:
    """Draw a row of panels per suite: alpha, beta and their ratio, for every fit of it."""
    suites = shown_suites(results, "parameters")
    fits = [variants(results, suite.name) for suite in suites]
    heights = [FRAME_HEIGHT + LINE_HEIGHT * len(found) for found in fits]
    drawing = Drawing(figsize=(WIDTH, sum(heights) + LINE_HEIGHT), layout="constrained")
    panels = drawing.subplots(len(suites), len(QUANTITIES), squeeze=False, sharey="row",
                              height_ratios=heights)  # fmt: skip
    for row, suite, found in zip(panels, suites, fits, strict=True):
        _plot_suite(row, results, suite, found)
    bottom_legend(drawing, _handles(results, suites), 5)
    return drawing


def variants(results: StudyResults, suite: str) -> dict[str, FittedLaw]:
    """Return every fit of a suite by the words for it: the study's laws in order, then the grid."""
    named = [
        (f"{law}-{rows}", law if rows == "all" else f"{law}, unflagged")
        for law in results.study.fit.laws
        for rows in ("all", "unflagged")
    ]
    named.append((PAPER_GRID, "paper's grid search"))
    found = {words: results.fits.get((suite, variant)) for variant, words in named}
    results.headline(suite)
    return {words: fit for words, fit in found.items() if fit is not None}


def published(results: StudyResults, suite: str, quantity: str) -> float | None:
    """Return the published value; alpha / beta as the ratio of the published exponents."""
    if quantity != "alpha_over_beta":
        return results.value(suite, quantity)
    alpha, beta = results.value(suite, "alpha"), results.value(suite, "beta")
    return alpha / beta if alpha is not None and beta else None


def estimate(fit: FittedLaw, quantity: str) -> float | None:
    """Return a fit's value of a quantity, or None if its law has none (or it is infinite)."""
    found = fit.parameters.get(quantity, fit.record.get(quantity))
    return None if found is None else float(found)


def _plot_suite(
    panels: Sequence[Axes], results: StudyResults, suite: Suite, fits: Mapping[str, FittedLaw]
) -> None:
    for axis, (quantity, words) in zip(panels, QUANTITIES.items(), strict=True):
        line = published(results, suite.name, quantity)
        _limit(axis, fits, quantity, line)
        if line is not None:
            axis.axvline(line, **PUBLISHED)
        for place, fit in enumerate(fits.values()):
            value = estimate(fit, quantity)
            if value is not None:
                axis.plot(value, place, linestyle="none", **POINT)
                _plot_interval(axis, place, fit.record["intervals"].get(quantity) or {})
        axis.set_xlabel(words)
    panels[0].set_yticks(range(len(fits)), list(fits))
    panels[0].set_ylim(len(fits) - 0.4, -0.6)
    panels[0].set_title(mathtext(suite.title), loc="left")


def _plot_interval(axis: Axes, place: int, record: Mapping[str, Any]) -> None:
    """Draw the 95 % interval; an end beyond the axis is an arrow."""
    if "low" not in record:
        return
    left, right = axis.get_xlim()
    start, end = (right if edge is None else edge for edge in (record["low"], record["high"]))
    ends = np.clip([start, end], left, right)
    axis.plot(ends, [place, place], solid_capstyle="butt", clip_on=False, **INTERVAL)
    arrow: Look = {"color": INTERVAL["color"], "clip_on": False, "markersize": 6}
    if end > right or record["high"] is None:
        axis.plot(right, place, marker=">", **arrow)
    if start < left:
        axis.plot(left, place, marker="<", **arrow)


def _limit(axis: Axes, fits: Mapping[str, FittedLaw], quantity: str, line: float | None) -> None:
    """Fit the axis to all estimates, the first fit's interval and the published value."""
    first = next(iter(fits.values())).record["intervals"].get(quantity) or {}
    ends = [first.get("low"), first.get("high")]
    shown = [estimate(fit, quantity) for fit in fits.values()] + ends + [line]
    known = [value for value in shown if value is not None]
    if not known:
        return
    low, high = min(known), max(known)
    if low > 0 and high / low > LINEAR_UP_TO:
        axis.set_xscale("log")
        axis.set_xlim(low / LOG_MARGIN, high * LOG_MARGIN)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
    else:
        margin = LINEAR_MARGIN * (high - low or abs(high) or 1.0)
        axis.set_xlim(low - margin, high + margin)


def _handles(results: StudyResults, suites: Sequence[Suite]) -> list[Artist]:
    handles: list[Artist] = [Line2D([], [], label="estimate", linestyle="none", **POINT)]
    fits = [fit for suite in suites for fit in variants(results, suite.name).values()]
    if any(fit.record["intervals"] for fit in fits):
        handles.append(Line2D([], [], label=f"{LEVEL_TEXT} interval", **INTERVAL))
    known = any(published(results, suite.name, name) for suite in suites for name in QUANTITIES)
    return [*handles, Line2D([], [], label="published", **PUBLISHED)] if known else handles


PARAMETERS = Figure(
    "parameters", "Fitted against published parameters",
    "The exponents of N and V and their ratio (the slopes' ratio for log_linear, which has no "
    "exponents), for every law fitted, with and without flagged cells, and for the paper's own grid "
    "search run in full. Bars are 95 % intervals by the resampling that matches the noise of the "
    "cells; an arrow marks an interval that leaves the axis.",
    draw,
    paper="Dotted: what the paper publishes, where it does.",
)  # fmt: skip
