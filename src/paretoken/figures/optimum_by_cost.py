"""How the best number of visual tokens depends on the way of counting the cost of an answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from paretoken.analysis.numerical_optimum import middle, optimum_table
from paretoken.analysis.scenarios import Scenario, scenarios
from paretoken.analysis.study_results import StudyResults
from paretoken.figures.axes import canvas, tokens_axis
from paretoken.figures.base import Figure
from paretoken.figures.legends import side_legend, size_handles
from paretoken.figures.parts import LEVEL_TEXT, missing, sentences, shown_suites
from paretoken.figures.style import PALE, Look, marker_size, mixed, ramp, size_markers
from paretoken.io.escape import mathtext

#: Inches per scenario, around the rows, per panel and for labels; the spread of sizes within a row.
ROW, AROUND, WIDTH, LABELS, SPREAD = 0.42, 1.5, 3.7, 2.6, 0.6
LEAST_HEIGHT = 3.0
MARKER_TOKENS = 16
#: Room at both ends of the axis, as a factor.
MARGIN = 1.4


def draw(results: StudyResults) -> Drawing:
    """Draw V* by scenario and size: one panel per suite, one row per scenario."""
    suites = shown_suites(results, "optimum_by_cost")
    Q = middle(results.study.text_tokens)
    if Q is None:
        raise missing(results, "optimum_by_cost", "a number greater than 0 under text_tokens")
    ways = scenarios(results.cost.deployment)
    sizes = results.headline(suites[0].name).fitted_sizes
    size = (LABELS + WIDTH * len(suites), max(AROUND + ROW * len(ways), LEAST_HEIGHT))
    drawing, panels = canvas(size, columns=len(suites))
    for axis, suite in zip(panels, suites, strict=True):
        fit = results.headline(suite.name)
        _plot(axis, optimum_table(fit, ways, sizes, [Q]), sizes)
        tokens_axis(axis, fit.token_counts)
        axis.set_xlim(min(fit.token_counts) / MARGIN, max(fit.token_counts) * MARGIN)
        axis.set_xlabel(f"Best visual tokens V* at Q = {Q:g}")
        axis.set_title(mathtext(suite.title))
        _rows(axis, ways, labelled=axis is panels[0])
    panels[0].set_ylabel("What the cost of an answer counts")
    side_legend(drawing, [("Model size N", size_handles(sizes, line="none"))])
    return drawing


def _plot(axis: Axes, table: pd.DataFrame, sizes: Sequence[float]) -> None:
    colours, markers = ramp(sizes), size_markers(sizes)
    offsets = dict(zip(sizes, np.linspace(-SPREAD / 2, SPREAD / 2, len(sizes)), strict=True))
    for n in sizes:
        rows = table[table["params_b"] == n]
        y = np.arange(len(rows)) + (offsets[n] if len(sizes) > 1 else 0.0)
        bars = axis.hlines(y, rows["v_star_low"], rows["v_star_high"], color=colours[n], linewidth=1.2)
        bars.set(zorder=5, capstyle="butt")
        look: Look = {"color": [mixed(colours[n], PALE)], "edgecolors": [colours[n]], "linewidths": 1.1}
        area = marker_size(markers[n], MARKER_TOKENS) ** 2
        axis.scatter(rows["v_star"], y, s=area, marker=markers[n], zorder=4, clip_on=False, **look)


def _rows(axis: Axes, ways: Sequence[Scenario], labelled: bool) -> None:
    axis.set_yticks(range(len(ways)), [way.label for way in ways] if labelled else [""] * len(ways))
    axis.set_ylim(len(ways) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False, axis="y")
    for row in range(0, len(ways), 2):
        axis.axhspan(row - 0.5, row + 0.5, color="0.96", zorder=0)


def _caption(results: StudyResults) -> str:
    fits = [results.headline(suite.name) for suite in shown_suites(results, "optimum_by_cost")]
    drawn = any(len(fit.draws) for fit in fits)
    same = all(fit.law.constant_optimum for fit in fits)
    return sentences(
        "V* of the headline law for a model of each size, at the study's middle number of text tokens"
        f"{f', with {LEVEL_TEXT} intervals' if drawn else ''}. At V*, a small increase of the budget "
        "lowers the error as much by visual tokens as by parameters, within the measured range of V "
        "(the ticks).",
        "Each row is one way to count the cost of an answer.",
        "Where only 2N(Q + V) counts, V* is the same for all sizes." if same else "",
        "A cost that all models share, such as the vision encoder's, does not change V* of a given size "
        "(it leaves less budget for the language model, and so a smaller one). Cached text makes "
        "parameters cheaper relative to tokens, and answers that must be written make them more "
        "expensive.",
    )


OPTIMUM_BY_COST = Figure(
    "optimum_by_cost", "How the best V depends on the cost that is counted", _caption, draw
)
