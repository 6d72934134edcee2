"""Figures 1a, 1b and 3b: error against inference cost, with the computed Pareto line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.frontier import configurations, undominated
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Role, Suite
from paretoken.costs.models.base import Cost
from paretoken.costs.models.paper import PAPER_COST
from paretoken.figures.axes import ERROR_LABEL, ONE_PANEL, canvas, cost_axis, plot_cells
from paretoken.figures.base import Figure
from paretoken.figures.legends import (
    bottom_legend,
    side_legend,
    size_handles,
    text_handles,
    token_handles,
)
from paretoken.figures.parts import (
    LEVEL_TEXT,
    bars_in_words,
    column,
    dense,
    levels,
    mean_cells,
    missing,
    of_paper,
    parameter_lines,
    require_suite,
    sentences,
)
from paretoken.figures.style import ORANGE, Look, ramp
from paretoken.io.arrays import Numbers
from paretoken.io.escape import mathtext
from paretoken.study.published import PAPER_Q

PARETO: Look = {"color": "black", "linewidth": 2.6, "label": "Pareto line, computed"}
#: Light enough to be visible on the black line, which it may coincide with.
PAPER: Look = {"color": ORANGE, "linewidth": 2.0, "linestyle": (0, (1, 1.4))}


@dataclass(frozen=True)
class View:
    """The content of one of these figures: the suite, and which of the study's Q.

    Attributes:
        name: the name of the figure.
        role: the role of the suite.
        choose_q: the study's Q -> one of them; None if none is suitable.
        which: the choice of that Q, in words.
        remark: a further sentence; may be empty.
        paper: the corresponding figure of the paper, in words.
    """

    name: str
    role: Role
    choose_q: Callable[[Sequence[int]], int | None]
    which: str
    remark: str
    paper: str

    def ingredients(self, results: StudyResults) -> tuple[Suite, int]:
        """Return the suite and Q (`UserError` if the study lacks one of them)."""
        suite = require_suite(results, self.name, self.role)
        Q = self.choose_q(results.study.text_tokens)
        if Q is None:
            raise missing(results, self.name, "a number greater than 0 under text_tokens")
        return suite, Q


def nearest_positive(text_tokens: Sequence[int]) -> int | None:
    """Return the positive Q nearest to the paper's, the smaller of two equally near ones."""
    positive = sorted(Q for Q in text_tokens if Q > 0)
    return min(positive, key=lambda Q: abs(Q - PAPER_Q), default=None)


def pareto_line(
    fit: FittedLaw,
    sizes: Sequence[float],
    tokens: Sequence[float],
    Q: float,
    cost: Cost = PAPER_COST,
) -> pd.DataFrame:
    """Return the undominated configurations over a dense range of N and of V, by ascending cost."""
    without_intervals = replace(fit, draws=fit.draws[:0], noise=fit.noise[:0])
    N, V = list(dense(sizes)), list(dense(tokens))
    return undominated(configurations(without_intervals, N, V, Q, cost))


def draw(view: View, results: StudyResults) -> Drawing:
    """Draw cells, fitted curves, the computed Pareto line and the paper's."""
    suite, Q = view.ingredients(results)
    fit, cells = results.headline(suite.name), mean_cells(results, suite.name)
    sizes, tokens = levels(cells, "params_b"), levels(cells, "visual_tokens")
    drawing, (axis,) = canvas(ONE_PANEL)
    cost, paper = results.cost, _paper_tokens(results, suite, Q)
    _plot_curves(axis, fit, sizes, dense(tokens), Q, cost)
    lines = _plot_lines(axis, fit, sizes, tokens, Q, paper, cost)
    plot_cells(axis, cost(column(cells, "params_b"), column(cells, "visual_tokens"), Q), cells)
    cost_axis(axis, cost, Q)
    axis.set_ylabel(ERROR_LABEL)
    axis.set_title(mathtext(suite.title))
    side_legend(
        drawing,
        [
            ("Model size N", size_handles(sizes, fit.held_out)),
            ("Visual tokens V", token_handles(tokens)),
            (f"Fit [{LEVEL_TEXT} interval]", text_handles(parameter_lines(fit))),
        ],
    )
    bottom_legend(drawing, lines, len(lines))
    return drawing


def _paper_tokens(results: StudyResults, suite: Suite, Q: int) -> float | None:
    return results.value(suite.name, f"optimal_tokens_q{Q:g}")


def _plot_curves(
    axis: Axes, fit: FittedLaw, sizes: Sequence[float], V: Numbers, Q: float, cost: Cost
) -> None:
    colours, unseen = ramp(sizes), fit.held_out
    for n in sizes:
        axis.plot(
            cost(n, V, Q),
            fit.predict(n, V, Q),
            color=colours[n],
            linestyle="--" if n in unseen else "-",
            linewidth=1.6,
            zorder=2,
        )


def _plot_lines(
    axis: Axes,
    fit: FittedLaw,
    sizes: Sequence[float],
    tokens: Sequence[float],
    Q: float,
    paper_tokens: float | None,
    cost: Cost,
) -> list[Artist]:
    pareto = pareto_line(fit, sizes, tokens, Q, cost)
    axis.plot(pareto["cost"], pareto["error"], zorder=3, **PARETO)
    handles: list[Artist] = [Line2D([], [], **PARETO)]
    if paper_tokens is not None:
        N = dense(sizes)
        look = PAPER | {"label": f"paper's line: V = {paper_tokens:g} at every N"}
        axis.plot(cost(N, paper_tokens, Q), fit.predict(N, paper_tokens, Q), zorder=3.5, **look)
        handles.append(Line2D([], [], **look))
    return handles


def _title(view: View, results: StudyResults) -> str:
    suite, Q = view.ingredients(results)
    return f"{suite.title}: error against inference cost at Q = {Q:g}"


def _caption(view: View, results: StudyResults) -> str:
    suite, Q = view.ingredients(results)
    fit, cells = results.headline(suite.name), mean_cells(results, suite.name)
    held = {*fit.held_out} & {*levels(cells, "params_b")}
    means = "means over seeds; " if (cells["seeds"] > 1).any() else ""
    return sentences(
        f"{suite.title}: error against inference cost at Q = {Q:g} text tokens, {view.which}.",
        view.remark,
        f"This is {view.paper}." if of_paper(results) else "",
        f"Markers show measured cells ({means}colour and shape by N, area by V).",
        bars_in_words(cells),
        "Thin curves show the headline fit of each N over continuous V"
        + (" (dashed: N held out of the fit)." if held else "."),
        "The black line is computed from the fit: with N and V continuous within the measured ranges, "
        "no other configuration has a lower error at no greater cost.",
        "The dotted line holds V at the paper's hard-coded number and is evaluated with the same fit."
        if _paper_tokens(results, suite, Q) is not None
        else "",
    )


def _figure(view: View) -> Figure:
    words = partial(_title, view), partial(_caption, view)
    return Figure(view.name, *words, partial(draw, view), shows_cost=True)


TOKENS_FIRST = "Where the exponent of V exceeds that of N, tokens pay off before parameters do."
NEAREST = f"the study's positive Q nearest to {PAPER_Q:g}"
FIG1A = _figure(
    View("fig1a", "reasoning", min, "the study's smallest Q", "", "the paper's Fig. 1a (Q = 0)")
)
FIG1B = _figure(
    View("fig1b", "reasoning", nearest_positive, NEAREST, "", "the paper's Fig. 1b (Q = 50)")
)
FIG3B = _figure(
    View("fig3b", "ocr", nearest_positive, NEAREST, TOKENS_FIRST, "the paper's Fig. 3b"),
)
