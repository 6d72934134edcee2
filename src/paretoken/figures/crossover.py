"""Figure 3a: the cost above which the larger of two models is better, for several Q."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from paretoken.analysis.crossovers import crossovers
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.costs.models.base import Cost
from paretoken.costs.models.flops import FLOPS_2NT
from paretoken.figures.axes import ERROR_LABEL, ONE_PANEL, canvas, cost_axis
from paretoken.figures.base import Figure
from paretoken.figures.legends import side_legend
from paretoken.figures.parts import dense, missing, require_suite, sentences
from paretoken.figures.style import VERMILION, Colour, Look, ramp
from paretoken.io.escape import mathtext
from paretoken.io.text_tables import size_label

#: Looks of the smaller and the larger size.
LINES: tuple[Look, Look] = ({"linestyle": "--"}, {"linestyle": "-"})
CROSSING: Look = {
    "color": VERMILION,
    "marker": "o",
    "markersize": 7.5,
    "markeredgecolor": "white",
    "linestyle": "none",
    "zorder": 5,
}


def draw(results: StudyResults) -> Drawing:
    """Draw both sizes' curves for each positive Q and mark where they cross."""
    suite, fit, table = _crossovers(results)
    pair, text_tokens = fit.fitted_sizes[-2:], [float(Q) for Q in table["text_tokens"]]
    drawing, (axis,) = canvas(ONE_PANEL)
    colours = ramp(text_tokens)
    for Q in text_tokens:
        _plot_pair(axis, fit, pair, Q, colours[Q], results.cost)
    met = bool(table["cost"].notna().any())
    axis.plot(table["cost"], table["error"], **CROSSING)
    cost_axis(axis, results.cost)
    axis.set_ylabel(ERROR_LABEL)
    axis.set_title(mathtext(suite.title))
    side_legend(
        drawing,
        [
            ("Model size N", _size_handles(pair, met)),
            (
                f"Crossover: V of {size_label(pair[0])}, {size_label(pair[1])}",
                _text_handles(table, colours),
            ),
        ],
    )
    return drawing


def _crossovers(results: StudyResults) -> tuple[Suite, FittedLaw, pd.DataFrame]:
    """Return the suite, its fit, and where the two largest fitted sizes cross at each positive Q."""
    suite = require_suite(results, "fig3a", "reasoning")
    fit = results.headline(suite.name)
    text_tokens = sorted(float(Q) for Q in results.study.text_tokens if Q > 0)
    if not text_tokens:
        raise missing(results, "fig3a", "a number greater than 0 under text_tokens")
    pair = fit.fitted_sizes[-2:]
    return suite, fit, crossovers(fit, pair, fit.token_counts, text_tokens, results.cost)


def _plot_pair(
    axis: Axes, fit: FittedLaw, pair: Sequence[float], Q: float, colour: Colour, cost: Cost
) -> None:
    V = dense(fit.token_counts)
    for n, line in zip(pair, LINES, strict=True):
        axis.plot(cost(n, V, Q), fit.predict(n, V, Q), color=colour, **line, linewidth=1.6)


def _size_handles(pair: Sequence[float], met: bool) -> list[Artist]:
    lines: list[Artist] = [
        Line2D([], [], color="0.3", **line, linewidth=1.6, label=size_label(n))
        for n, line in zip(pair, LINES, strict=True)
    ]
    dot = Line2D([], [], **CROSSING, label="equal error at equal cost")
    return [*lines, dot] if met else lines


def _text_handles(table: pd.DataFrame, colours: dict[float, Colour]) -> list[Artist]:
    """Return one legend entry per Q, with both token counts at the crossover."""
    return [
        Line2D([], [], color=colours[float(row["text_tokens"])], linewidth=3, label=_words(row))
        for _, row in table.iterrows()
    ]


def _words(row: pd.Series[float]) -> str:
    if pd.isna(row["cost"]):
        return f"Q = {row['text_tokens']:g}: do not cross"
    small, large = row["small_visual_tokens"], row["large_visual_tokens"]
    return f"Q = {row['text_tokens']:g}: V = {small:.3g}, {large:.3g}"


def _caption(results: StudyResults) -> str:
    suite, fit, table = _crossovers(results)
    met, zero = table["cost"].notna(), min(results.study.text_tokens) == 0
    never = fit.law.constant_optimum and results.cost.model == FLOPS_2NT
    return sentences(
        f"{suite.title}: fitted error of the two largest fitted sizes against inference cost, one "
        "colour per number of text tokens Q (dashed: smaller model, solid: larger).",
        "Dots mark equal error at equal cost: the smaller model with more visual tokens is better left "
        "of a dot, and the larger one right of it. The legend gives the V of both models at the dot, "
        "the smaller model's first."
        if met.any()
        else "",
        "Curves whose legend says so do not cross within the measured range of V."
        if not met.all()
        else "",
        _without_text(never) if zero else "",
    )


def _without_text(never: bool) -> str:
    """Return why Q = 0 is left out; ``never`` says that curves cannot cross there."""
    if not never:
        return "Q = 0 is left out."
    return (
        "Q = 0 is left out: the cost is then 2NV, and under a law with one alpha / beta no size takes "
        "over from another as the cost grows."
    )


FIG3A = Figure("fig3a", "Where the larger model takes over", _caption, draw, shows_cost=True)
