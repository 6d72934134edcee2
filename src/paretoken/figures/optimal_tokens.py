"""V*(Q): the token count that is best at any budget, for each law that has one."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator

from paretoken.analysis.closed_form_optimum import optimal_tokens
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.resample import percentiles
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.figures.axes import canvas
from paretoken.figures.base import Figure
from paretoken.figures.legends import side_legend
from paretoken.figures.parts import DENSE, LEVEL_TEXT, missing, sentences, shown_suites
from paretoken.figures.style import ROLE_COLOURS, Colour, Look
from paretoken.io.arrays import Array, Numbers
from paretoken.io.escape import mathtext

SIZE = (8.4, 4.6)
#: Line widths of the headline law and of the others, by suite: the second lies on the first.
WIDTHS = ((4.4, 2.2), (2.2, 1.1))
OTHER_LAWS = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
#: Share of the suite's colour in other laws: darker, so that they are visible on the headline's curve.
DARK = 0.55
#: Share of the height of the panel below which curves coincide and bands are invisible.
UNSEEN = 0.01
#: Characters in a line of the legend.
LEGEND_WIDTH = 34
#: Prefix of the names of published optima; the value of Q follows it.
PUBLISHED = "optimal_tokens_q"
MARKS = ("o", "s", "D", "^")


#: The laws whose curves coincide, and their V* on the grid of Q.
Curve = tuple[list[str], Numbers]


@dataclass(frozen=True)
class Shown:
    """The curves and the band of a suite.

    Attributes:
        suite: the suite.
        curves: the curves that differ visibly; the first law of the first curve is the headline law.
        band: ends of the headline law's interval on the grid of Q; None if there is no visible one.
    """

    suite: Suite
    curves: Sequence[Curve]
    band: tuple[Numbers, Numbers] | None


def draw(results: StudyResults) -> Drawing:
    """Draw V* against Q for the reasoning suite, and for OCR if the study has it."""
    found = shown(results)
    drawing, (axis,) = canvas(SIZE)
    handles: list[Artist] = []
    for place, each in enumerate(found):
        handles += _plot(axis, _grid(results), each, place, results.study.fit.laws[0])
    paper = _plot_published(axis, results, found[0].suite.name)
    _label(axis, results.headline(found[0].suite.name))
    axis.set_title("Best token count at any budget,\nif models of every size are available")
    side_legend(drawing, [("Suite: laws", handles), ("The paper", paper)])
    return drawing


def shown(results: StudyResults) -> list[Shown]:
    """Return the curves and the band of each suite (`UserError` if the study has no V*)."""
    suites = shown_suites(results, "optimal_tokens")
    if max(results.study.text_tokens) == 0:
        raise missing(results, "optimal_tokens", "a number greater than 0 under text_tokens")
    return [Shown(suite, _curves(results, suite), _band(results, suite)) for suite in suites]


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


def _apart(fit: FittedLaw, one: Numbers, other: Numbers) -> bool:
    """Return whether two curves differ visibly somewhere, on the logarithmic axis of V."""
    height = np.log(max(fit.token_counts) / min(fit.token_counts))
    return bool(np.abs(np.log(one / other)).max() > UNSEEN * height)


def _curves(results: StudyResults, suite: Suite) -> list[Curve]:
    """Return V* by all fitted laws of the study that have one; coinciding laws share a curve."""
    headline, Q = results.headline(suite.name), _grid(results)
    if not headline.law.constant_optimum:
        raise missing(
            results,
            "optimal_tokens",
            "a first law whose V* does not depend on the budget (such as product) under fit: laws",
        )
    curves: list[Curve] = []
    for law in results.study.fit.laws:
        fit = results.fits.get((suite.name, f"{law}-all"))
        if fit is None or not fit.law.constant_optimum:
            continue
        V = star(fit, Q, point(fit))[0]
        same = [laws for laws, other in curves if not _apart(headline, V, other)]
        if same:
            same[0].append(law)
        else:
            curves.append(([law], V))
    return curves


def _band(results: StudyResults, suite: Suite) -> tuple[Numbers, Numbers] | None:
    fit, Q = results.headline(suite.name), _grid(results)
    if not len(fit.draws):
        return None
    ends = np.array([percentiles(drawn) for drawn in star(fit, Q, fit.draws).T], dtype=float)
    low, high = ends.T
    return (low, high) if _apart(fit, low, high) else None


def _plot(axis: Axes, Q: Numbers, found: Shown, place: int, headline: str) -> list[Artist]:
    """Draw a suite; return its legend entries."""
    colour, (thick, thin) = ROLE_COLOURS[found.suite.role], WIDTHS[place]
    red, green, blue = to_rgb(colour)
    dark: Colour = (DARK * red, DARK * green, DARK * blue)
    handles: list[Artist] = []
    for i, (laws, V) in enumerate(found.curves):
        look: Look = {"color": colour, "linewidth": thick, "zorder": 2 + 0.1 * place}
        if i:
            line = OTHER_LAWS[(i - 1) % len(OTHER_LAWS)]
            look = {"color": dark, "linewidth": thin, "linestyle": line, "zorder": 3 + 0.1 * place}
        axis.plot(Q, V, **look)
        words = textwrap.fill(mathtext(f"{found.suite.title}: {', '.join(laws)}"), LEGEND_WIDTH)
        handles.append(Line2D([], [], label=words, **look))
    if found.band is not None:
        band: Look = {"facecolor": (red, green, blue, 0.22), "edgecolor": colour, "linewidth": 0.6}
        axis.fill_between(Q, *found.band, zorder=1, **band)
        handles.insert(1, Patch(label=f"{LEVEL_TEXT} interval by {headline}", **band))
    return handles


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
        look: Look = {
            "marker": marker,
            "color": "black",
            "markeredgecolor": "white",
            "markersize": 7,
            "linestyle": "none",
            "zorder": 5,
        }
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


def _caption(results: StudyResults) -> str:
    found = shown(results)
    laws = [names for each in found for names, _ in each.curves]
    bands = [each for each in found if each.band is not None]
    unseen = len(bands) < len(found) and any(
        len(results.headline(each.suite.name).draws) for each in found if each.band is None
    )
    return sentences(
        "V* minimises the fitted error at any fixed inference cost 2N(Q + V), in closed form, within "
        "the measured range of V (the ticks; the axis is logarithmic). It is the same at every budget "
        "only if models of every size are available; with the sizes of the study, the best V steps "
        "around it.",
        "Thick lines are the headline law"
        + (f", with its {LEVEL_TEXT} interval as a band." if bands else "."),
        "A band that is not visible is narrower than the line." if unseen else "",
        "Thin lines are the study's other laws with one V* for all budgets."
        if any(len(each.curves) > 1 for each in found)
        else "",
        "Curves of a suite that coincide are drawn once and named together."
        if any(len(names) > 1 for names in laws)
        else "",
        "A band that reaches the upper edge (alpha <= beta) allows for as many tokens as possible; one "
        "that spans the panel says nothing."
        if bands
        else "",
        "Black markers are numbers in the paper's code and text."
        if published_points(results, found[0].suite.name)
        else "",
    )


OPTIMAL_TOKENS = Figure("optimal_tokens", "How many visual tokens are best", _caption, draw)
