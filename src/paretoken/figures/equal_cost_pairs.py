"""Figure 4: a larger model or more tokens, by measured configurations of nearly equal cost."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from paretoken.analysis.equal_cost import TOLERANCE, equal_cost_groups
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.figures.axes import ERROR_LABEL, canvas, plot_points, sizes_axis
from paretoken.figures.base import Figure
from paretoken.figures.legends import bottom_legend
from paretoken.figures.parts import (
    bars_in_words,
    column,
    mean_cells,
    missing,
    require_suite,
    sentences,
)
from paretoken.figures.style import Colour, Look, ramp
from paretoken.io.escape import mathtext
from paretoken.io.text_tables import size_label

SIZE = (10.0, 5.6)
WINS: Look = {"linestyle": "-", "linewidth": 1.8}
LOSES: Look = {"linestyle": (0, (4, 2)), "linewidth": 1.8}
LEGEND_COLUMNS = 2
CELL = ["llm", "compressor", "visual_tokens"]


def draw(results: StudyResults) -> Drawing:
    """Draw the error of each group against N, for the reasoning and the OCR suite."""
    suites, cells = _measured(results)
    groups = equal_cost_groups(cells[suites[0].name])
    if not groups:
        raise missing(
            results,
            "fig4",
            f"sizes and token counts of which two have N V within {TOLERANCE:.0%} of each other",
        )
    colours = _colours(groups)
    drawing, panels = canvas(SIZE, columns=2)
    looks: list[Look | None] = []
    for axis, suite in zip(panels, suites, strict=True):
        own = cells[suite.name].set_index(CELL)
        looks += [
            _plot_group(axis, group, own, colour) for group, colour in zip(groups, colours, strict=True)
        ]
        sizes_axis(axis, sorted({n for group in groups for n in group["params_b"]}))
        axis.set_ylabel(ERROR_LABEL)
        axis.set_title(mathtext(suite.title))
    bottom_legend(drawing, _handles(groups, colours, looks), LEGEND_COLUMNS)
    return drawing


def _measured(results: StudyResults) -> tuple[list[Suite], dict[str, pd.DataFrame]]:
    suites = [require_suite(results, "fig4", "reasoning"), require_suite(results, "fig4", "ocr")]
    return suites, {suite.name: mean_cells(results, suite.name) for suite in suites}


def _colours(groups: Sequence[pd.DataFrame]) -> list[Colour]:
    costs = [float(group["flops"].min()) for group in groups]
    return [ramp(costs)[cost] for cost in costs]


def _plot_group(axis: Axes, group: pd.DataFrame, own: pd.DataFrame, colour: Colour) -> Look | None:
    """Join one group's measured cells of one suite; solid if its largest model has the least error.

    Returns the look of the line; None if none of its cells was measured.
    """
    keys = [
        key
        for key in zip(group["llm"], group["compressor"], group["visual_tokens"], strict=True)
        if key in own.index
    ]
    rows = own.loc[keys].reset_index()
    if rows.empty:
        return None
    wins = rows["error"].iloc[-1] <= rows["error"].min()
    look = WINS if wins else LOSES
    axis.plot(rows["params_b"], rows["error"], color=colour, **look)
    plot_points(axis, column(rows, "params_b"), rows, colour, "o")
    return look


def _handles(
    groups: Sequence[pd.DataFrame], colours: Sequence[Colour], looks: Sequence[Look | None]
) -> list[Artist]:
    """Return a legend entry per group, and one for each kind of line that was drawn."""
    cost = EngFormatter(sep=" ")
    handles: list[Artist] = []
    for group, colour in zip(groups, colours, strict=True):
        mean = cost(float(format(group["flops"].mean(), ".3g")))
        label = f"about {mean}FLOPs: {_members(group)}"
        handles.append(Line2D([], [], color=colour, linewidth=3, label=label))
    kinds = ((WINS, "largest model errs least"), (LOSES, "a smaller model errs least"))
    return [
        *handles,
        *[Line2D([], [], color="0.3", label=label, **look) for look, label in kinds if look in looks],
    ]


def _members(group: pd.DataFrame) -> str:
    pairs = zip(group["params_b"], group["visual_tokens"], strict=True)
    return ", ".join(f"{size_label(n)}@{v:g}" for n, v in pairs)


def _caption(results: StudyResults) -> str:
    _, cells = _measured(results)
    groups = equal_cost_groups(next(iter(cells.values())))
    shown = [own[own.set_index(CELL).index.isin(_keys(groups))] for own in cells.values()]
    return sentences(
        f"Measured errors of configurations N@V whose costs are within {TOLERANCE:.0%} of each other at "
        "Q = 0. One line joins each such group of the measured grid, and the legend gives its mean "
        "cost. Marker area shows V.",
        bars_in_words(*shown),
        "No law is used. A line that falls to the right favours parameters, and one that rises favours "
        "visual tokens; the sentences on equal cost say whether this is more than chance.",
    )


def _keys(groups: Sequence[pd.DataFrame]) -> list[tuple[str, ...]]:
    return [key for group in groups for key in group[CELL].itertuples(index=False, name=None)]


FIG4 = Figure("fig4", "Larger model or more tokens, at equal cost", _caption, draw)
