"""Fitted and published parameters: every law and variant with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from paretoken.analysis.compare import RATIO
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.figures.base import Figure
from paretoken.figures.legends import bottom_legend
from paretoken.figures.parts import LEVEL_TEXT, sentences, shown_suites
from paretoken.figures.style import BLUE, VERMILION, Look
from paretoken.io.escape import mathtext
from paretoken.study.published import PAPER_GRID

ENDS = ("low", "high")
QUANTITIES = {
    "alpha": "α (exponent of N)",
    "beta": "β (exponent of V)",
    RATIO: "α/β (ratio)",
}
#: Names of published values that differ from the names in fits.
PUBLISHED_NAMES = {RATIO: "exponent_ratio"}
WIDTH, LINE_HEIGHT, FRAME_HEIGHT = 10.0, 0.27, 0.95
#: Largest ratio of the ends of a linear axis; the margins around the values on either kind of axis.
LINEAR_UP_TO, LOG_MARGIN, LINEAR_MARGIN = 5.0, 1.2, 0.1
#: A thin tick, which does not hide even a short interval.
POINT: Look = {"color": "black", "marker": "|", "markersize": 11, "markeredgewidth": 2.2, "zorder": 5}
INTERVAL: Look = {"color": BLUE, "linewidth": 3.2}
PUBLISHED: Look = {"color": VERMILION, "linestyle": ":", "linewidth": 1.8, "zorder": 1}


def draw(results: StudyResults) -> Drawing:
    """Draw a row of panels per suite: alpha, beta and their ratio, for every fit of the suite."""
    suites = shown_suites(results, "parameters")
    fits = [variants(results, suite.name) for suite in suites]
    heights = [FRAME_HEIGHT + LINE_HEIGHT * len(found) for found in fits]
    drawing = Drawing(figsize=(WIDTH, sum(heights) + LINE_HEIGHT), layout="constrained")
    panels = drawing.subplots(
        len(suites), len(QUANTITIES), squeeze=False, sharey="row", height_ratios=heights
    )
    for row, suite, found in zip(panels, suites, fits, strict=True):
        _plot_suite(row, results, suite, found)
    bottom_legend(drawing, _handles(results, suites), 5)
    return drawing


def variants(results: StudyResults, suite: str) -> dict[str, FittedLaw]:
    """Return every fit of a suite by its label: the study's laws in order, then the paper's grid.

    Without flagged cells, the unflagged fits equal the others and are left out.
    """
    kinds = ("all", "unflagged") if _flagged(results, suite) else ("all",)
    named = [
        (f"{law}-{rows}", law if rows == "all" else f"{law}, unflagged")
        for law in results.study.fit.laws
        for rows in kinds
    ]
    named.append((PAPER_GRID, "paper's grid search"))
    found = {words: results.fits.get((suite, variant)) for variant, words in named}
    results.headline(suite)
    return {words: fit for words, fit in found.items() if fit is not None}


def _flagged(results: StudyResults, suite: str) -> bool:
    return bool((results.fitted_cells(suite)["flag"] != "").any())


def published(results: StudyResults, suite: str, quantity: str) -> float | None:
    """Return the published value; alpha / beta is the published ratio, never computed here."""
    return results.value(suite, PUBLISHED_NAMES.get(quantity, quantity))


def estimate(fit: FittedLaw, quantity: str) -> float | None:
    """Return a fit's value of a quantity, or None if its law has none (or it is infinite).

    If V* depends on the budget, alpha / beta is not an exchange rate.
    """
    if quantity == RATIO and not fit.law.constant_optimum:
        return None
    found = fit.parameters.get(quantity, fit.record.get(quantity))
    return None if found is None else float(found)


def _plot_suite(
    panels: Sequence[Axes], results: StudyResults, suite: Suite, fits: Mapping[str, FittedLaw]
) -> None:
    for axis, (quantity, words) in zip(panels, QUANTITIES.items(), strict=True):
        line = published(results, suite.name, quantity)
        logarithmic = _limit(axis, limits(fits, quantity, line))
        if line is not None:
            axis.axvline(line, **PUBLISHED)
        for place, fit in enumerate(fits.values()):
            value = estimate(fit, quantity)
            if value is not None:
                axis.plot(value, place, linestyle="none", **POINT)
                _plot_interval(axis, place, interval(fit, quantity))
        axis.set_xlabel(f"{words}, logarithmic" if logarithmic else words)
    panels[0].set_yticks(range(len(fits)), list(fits))
    panels[0].set_ylim(len(fits) - 0.4, -0.6)
    panels[0].set_title(mathtext(suite.title), loc="left")


def _plot_interval(axis: Axes, place: int, record: Mapping[str, Any]) -> None:
    """Draw the 95 % interval, with an arrow for an end beyond the axis."""
    if "low" not in record:
        return
    left, right = axis.get_xlim()
    ends = np.clip([np.inf if record[end] is None else record[end] for end in ENDS], left, right)
    axis.plot(ends, [place, place], solid_capstyle="butt", clip_on=False, **INTERVAL)
    arrow: Look = {"color": INTERVAL["color"], "clip_on": False, "markersize": 6}
    for beyond, edge, marker in zip(_beyond(record, left, right), (left, right), "<>", strict=True):
        if beyond:
            axis.plot(edge, place, marker=marker, **arrow)


def _beyond(record: Mapping[str, Any], left: float, right: float) -> tuple[bool, bool]:
    """Return whether an interval leaves an axis on either side."""
    low, high = (np.inf if record[end] is None else record[end] for end in ENDS)
    return bool(low < left), bool(high > right)


def limits(
    fits: Mapping[str, FittedLaw], quantity: str, line: float | None
) -> tuple[float, float, bool] | None:
    """Return the ends of an axis and whether it is logarithmic; None if nothing is drawn on it.

    The axis holds all estimates, the first fit's interval and the published value.
    """
    ends = [interval(next(iter(fits.values())), quantity).get(end) for end in ENDS]
    shown = [estimate(fit, quantity) for fit in fits.values()] + ends + [line]
    known = [value for value in shown if value is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    if low > 0 and high / low > LINEAR_UP_TO:
        return low / LOG_MARGIN, high * LOG_MARGIN, True
    margin = LINEAR_MARGIN * (high - low or abs(high) or 1.0)
    return low - margin, high + margin, False


def interval(fit: FittedLaw, quantity: str) -> Mapping[str, Any]:
    """Return a fit's interval of a quantity; empty without an estimate or without draws."""
    found = None if estimate(fit, quantity) is None else fit.record["intervals"].get(quantity)
    return found or {}


