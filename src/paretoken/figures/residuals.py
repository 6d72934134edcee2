"""Residuals of the headline fit by N and by V, with suspicious cells ringed and named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.figures.axes import canvas, plot_cells, sizes_axis, tokens_axis
from paretoken.figures.base import Figure
from paretoken.figures.legends import side_legend, size_handles, text_handles, token_handles
from paretoken.figures.parts import (
    bars_in_words,
    column,
    levels,
    mean_cells,
    sentences,
    shown_suites,
)
from paretoken.figures.style import HALO, VERMILION, Look
from paretoken.io.arrays import Numbers
from paretoken.io.escape import mathtext
from paretoken.io.text_tables import size_label

WIDTH, ROW_HEIGHT, LEAST_HEIGHT = 10.0, 3.1, 4.4
#: Cells of one level are spread over this share of the distance to the next level.
SPREAD = 0.5
MEAN_HALF_WIDTH = 0.42
PERCENT = 100
RING: Look = {
    "marker": "o",
    "markersize": 15,
    "markerfacecolor": "none",
    "markeredgecolor": VERMILION,
    "markeredgewidth": 1.4,
    "linestyle": "none",
}
MEAN: Look = {"color": "black", "linewidth": 1.8}
BAND: Look = {"color": "0.9", "linewidth": 0}


def draw(results: StudyResults) -> Drawing:
    """Draw a row per suite: residuals by N on the left, by V on the right."""
    suites = shown_suites(results, "residuals")
    height = max(ROW_HEIGHT * len(suites), LEAST_HEIGHT)
    drawing, panels = canvas((WIDTH, height), rows=len(suites), columns=2)
    named: list[Artist] = []
    sizes: set[float] = set()
    tokens: set[float] = set()
    for row, suite in enumerate(suites):
        cells = residual_cells(results, suite, first=len(named) + 1)
        _plot_row(panels[2 * row], panels[2 * row + 1], results.headline(suite.name), cells, suite)
        named += _names(cells)
        sizes, tokens = sizes | {*cells["params_b"]}, tokens | {*cells["visual_tokens"]}
    held = results.headline(suites[0].name).held_out
    side_legend(
        drawing,
        [
            ("Model size N", size_handles(sorted(sizes), held, line="none")),
            ("Visual tokens V", token_handles(sorted(tokens))),
            ("Lines", [Patch(label="± rmse of the fit", **BAND), Line2D([], [], label="mean", **MEAN)]),
            ("Flagged cells", named),
        ],
    )
    return drawing


def residual_cells(results: StudyResults, suite: Suite, first: int = 1) -> pd.DataFrame:
    """Return the mean cells with ``residual`` (measured - fitted, points of 100) and ``number``.

    Flagged cells are numbered from ``first``; the others have an empty number.
    """
    fit, cells = results.headline(suite.name), mean_cells(results, suite.name)
    fitted = fit.predict(column(cells, "params_b"), column(cells, "visual_tokens"))
    flagged = cells["flag"] != ""
    numbers = (flagged.cumsum() + first - 1).astype(str).where(flagged, "")
    return cells.assign(
        residual=PERCENT * (cells["error"] - fitted), stderr=PERCENT * cells["stderr"], number=numbers
    )


def _plot_row(by_n: Axes, by_v: Axes, fit: FittedLaw, cells: pd.DataFrame, suite: Suite) -> None:
    for axis, level, other in (
        (by_n, "params_b", "visual_tokens"),
        (by_v, "visual_tokens", "params_b"),
    ):
        x = dodged(column(cells, level), column(cells, other))
        rmse = PERCENT * fit.record["rmse"]
        axis.axhspan(-rmse, rmse, zorder=0, **BAND)
        axis.axhline(0, color="black", linewidth=0.9, zorder=1)
        _plot_means(axis, cells, level)
        plot_cells(axis, x, cells, column_name="residual")
        _ring(axis, x, cells)
        axis.set_title(mathtext(suite.title))
    by_n.set_ylabel("Measured − fitted error (× 100)")
    sizes_axis(by_n, levels(cells, "params_b"))
    tokens_axis(by_v, levels(cells, "visual_tokens"))


def dodged(level: Numbers, other: Numbers) -> Numbers:
    """Return x positions on a log axis: cells of one level side by side, in the order of ``other``."""
    gaps = np.diff(np.log(np.unique(level)))
    width = SPREAD * float(gaps.min()) if len(gaps) else 0.0
    ranks = np.searchsorted(np.unique(other), other)
    return np.asarray(level * np.exp(width * (ranks / max(ranks.max(), 1) - 0.5)))


def _plot_means(axis: Axes, cells: pd.DataFrame, level: str) -> None:
    """Draw a bar at the mean residual of each level; the pattern of bars is what the law misses."""
    values = column(cells, level)
    gaps = np.diff(np.log(np.unique(values)))
    half = np.exp(MEAN_HALF_WIDTH * float(gaps.min())) if len(gaps) else 1.1
    for at, mean in cells.groupby(level)["residual"].mean().items():
        centre = float(str(at))
        axis.plot([centre / half, centre * half], [mean, mean], zorder=2, **MEAN)


def _ring(axis: Axes, x: Numbers, cells: pd.DataFrame) -> None:
    for at, y, number in zip(x, cells["residual"], cells["number"], strict=True):
        if number:
            axis.plot(at, y, zorder=5, **RING)
            axis.annotate(
                number, (at, y), xytext=(9, 5), textcoords="offset points", fontsize=9, zorder=6,
                color=VERMILION, fontweight="bold", path_effects=[HALO],
            )  # fmt: skip


def _names(cells: pd.DataFrame) -> list[Artist]:
    flagged = cells[cells["number"] != ""]
    rows: Sequence[str] = [
        f"{row['number']}: {size_label(row['params_b'])}@{row['visual_tokens']:g}, "
        f"{mathtext(str(row['flag']).replace('_', ' '))}"
        for _, row in flagged.iterrows()
    ]
    return text_handles(rows)


def _caption(results: StudyResults) -> str:
    suites = shown_suites(results, "residuals")
    cells = [mean_cells(results, suite.name) for suite in suites]
    return sentences(
        "Measured minus fitted error of the headline law, in hundredths, by N (left) and by V (right). "
        "Cells of one level are side by side. Black bars are the mean of a level, and their pattern is "
        "what the law misses. The grey band is plus and minus the rmse of the fit.",
        "Flagged cells are ringed and named, and are part of the fit."
        if any((own["flag"] != "").any() for own in cells)
        else "",
        bars_in_words(*cells).replace("Bars are", "Bars on cells are"),
    )


RESIDUALS = Figure("residuals", "What the law leaves unexplained", _caption, draw)
