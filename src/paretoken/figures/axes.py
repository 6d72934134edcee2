"""Drawing that figures share: canvases, axes with readable ticks, and cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import (
    EngFormatter,
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    LogLocator,
    NullFormatter,
)

from paretoken.costs.models.base import Cost
from paretoken.figures.parts import column, levels
from paretoken.figures.style import PALE, Colour, marker_size, mixed, ramp, size_markers
from paretoken.io.arrays import Numbers
from paretoken.io.escape import mathtext
from paretoken.io.text_tables import size_label

#: Inches: one panel beside its legends, and two panels beside each other.
ONE_PANEL = (6.4, 4.6)
TWO_PANELS = (10.0, 4.6)
ERROR_LABEL = "Error (1 − mean score)"
#: Decades below which 1, 2 and 5 are labelled rather than 1 alone.
FEW_DECADES = 3.0


def canvas(size: tuple[float, float], rows: int = 1, columns: int = 1) -> tuple[Drawing, list[Axes]]:
    """Return a drawing and its panels, row by row; the layout makes room for legends outside."""
    drawing = Drawing(figsize=size, layout="constrained")
    panels = drawing.subplots(rows, columns, squeeze=False)
    return drawing, list(panels.ravel())


def cost_axis(axis: Axes, cost: Cost, Q: float | None = None) -> None:
    """Make x a logarithmic cost axis; FLOPs have engineering labels (1G, 10G, 1T)."""
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    few = np.log10(high / low) < FEW_DECADES
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=20))
    flops = cost.model.unit == "FLOPs"
    axis.xaxis.set_major_formatter(EngFormatter(sep="") if flops else FuncFormatter(_plain_number))
    axis.xaxis.set_minor_formatter(NullFormatter())
    given = "" if Q is None else f" at Q = {Q:g}"
    axis.set_xlabel(mathtext(f"{axis_title(cost)}{given} ({cost.model.unit})"))


def axis_title(cost: Cost) -> str:
    """Return the title of a cost axis, without its unit."""
    if cost.model.name == "flops_2nt":
        return "Inference cost 2N(Q + V)" + ", text cached" * cost.deployment.cached_text
    return cost.words[0].upper() + cost.words[1:]


def _plain_number(value: float, _: object) -> str:
    return f"{value:g}"


def tokens_axis(axis: Axes, tokens: Sequence[float]) -> None:
    """Make x a logarithmic V axis with ticks at the measured token counts."""
    _levels_axis(axis, tokens, [f"{v:g}" for v in sorted(set(tokens))])
    axis.set_xlabel("Visual tokens V per image")


def sizes_axis(axis: Axes, sizes: Sequence[float]) -> None:
    """Make x a logarithmic N axis with ticks at the measured sizes."""
    _levels_axis(axis, sizes, [size_label(n) for n in sorted(set(sizes))])
    axis.set_xlabel("Model size N (parameters)")


def _levels_axis(axis: Axes, levels: Sequence[float], labels: Sequence[str]) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(sorted(set(levels))))
    axis.xaxis.set_major_formatter(FixedFormatter(labels))
    axis.xaxis.set_minor_locator(FixedLocator([]))


def plot_cells(
    axis: Axes, x: Numbers, cells: pd.DataFrame, column_name: str = "error", fade: float = 0.0
) -> None:
    """Draw mean cells at ``x``: colour and marker by N, area by V, bars of one standard error.

    Args:
        axis: the axes to draw on.
        x: one position per row of ``cells``.
        cells: rows of `mean_cells`.
        column_name: the column that is drawn along y.
        fade: the share of white that is mixed into colours, 0 to 1.
    """
    sizes = levels(cells, "params_b")
    colours, markers = ramp(sizes), size_markers(sizes)
    for n in sizes:
        own = column(cells, "params_b") == n
        plot_points(axis, x[own], cells[own], mixed(colours[n], fade), markers[n], column_name)


def plot_points(
    axis: Axes, x: Numbers, cells: pd.DataFrame, colour: Colour, marker: str, name: str = "error"
) -> None:
    """Draw mean cells in one colour and shape; see `plot_cells`."""
    y, stderr = column(cells, name), column(cells, "stderr")
    if (stderr > 0).any():
        whiskers(axis, x, y, np.nan_to_num(stderr), colour)
    areas = [marker_size(marker, v) ** 2 for v in column(cells, "visual_tokens")]
    axis.scatter(x, y, s=areas, color=[mixed(colour, PALE)], marker=marker, edgecolors=[colour],
                 linewidths=1.1, zorder=4)  # fmt: skip


def whiskers(axis: Axes, x: Numbers, y: Numbers, lengths: Numbers, colour: Colour | str) -> None:
    """Draw error bars over markers, so that the pale faces of markers do not hide them."""
    axis.errorbar(
        x, y, yerr=lengths, color=colour, linestyle="none", elinewidth=1.1, capsize=2, zorder=4.5
    )
