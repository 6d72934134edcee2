"""Several studies side by side: exponents and their ratio, with intervals, one panel each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from paretoken.analysis.compare import RATIO
from paretoken.errors import UserError
from paretoken.escape import mathtext
from paretoken.figures.axes import canvas
from paretoken.figures.base import DPI
from paretoken.figures.legends import bottom_legend
from paretoken.figures.optimal_tokens import ROLES
from paretoken.figures.parts import SYMBOLS
from paretoken.figures.style import GREEN, HALO, styled
from paretoken.files import replacing

PANELS = (RATIO, "alpha", "beta")
MARKERS = {"reasoning": "o", "ocr": "s", "control": "^"}
WIDTH, ROW, AROUND = 10.0, 0.38, 1.5
#: Room at both ends of an axis, as a factor, and the widest range that is drawn.
BEYOND, MOST = 1.4, 1e3


def draw(table: pd.DataFrame) -> Drawing:
    """Draw a table of `side_by_side`; `UserError` if no law in it has exponents."""
    shown = [name for name in PANELS if (table["parameter"] == name).any()]
    if not shown:
        raise UserError("the laws of these studies have no exponents to draw; choose another with --law")
    places = table[["role", "study", "suite"]].drop_duplicates().reset_index(drop=True)
    roles = list(dict.fromkeys(places["role"]))
    colours = {role: ROLES[role][0] if role in ROLES else GREEN for role in roles}
    drawing, panels = canvas((WIDTH, AROUND + ROW * len(places)), columns=len(shown))
    for axis, name in zip(panels, shown, strict=True):
        _panel(axis, table[table["parameter"] == name], places, colours)
        axis.set_xlabel(SYMBOLS.get(name, name))
        axis.set_yticks(range(len(places)))
        axis.set_yticklabels([])
        axis.set_ylim(len(places) - 0.5, -0.5)
    labels = [mathtext(f"{row['study']}: {row['suite']}") for _, row in places.iterrows()]
    panels[0].set_yticklabels(labels)
    if RATIO in shown:
        panels[shown.index(RATIO)].axvline(1, color="0.5", linestyle=":", linewidth=1.2)
    handles = [
        Line2D([], [], color=colours[role], marker=MARKERS[role], label=role, linewidth=1.6)
        for role in roles
    ]
    bottom_legend(drawing, handles, len(handles))
    return drawing


def _panel(axis: Axes, rows: pd.DataFrame, places: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw one parameter on a logarithmic axis; ends at 0 and without a bound reach its edges."""
    numbers = rows[["estimate", "low", "high"]].to_numpy(float)
    drawable = numbers[np.isfinite(numbers) & (numbers > 0)]
    bottom, top = (drawable.min(), drawable.max()) if len(drawable) else (1.0, 1.0)
    bottom, top = max(bottom, top / MOST) / BEYOND, top * BEYOND
    axis.set_xscale("log")
    axis.set_xlim(bottom, top)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.grid(visible=False, axis="y")
    for _, row in rows.iterrows():
        own = (places[["role", "study", "suite"]] == row[["role", "study", "suite"]]).all(axis=1)
        y, colour = int(np.flatnonzero(own)[0]), colours[row["role"]]
        if pd.notna(row["low"]) and pd.notna(row["high"]):
            low, high = (min(max(float(row[end]), bottom), top) for end in ("low", "high"))
            axis.hlines(y, low, high, color=colour, linewidth=1.8, zorder=5, path_effects=[HALO])
            if high == top:
                axis.plot([top], [y], marker=">", color=colour, markersize=6, clip_on=False)
        if np.isfinite(row["estimate"]):
            axis.plot([max(row["estimate"], bottom)], [y], marker=MARKERS[row["role"]], color=colour,
                      markeredgecolor="white", markersize=8, zorder=4, clip_on=False)  # fmt: skip


def save(table: pd.DataFrame, paths: list[Path]) -> None:
    """Draw once and write each path in the format of its suffix."""
    with styled():
        drawing = draw(table)
        for path in paths:
            with replacing(path) as temporary:
                drawing.savefig(temporary, dpi=DPI)
