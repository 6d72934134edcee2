"""How all figures look: one style block, one colour and marker per model size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
import seaborn as sns

STYLE = {
    "figure.figsize": (6.4, 4.4),
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "axes.grid": True,
    "axes.grid.which": "major",
    "grid.linestyle": "--",
    "grid.alpha": 0.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "paretoken",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}
MARKERS = ("o", "v", "*", "D", "s", "P", "X", "^")


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style within the block; draws without a display."""
    mpl.use("Agg")
    with sns.axes_style("ticks"), mpl.rc_context(STYLE):
        yield


def size_colours(sizes: Sequence[float]) -> dict[float, tuple[float, float, float]]:
    """Return one colour per model size, dark to light; told apart without colour vision too."""
    palette = sns.color_palette("viridis", as_cmap=True)(np.linspace(0.85, 0.1, len(sizes)))
    return {size: tuple(colour[:3]) for size, colour in zip(sorted(sizes), palette, strict=True)}


def size_markers(sizes: Sequence[float]) -> dict[float, str]:
    """Return one marker shape per model size (the paper's o, v, *, D first)."""
    return {size: MARKERS[i % len(MARKERS)] for i, size in enumerate(sorted(sizes))}


def token_area(tokens: float) -> float:
    """Return a marker area, points^2, that grows with the logarithm of V (20 at V = 1)."""
    return float(20 + 19 * np.log(max(tokens, 1)))
