"""Error, seconds and best V against the length of the question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import LogLocator, NullLocator

from paretoken.analysis.study_results import StudyResults
from paretoken.figures.axes import canvas
from paretoken.figures.base import Figure, save
from paretoken.figures.parts import column
from paretoken.figures.style import ACCENTS, Look

SIZE = (12.5, 4.0)
MARKS = {"flops": "o", "seconds": "s"}


def save_text_length(results: StudyResults, found: pd.DataFrame, paths: Sequence[Path]) -> None:
    """Draw the result of `optima` in the project's style and write it."""
    figure = Figure("text_length", "Length of the question", "", lambda given: draw(given, found))
    save(figure, results, list(paths))


def draw(results: StudyResults, found: pd.DataFrame) -> Drawing:
    """Draw mean error, mean seconds and the best V of each suite against Q."""
    drawing, (errors, seconds, best) = canvas(SIZE, columns=3)
    for suite, colour in zip(results.study.suites, ACCENTS * 2, strict=False):
        own = found[found["suite"] == suite.name]
        plain = own[own["cost"] == "flops"]
        look: Look = {"color": colour, "marker": "o", "label": suite.name}
        Q = column(plain, "text_tokens")
        errors.plot(Q, column(plain, "mean_error"), **look)
        seconds.plot(Q, 1e3 * column(plain, "latency_s"), **look)
        low, high = (1e3 * column(plain, f"latency_{end}_s") for end in ("low", "high"))
        seconds.fill_between(Q, low, high, color=colour, alpha=0.15, linewidth=0)
        _best(best, own, colour, suite.name)
    for axis, label in (
        (errors, "Mean error of all cells"),
        (seconds, "Milliseconds per question\n(median; band: quartiles of questions)"),
        (best, "Best number of visual tokens"),
    ):
        axis.set_xlabel("Text tokens Q of a prompt")
        axis.set_ylabel(label)
    best.set_yscale("log")
    best.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    best.yaxis.set_major_formatter("{x:g}")
    best.yaxis.set_minor_locator(NullLocator())
    errors.legend()
    best.legend(fontsize=7)
    return drawing


def _best(axis: Axes, own: pd.DataFrame, colour: str, suite: str) -> None:
    plain = own[own["cost"] == "flops"]
    Q, star = column(plain, "text_tokens"), column(plain, "predicted")
    axis.plot(Q, star, color=colour, linewidth=2, label=f"{suite}: V* predicted")
    low, high = column(plain, "predicted_low"), column(plain, "predicted_high")
    if np.isfinite(low).all():
        axis.fill_between(Q, low, high, color=colour, alpha=0.15, linewidth=0)
    for cost, marker in MARKS.items():
        rows = own[own["cost"] == cost]
        look: Look = {"color": colour, "marker": marker, "markeredgecolor": "white"}
        axis.plot(
            column(rows, "text_tokens"),
            column(rows, "best_tokens"),
            linestyle="none",
            label=f"{suite}: measured, by {cost}",
            **look,
        )
