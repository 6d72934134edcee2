"""Error against V, one line per method, with bands: the figure of the paper's Table 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from paretoken.analysis.methods import PUBLISHED_METHODS, suite_errors
from paretoken.analysis.scales import PUBLISHED_BENCHMARKS, all_comparable
from paretoken.analysis.study_results import StudyResults
from paretoken.config import Suite
from paretoken.errors import UserError
from paretoken.escape import mathtext
from paretoken.figures.axes import ERROR_LABEL, canvas, tokens_axis
from paretoken.figures.base import Figure
from paretoken.figures.legends import side_legend
from paretoken.figures.parts import column
from paretoken.figures.style import MARKERS, Look

PANEL = (5.0, 4.4)
LEGEND_WIDTH = 2.2
#: Okabe and Ito's palette, black last; methods beyond it repeat colours with another marker.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#B2A100", "#000000")
BLIND: Look = {"color": "0.4", "linestyle": ":", "linewidth": 1.6}
PRINTED: Look = {"linestyle": "--", "linewidth": 1.0, "markerfacecolor": "white", "alpha": 0.9}


def draw(results: StudyResults) -> Drawing:
    """Draw one panel per suite."""
    suites = list(results.study.suites)
    if all(suite_errors(results, suite.name).empty for suite in suites):
        raise UserError("figure methods: no cell is measured yet")
    looks = _looks([entry.name for entry in results.study.compressors])
    size = (PANEL[0] * len(suites) + LEGEND_WIDTH, PANEL[1])
    drawing, panels = canvas(size, columns=len(suites))
    printed = [_panel(axis, results, suite, looks) for axis, suite in zip(panels, suites, strict=True)]
    side_legend(drawing, [
        ("Method", [Line2D([], [], label=name, **look) for name, look in looks.items()]),
        ("For comparison", _others(results, any(printed))),
    ])  # fmt: skip
    return drawing


def _looks(names: Sequence[str]) -> dict[str, Look]:
    shapes = list(MARKERS)
    return {
        name: {"color": COLOURS[i % len(COLOURS)], "marker": shapes[i % len(shapes)], "linewidth": 1.7,
               "markersize": 6, "markeredgecolor": "white"}
        for i, name in enumerate(names)
    }  # fmt: skip


def _panel(axis: Axes, results: StudyResults, suite: Suite, looks: Mapping[str, Look]) -> bool:
    """Draw a suite; return whether published errors stand in it."""
    means = suite_errors(results, suite.name)
    shown = False
    for name, look in looks.items():
        own = means[means["compressor"] == name].sort_values("visual_tokens")
        V, error = column(own, "visual_tokens"), column(own, "error")
        low, high = (
            np.clip(column(own, end), 0.0, 1.0) for end in ("low", "high")
        )  # no error is outside
        axis.plot(V, error, zorder=3, **look)
        if np.isfinite(low).all() and len(own) > 1:
            axis.fill_between(V, low, high, color=look["color"], alpha=0.1, linewidth=0)
        axis.errorbar(V, error, yerr=[error - low, high - error], color=look["color"], linestyle="none",
                      elinewidth=1.0, capsize=2, zorder=2)  # fmt: skip
        published = published_errors(results, suite, name)
        if len(published):
            shown = True
            axis.plot(column(published, "visual_tokens"), column(published, "error"), zorder=2,
                      **{**look, **PRINTED})  # fmt: skip
    for error in column(means[means["compressor"] == "blind"], "error"):
        axis.axhline(float(error), zorder=1, **BLIND)
    tokens_axis(axis, [float(v) for v in means["visual_tokens"] if v > 0])
    axis.set_ylabel(ERROR_LABEL)
    axis.set_title(mathtext(suite.title))
    return shown


def published_errors(results: StudyResults, suite: Suite, compressor: str) -> pd.DataFrame:
    """Return V and error of a method in the published table, where it has every benchmark of a suite.

    There are none if the study asks or scores a benchmark in another way than the published one.
    """
    table, method = results.table1, PUBLISHED_METHODS.get(compressor)
    known = [
        PUBLISHED_BENCHMARKS[name] for name in suite.benchmarks if all_comparable(results.study, name)
    ]
    if table.empty or method is None or len(known) < len(suite.benchmarks):
        return pd.DataFrame(columns=["visual_tokens", "error"])
    rows = []
    for tokens, own in table[table["method"] == method].groupby("visual_tokens"):
        scores = dict(zip(own["benchmark"], own["score"], strict=True))
        shares = [float(scores[each.name]) / each.out_of for each in known if each.name in scores]
        if len(shares) == len(known):
            rows.append({"visual_tokens": tokens, "error": 1 - float(np.mean(shares))})
    return pd.DataFrame(rows, columns=["visual_tokens", "error"])


def _others(results: StudyResults, printed: bool) -> list[Artist]:
    handles: list[Artist] = []
    if (results.errors["visual_tokens"] == 0).any():
        handles.append(Line2D([], [], label="no image (V = 0)", **BLIND))
    if printed:
        handles.append(Line2D([], [], color="0.3", marker="o", label="published Table 1", **PRINTED))
    return handles


METHODS = Figure(
    "methods", "Ways to compress, by token count",
    "Error of each way to compress an image against its number of visual tokens, all trained by one "
    "recipe. Markers are means over seeds; bars and bands are 95 % intervals (Student's over seeds; "
    "with one seed, of the sample of questions), cut off at 0 and 1. Dashed with open markers, where "
    "there are any: the same methods in the paper's Table 1, one run each and by different recipes. "
    "Dotted: a model that sees no image.",
    draw,
)  # fmt: skip