def _limit(axis: Axes, ends: tuple[float, float, bool] | None) -> bool:
    if ends is None:
        return False
    left, right, logarithmic = ends
    if logarithmic:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlim(left, right)
    return logarithmic


def _handles(results: StudyResults, suites: Sequence[Suite]) -> list[Artist]:
    handles: list[Artist] = [Line2D([], [], label="estimate", linestyle="none", **POINT)]
    fits = [fit for suite in suites for fit in variants(results, suite.name).values()]
    if any(fit.record["intervals"] for fit in fits):
        handles.append(Line2D([], [], label=f"{LEVEL_TEXT} interval", **INTERVAL))
    known = _any_published(results, suites)
    return [*handles, Line2D([], [], label="published", **PUBLISHED)] if known else handles


def _any_published(results: StudyResults, suites: Sequence[Suite]) -> bool:
    values = [published(results, suite.name, name) for suite in suites for name in QUANTITIES]
    return any(value is not None for value in values)


def _title(results: StudyResults) -> str:
    compared = _any_published(results, shown_suites(results, "parameters"))
    return "Fitted against published parameters" if compared else "Parameters of every fit"


def _caption(results: StudyResults) -> str:
    suites = shown_suites(results, "parameters")
    found = {suite.name: variants(results, suite.name) for suite in suites}
    fits = [fit for own in found.values() for fit in own.values()]
    logarithmic, arrows = [], False
    for suite in suites:
        own = found[suite.name]
        for quantity, words in QUANTITIES.items():
            ends = limits(own, quantity, published(results, suite.name, quantity))
            if ends is None:
                continue
            logarithmic += [f"{words[: words.index(' ')]} of {suite.title}"] * ends[2]
            known = [interval(fit, quantity) for fit in own.values()]
            arrows |= any(any(_beyond(record, *ends[:2])) for record in known if "low" in record)
    flagged = any(_flagged(results, suite.name) for suite in suites)
    grid = any((suite.name, PAPER_GRID) in results.fits for suite in suites)
    intervals = any(fit.record["intervals"] for fit in fits)
    return sentences(
        f"The exponents of N and V and their ratio{_exceptions(fits)}, for every law fitted"
        + ", with and without flagged cells" * flagged
        + ", and for the paper's own grid search run in full" * grid
        + ".",
        f"Bars are {LEVEL_TEXT} intervals, as in the tables." if intervals else "",
        "An arrow marks an interval that leaves the axis." if arrows else "",
        f"These axes are logarithmic: {', '.join(logarithmic)}." if logarithmic else "",
        "Dotted lines are published values." if _any_published(results, suites) else "",
    )


def _exceptions(fits: Sequence[FittedLaw]) -> str:
    """Return, in brackets, which laws have no exponents and which have no meaningful ratio."""
    slopes = {fit.law.name for fit in fits if fit.law.slopes and not fit.law.exponents}
    without = {fit.law.name for fit in fits if not fit.law.constant_optimum}
    said = [f"slopes for {', '.join(sorted(slopes))}, which has no exponents"] * bool(slopes)
    if without:
        said.append(f"no ratio for {', '.join(sorted(without))}, whose V* depends on the budget")
    return f" ({'; '.join(said)})" if said else ""


PARAMETERS = Figure("parameters", _title, _caption, draw)
