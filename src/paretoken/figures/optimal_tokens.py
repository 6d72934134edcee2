"""V*(Q): the token count that is best at any budget, for each law in which there is one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.laws.base import Array
from paretoken.analysis.optimum import optimal_tokens
from paretoken.analysis.resample import percentiles
from paretoken.analysis.study_results import StudyResults
from paretoken.config import Suite
from paretoken.figures.axes import ONE_PANEL, canvas
from paretoken.figures.base import Figure
from paretoken.figures.legends import side_legend
from paretoken.figures.parts import DENSE, LEVEL_TEXT, Numbers, missing, shown_suites
from paretoken.figures.style import BLUE, VERMILION, Look

ROLES = {"reasoning": (BLUE, "reasoning"), "ocr": (VERMILION, "OCR")}
OTHER_LAWS: tuple[Look, ...] = tuple(
    {"linestyle": line} for line in (":", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))
)
OTHER: Look = {"color": "black", "linewidth": 1.1}
#: Published numbers by their names; `q` is followed by the Q that they are for.
PUBLISHED = "optimal_tokens_q"
MARKS = ("o", "s", "D", "^")


def draw(results: StudyResults) -> Drawing:
    """Draw V* against Q for the reasoning suite, and for OCR if the study has it."""
    suites = shown_suites(results, "optimal_tokens")
    if max(results.study.text_tokens) == 0:
        raise missing(results, "optimal_tokens", "a number greater than 0 under text_tokens")
    drawing, (axis,) = canvas(ONE_PANEL)
    headline = [_plot_headline(axis, results, suite) for suite in suites]
    others = {
        law: line for suite in suites for law, line in _plot_others(axis, results, suite.name).items()
    }
    paper = _plot_published(axis, results, suites[0].name)
    _label(axis, results.headline(suites[0].name))
    axis.set_title("Best token count at any budget")
    side_legend(drawing, [
        (f"Law: {results.study.fit.laws[0]}", headline),
        ("Other laws", [Line2D([], [], label=law, **line, **OTHER)
                        for law, line in others.items()]),
        ("The paper", paper),
    ])  # fmt: skip
    return drawing


def star(fit: FittedLaw, Q: Numbers, parameters: Array) -> Numbers:
    """Return V* for each row of ``parameters`` (R, P) and each Q (n,), as (R, n)."""
    ratio, tokens = fit.law.exponent_ratio(parameters), fit.token_counts
    columns = [optimal_tokens(fit.law, ratio, float(q), min(tokens), max(tokens)) for q in Q]
    return np.stack(columns, axis=1)


def point(fit: FittedLaw) -> Numbers:
    """Return the fitted parameters as one row (1, P)."""
    return np.array([[fit.parameters[name] for name in fit.law.parameters]])


def _grid(results: StudyResults) -> Numbers:
    return np.linspace(0, max(results.study.text_tokens), DENSE)


def _plot_headline(axis: Axes, results: StudyResults, suite: Suite) -> Artist:
    fit, (colour, words), Q = results.headline(suite.name), ROLES[suite.role], _grid(results)
    if not fit.law.constant_optimum:
        raise missing(results, "optimal_tokens", "a first law whose V* does not depend on the "
                      "budget (product, say) under fit: laws")  # fmt: skip
    if len(fit.draws):
        low, high = (
            np.array(ends, dtype=float)
            for ends in zip(*(percentiles(drawn) for drawn in star(fit, Q, fit.draws).T), strict=True)
        )
        axis.fill_between(Q, low, high, color=colour, alpha=0.25, linewidth=0)
        words = f"{words}, {LEVEL_TEXT} band"
    axis.plot(Q, star(fit, Q, point(fit))[0], color=colour, linewidth=3)
    return Line2D([], [], color=colour, linewidth=3, label=words)


def _plot_others(axis: Axes, results: StudyResults, suite: str) -> dict[str, Look]:
    """Draw the further laws thin, and return their line styles."""
    drawn: dict[str, Look] = {}
    for name, line in zip(_other_laws(results, suite), OTHER_LAWS * 2, strict=False):
        fit, Q = results.fit(suite, f"{name}-all"), _grid(results)
        axis.plot(Q, star(fit, Q, point(fit))[0], **line, **OTHER)
        drawn[name] = line
    return drawn


def _other_laws(results: StudyResults, suite: str) -> list[str]:
    """Return the study's further laws that have a V*, of those that were fitted."""
    fits = {name: results.fits.get((suite, f"{name}-all")) for name in results.study.fit.laws[1:]}
    return [name for name, fit in fits.items() if fit is not None and fit.law.constant_optimum]


def published_points(results: StudyResults, suite: str) -> dict[str, tuple[float, float]]:
    """Return the published optima by quantity: (Q, V*), from names such as optimal_tokens_q50."""
    own = results.values[results.values["suite"] == suite]
    found = {}
    for quantity, value in zip(own["quantity"], own["value"], strict=True):
        digits = str(quantity).removeprefix(PUBLISHED).partition("_")[0]
        if str(quantity).startswith(PUBLISHED) and digits.isdecimal():
            found[str(quantity)] = (float(digits), float(value))
    return found


def _plot_published(axis: Axes, results: StudyResults, suite: str) -> list[Artist]:
    points: Mapping[str, tuple[float, float]] = published_points(results, suite)
    handles: list[Artist] = []
    for (quantity, (Q, V)), marker in zip(points.items(), MARKS * 2, strict=False):
        where = "text" if quantity.endswith("_text") else "code"
        look: Look = {"marker": marker, "color": "black", "markeredgecolor": "white", "markersize": 7,
                "linestyle": "none", "zorder": 5}  # fmt: skip
        axis.plot([Q], [V], clip_on=False, **look)
        handles.append(Line2D([], [], **look, label=f"V = {V:g} at Q = {Q:g} ({where})"))
    return handles


def _label(axis: Axes, fit: FittedLaw) -> None:
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(FixedLocator(fit.token_counts))
    axis.yaxis.set_major_formatter(FixedFormatter([f"{v:g}" for v in fit.token_counts]))
    axis.yaxis.set_minor_locator(FixedLocator([]))
    axis.set_xlabel("Text tokens Q per question")
    axis.set_ylabel("Best number of visual tokens V*")


OPTIMAL_TOKENS = Figure(
    "optimal_tokens", "How many visual tokens are best",
    "V* that minimises the fitted error at any fixed inference cost 2N(Q + V), in closed form, within "
    "the measured range of V (the ticks). Thick with band: the headline law and its 95 % "
    "interval; thin: the study's other laws that have one V* for all budgets. A band that reaches the "
    "upper edge (alpha <= beta) allows for as many tokens as possible; one that spans the panel tells "
    "nothing.",
    draw,
    paper="Black: what the paper's code and text state.",
)  # fmt: skip
