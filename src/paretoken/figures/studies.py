"""Compare several studies: the exponents and their ratio, with intervals, in one panel each."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from paretoken.analysis.compare import RATIO
from paretoken.errors import UserError
from paretoken.figures.axes import canvas
from paretoken.figures.base import DPI
from paretoken.figures.legends import bottom_legend
from paretoken.figures.parts import LEVEL_TEXT, SYMBOLS, sentences
from paretoken.figures.style import ROLE_COLOURS, Look, faces, styled
from paretoken.io.escape import mathtext
from paretoken.io.files import replacing
from paretoken.registry import LAWS

PANELS = (RATIO, "alpha", "beta")
MARKERS = {"reasoning": "o", "ocr": "s", "control": "^"}
WIDTH, ROW, AROUND = 10.0, 0.38, 1.9
TITLE_WIDTH = 110
#: Margin at both ends of an axis, as a factor, and the widest range that is drawn, as a ratio.
BEYOND, MOST = 1.4, 1e3


def draw(table: pd.DataFrame) -> Drawing:
    """Draw a table of `side_by_side` (`UserError` if no law in it has exponents)."""
    table = table[(table["parameter"] != RATIO) | table["law"].map(_has_ratio)]
    shown = [name for name in PANELS if (table["parameter"] == name).any()]
    if not shown:
        raise UserError("the laws of these studies have no exponents to draw; choose another with --law")
    places = table[["role", "study", "suite"]].drop_duplicates().reset_index(drop=True)
    roles = list(dict.fromkeys(places["role"]))
    drawing, panels = canvas((WIDTH, AROUND + ROW * len(places)), columns=len(shown))
    for axis, name in zip(panels, shown, strict=True):
        _panel(axis, table[table["parameter"] == name], places)
        axis.set_xlabel(SYMBOLS.get(name, name))
        axis.set_yticks(range(len(places)))
        axis.set_yticklabels([])
        axis.set_ylim(len(places) - 0.5, -0.5)
    labels = [mathtext(f"{row['study']}: {row['suite']}") for _, row in places.iterrows()]
    panels[0].set_yticklabels(labels)
    if RATIO in shown:
        panels[shown.index(RATIO)].axvline(1, color="0.5", linestyle=":", linewidth=1.2)
    handles = [
        Line2D([], [], marker=MARKERS[role], label=f"suite with role {role}", **_look(role))
        for role in roles
    ]
    bottom_legend(drawing, handles, len(handles))
    drawing.suptitle(textwrap.fill(_title(table, shown), TITLE_WIDTH), fontsize=11)
    return drawing


def _has_ratio(law: str) -> bool:
    """Return whether alpha / beta of a law is an exchange rate: not if V* depends on the budget."""
    return bool(LAWS.load(law).constant_optimum)


def _title(table: pd.DataFrame, shown: Sequence[str]) -> str:
    """Return the title: the parameters, the studies, the law, and the meaning of bars."""
    studies, laws = (list(dict.fromkeys(table[name])) for name in ("study", "law"))
    what = ", ".join(SYMBOLS.get(name, name) for name in shown)
    whose = " and ".join(studies) if len(studies) == 2 else f"{len(studies)} studies"
    law = f"the law {laws[0]}" if len(laws) == 1 else f"each study's first law ({', '.join(laws)})"
    return mathtext(
        sentences(
            f"{what} of {whose}, fitted by {law}.",
            f"Bars are {LEVEL_TEXT} intervals." if table["low"].notna().any() else "",
            "The axes are logarithmic.",
        )
    )


def _look(role: str) -> Look:
    colour = ROLE_COLOURS[role]
    return {"color": colour, "linewidth": 1.8, "markersize": 8, **faces(colour)}


def _panel(axis: Axes, rows: pd.DataFrame, places: pd.DataFrame) -> None:
    """Draw one parameter on a logarithmic axis; interval ends of 0 or infinity reach its edges."""
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
        y, look = int(np.flatnonzero(own)[0]), _look(row["role"])
        colour = look["color"]
        if pd.notna(row["low"]) and pd.notna(row["high"]):
            low, high = (min(max(float(row[end]), bottom), top) for end in ("low", "high"))
            axis.hlines(y, low, high, color=colour, linewidth=1.8, zorder=5)
            if high == top:
                axis.plot([top], [y], marker=">", color=colour, markersize=6, clip_on=False)
        if np.isfinite(row["estimate"]):
            axis.plot(
                [max(row["estimate"], bottom)],
                [y],
                marker=MARKERS[row["role"]],
                zorder=4,
                clip_on=False,
                **look,
            )


def save(table: pd.DataFrame, paths: list[Path]) -> None:
    """Draw once and write each path in the format of its suffix."""
    with styled():
        drawing = draw(table)
        for path in paths:
            with replacing(path) as temporary:
                drawing.savefig(temporary, dpi=DPI)
