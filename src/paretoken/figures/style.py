"""The style of all figures: one style block, and one colour and marker per model size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patheffects import withStroke

INK = ".15"
STYLE: dict[Any, Any] = {
    # Ink, edges and line ends of seaborn's style "ticks"; importing seaborn would take a second.
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": ".8",
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "white",
    "patch.force_edgecolor": True,
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same glyphs everywhere
    "text.usetex": False,  # otherwise titles from files would be TeX
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "axes.grid": True,
    "axes.grid.which": "major",
    "grid.linestyle": "--",
    "grid.alpha": 0.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "svg.hashsalt": "paretoken",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}
#: Shapes, with the factor of their diameter that makes them look as large as a disc.
MARKERS = {"o": 1.0, "v": 1.1, "*": 1.45, "D": 0.82, "s": 0.9, "^": 1.1, "p": 1.05, "<": 1.1}

Colour = tuple[float, float, float]
#: Keyword arguments of matplotlib, shared by a line and its legend entry.
Look = dict[str, Any]

#: Okabe and Ito's colours, distinguishable without colour vision: for elements that are not sizes.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
ACCENTS = (VERMILION, BLUE, ORANGE, GREEN)
#: Colours of suites that share a panel.
ROLE_COLOURS = {"reasoning": BLUE, "ocr": VERMILION, "control": GREEN}


#: Share of white in the face of a marker, so that error bars of its colour are visible across it.
PALE = 0.6
#: Outline that keeps a number legible on top of other marks.
HALO = withStroke(linewidth=2.2, foreground="white")


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style within the block, and draw without a display."""
    mpl.use("Agg")
    with mpl.rc_context(STYLE):
        yield


def mixed(colour: Colour | str, white: float) -> Colour:
    """Return a colour mixed with a share of white, 0 to 1."""
    red, green, blue = (part + white * (1 - part) for part in to_rgb(colour))
    return red, green, blue


def faces(colour: Colour | str) -> Look:
    """Return the look of a line's markers: a pale face, and an edge in the colour of error bars."""
    return {"markerfacecolor": mixed(colour, PALE), "markeredgecolor": colour, "markeredgewidth": 1.1}


def ramp(levels: Sequence[float]) -> dict[float, Colour]:
    """Return one colour per level, light to dark; they are distinguishable without colour vision."""
    ordered = sorted(set(levels))
    palette = mpl.colormaps["viridis"](np.linspace(0.85, 0.05, len(ordered)))
    return {
        level: (float(colour[0]), float(colour[1]), float(colour[2]))
        for level, colour in zip(ordered, palette, strict=True)
    }


def size_markers(sizes: Sequence[float]) -> dict[float, str]:
    """Return one marker shape per model size, starting with the paper's o, v, *, D."""
    shapes = list(MARKERS)
    return {size: shapes[i % len(shapes)] for i, size in enumerate(sorted(set(sizes)))}


def token_area(tokens: float) -> float:
    """Return a marker area, points^2, that grows with the logarithm of V (20 at V = 1)."""
    return float(20 + 19 * np.log(max(tokens, 1)))


def marker_size(marker: str, tokens: float) -> float:
    """Return the diameter, points, at which a marker covers about `token_area`."""
    return float(np.sqrt(token_area(tokens))) * MARKERS[marker]
