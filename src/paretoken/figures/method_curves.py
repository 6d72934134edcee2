"""Error against V with intervals, one panel per method: the figure of the paper's Table 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from paretoken.analysis.methods import suite_errors
from paretoken.analysis.scales import PUBLISHED_BENCHMARKS, all_comparable
from paretoken.analysis.study_results import StudyResults
from paretoken.compressors.specification import specification
from paretoken.config.study import Suite
from paretoken.errors import UserError
from paretoken.figures.axes import ERROR_LABEL, tokens_axis, whiskers
from paretoken.figures.base import Figure
from paretoken.figures.legends import side_legend
from paretoken.figures.parts import LEVEL_TEXT, column, sentences
from paretoken.figures.style import BLUE, VERMILION, Look, faces
from paretoken.io.escape import mathtext

#: Size of a panel in inches, space around the panels, and most panels in a row.
PANEL = (2.6, 2.3)
AROUND, LEGEND_WIDTH, MOST_IN_ROW = 0.7, 1.9, 4
OWN: Look = {"color": BLUE, "marker": "o", "markersize": 5, "linewidth": 1.8, **faces(BLUE)}
OTHERS: Look = {"color": "0.78", "linewidth": 1.0}
BLIND: Look = {"color": "0.4", "linestyle": ":", "linewidth": 1.6}
PRINTED: Look = {
    "color": VERMILION,
    "marker": "s",
    "markersize": 4.5,
    "markerfacecolor": "white",
    "linestyle": "--",
    "linewidth": 1.0,
}


def draw(results: StudyResults) -> Drawing:
    """Draw a panel per suite and method; the panels of a suite share their axes."""
    errors = {suite.name: suite_errors(results, suite.name) for suite in results.study.suites}
    shown = {name: methods_of(results, means) for name, means in errors.items()}
    count = max(map(len, shown.values()), default=0)
    if not count:
        raise UserError("figure methods: no cell is measured yet")
    suites = [suite for suite in results.study.suites if shown[suite.name]]
    columns = min(count, MOST_IN_ROW)
    rows = {suite.name: -(-len(shown[suite.name]) // columns) for suite in suites}
    size = (PANEL[0] * columns + LEGEND_WIDTH, PANEL[1] * sum(rows.values()) + AROUND)
    drawing = Drawing(figsize=size, layout="constrained")
    blocks = drawing.subfigures(len(suites), 1, squeeze=False, height_ratios=list(rows.values()))[:, 0]
    drawn: set[str] = set()
    for block, suite in zip(blocks, suites, strict=True):
        panels = block.subplots(rows[suite.name], columns, squeeze=False, sharex=True, sharey=True)
        block.suptitle(mathtext(suite.title), x=0.01, ha="left", fontsize=10.5, fontweight="bold")
        drawn |= _plot_suite(list(panels.ravel()), results, suite, errors[suite.name], columns)
    side_legend(drawing, [("Lines", [h for name, h in _handles().items() if name in drawn])])
    return drawing


def methods_of(results: StudyResults, means: pd.DataFrame) -> list[str]:
    """Return the study's methods with an error in a suite, in the study's order."""
    seen = means[means["visual_tokens"] > 0]["compressor"]
    return [entry.name for entry in results.study.compressors if (seen == entry.name).any()]


def _plot_suite(
    panels: Sequence[Axes], results: StudyResults, suite: Suite, means: pd.DataFrame, columns: int
) -> set[str]:
    """Draw the panels of a suite; return the names of the drawn elements."""
    names, drawn = methods_of(results, means), {"own"}
    for axis in panels[len(names) :]:
        axis.set_axis_off()
    for place, (axis, name) in enumerate(zip(panels, names, strict=False)):
        for other in names:
            if other != name:
                rows = means[means["compressor"] == other].sort_values("visual_tokens")
                axis.plot(rows["visual_tokens"], rows["error"], zorder=1, **OTHERS)
                drawn.add("others")
        drawn |= _plot_method(axis, results, suite, means, name)
        for error in column(means[means["compressor"] == "blind"], "error"):
            axis.axhline(float(error), zorder=1, **BLIND)
            drawn.add("blind")
        tokens_axis(axis, [float(v) for v in means["visual_tokens"] if v > 0])
        axis.set_title(mathtext(specification(name).title))
        below = place + columns >= len(names)
        axis.tick_params(labelbottom=below)
        axis.set_xlabel("Visual tokens V" if below else "")
        axis.set_ylabel(ERROR_LABEL if place % columns == 0 else "")
    return drawn


def _plot_method(
    axis: Axes, results: StudyResults, suite: Suite, means: pd.DataFrame, name: str
) -> set[str]:
    own = means[means["compressor"] == name].sort_values("visual_tokens")
    V, error = column(own, "visual_tokens"), column(own, "error")
    low, high = (np.clip(column(own, end), 0.0, 1.0) for end in ("low", "high"))  # errors lie within
    drawn = set()
    if np.isfinite(low).all():
        axis.fill_between(V, low, high, color=OWN["color"], alpha=0.18, linewidth=0)
        drawn.add("interval")
    axis.plot(V, error, zorder=3, **OWN)
    whiskers(axis, V, error, np.nan_to_num(np.stack([error - low, high - error])), OWN["color"])
    published = published_errors(results, suite, name)
    if len(published):
        drawn.add("printed")
        axis.plot(column(published, "visual_tokens"), column(published, "error"), zorder=2, **PRINTED)
    return drawn


def _handles() -> dict[str, Artist]:
    return {
        "own": Line2D([], [], label="this method", **OWN),
        "interval": Patch(facecolor=BLUE, alpha=0.3, linewidth=0, label=f"{LEVEL_TEXT} interval"),
        "others": Line2D([], [], label="the other methods", **OTHERS),
        "blind": Line2D([], [], label="no image (V = 0)", **BLIND),
        "printed": Line2D([], [], label="published Table 1", **PRINTED),
    }


def published_errors(results: StudyResults, suite: Suite, compressor: str) -> pd.DataFrame:
    """Return V and error of a method in the published table, where it has all benchmarks of a suite.

    It is empty if the study asks or scores a benchmark differently from the published table.
    """
    table, method = results.table1, specification(compressor).published
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


def _caption(results: StudyResults) -> str:
    suites = results.study.suites
    means = pd.concat([suite_errors(results, suite.name) for suite in suites])
    blind = means["compressor"] == "blind"
    shown = means[~blind]
    printed = any(
        len(published_errors(results, suite, entry.name))
        for suite in suites
        for entry in results.study.compressors
    )
    return sentences(
        "Error of each compression method against its number of visual tokens. All are trained with one "
        "recipe, and each has a panel"
        + (", with the others in grey." if shown["compressor"].nunique() > 1 else "."),
        "Markers are means over seeds." if (shown["seeds"] > 1).any() else "",
        f"Bars and bands are {LEVEL_TEXT} intervals (Student's over seeds; with one seed, of the sample "
        "of questions), clipped to 0 and 1."
        if np.isfinite(column(shown, "low")).any()
        else "",
        "The dotted line is a model without an image." if blind.any() else "",
        "Dashed lines with open markers are the same methods in the paper's Table 1, with one run each "
        "and different recipes."
        if printed
        else "",
    )


METHODS = Figure("methods", "Compression methods by token count", _caption, draw)
