"""The explorer's chart as a Vega-Lite specification, drawn by Altair; its data come from the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

#: Names of the data sets that the page fills in.
CURVES, MEASURED, FRONTIER, BUDGET, BEST = "curves", "measured", "frontier", "budget", "best"
#: Names of the parameters that the page sets: ticks of the cost axis, labels by tick value, and title.
TICKS, LABELS, TITLE = "cost_ticks", "cost_labels", "cost_title"
#: Placeholder of that title until the chart is compiled: Vega-Lite requires constant axis titles.
COST_TITLE = "Cost"
#: A five-pointed star, which Vega lacks. It extends beyond a disc so that it looks as large.
STAR = (
    "M0,-1.4L0.33,-0.45L1.33,-0.43L0.53,0.17L0.82,1.13L0,0.56L-0.82,1.13L-0.53,0.17"
    "L-1.33,-0.43L-0.33,-0.45Z"
)
#: The marker shapes of the project's figures, in the same order.
SHAPES = ("circle", "triangle-down", STAR, "diamond", "square", "triangle-up", "cross", "triangle-left")
TEXT = 12


def explorer_chart(labels: Sequence[str]) -> dict[str, Any]:
    """Return the Vega-Lite specification: error against cost, one colour and shape per size.

    Colours are variables of the page's style sheet (``--n0`` for the smallest size), so that light,
    dark and print each have their own.

    Args:
        labels: the labels of the sizes, such as 1.8B, in ascending order.
    """
    chart = (
        alt.layer(*_layers(labels))
        .properties(width="container", height=360, background="transparent")
        .add_params(
            alt.param(name=TICKS, value=[]),
            alt.param(name=LABELS, value={}),
            alt.param(name=TITLE, value=""),
        )
    )
    specification: dict[str, Any] = (
        chart.configure_view(stroke=None)
        .configure_axis(labelFontSize=TEXT, titleFontSize=TEXT, titleFontWeight="normal")
        .configure_legend(labelFontSize=TEXT, titleFontSize=TEXT, titleFontWeight="normal")
        .to_dict()
    )
    specification["datasets"] = {name: [] for name in (CURVES, MEASURED, FRONTIER, BUDGET, BEST)}
    specification["usermeta"] = {"cost_title": COST_TITLE}
    specification.pop("data", None)
    return specification


def _layers(labels: Sequence[str]) -> list[alt.Chart]:
    """Return the layers of the chart, from back to front."""
    size, shape = _by_size(labels)
    costs = alt.Axis(
        title=COST_TITLE,
        values=alt.ExprRef(TICKS),
        labelExpr=f"{LABELS}[datum.value]",
        labelOverlap=True,
        grid=False,
    )
    x = alt.X("cost:Q", scale=alt.Scale(type="log", nice=False, padding=12), axis=costs)
    y = alt.Y("error:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title="Error (1 − mean score)"))
    tooltip = [
        alt.Tooltip("size:N", title="size"),
        alt.Tooltip("v:Q", title="visual tokens"),
        alt.Tooltip("cost_text:N", title="cost"),
        alt.Tooltip("error:Q", title="error", format=".4f"),
    ]
    fitted = alt.Chart(_named(CURVES)).mark_line(strokeWidth=1.6).encode(x, y, color=size)
    frontier = (
        alt.Chart(_named(FRONTIER))
        .mark_line(stroke="var(--ink)", strokeWidth=2.4, interpolate="step-after")
        .encode(x, y)
    )
    points = (
        alt.Chart(_named(MEASURED))
        .mark_point(filled=True, opacity=1, size=70, stroke="var(--card)", strokeWidth=0.8)
        .encode(x, y, color=size, shape=shape, tooltip=[*tooltip, alt.Tooltip("flag:N", title="flag")])
    )
    budget = (
        alt.Chart(_named(BUDGET))
        .mark_rule(stroke="var(--accent)", strokeWidth=1.6, strokeDash=[5, 4])
        .encode(x)
    )
    interval = (
        alt.Chart(_named(BEST))
        .mark_rule(stroke="var(--accent)", strokeWidth=2.5)
        .encode(x, alt.Y("low:Q"), alt.Y2("high:Q"))
    )
    measurement = (
        alt.Chart(_named(BEST))
        .mark_rule(stroke="var(--accent)", strokeWidth=1)
        .encode(x, alt.Y("measuredLow:Q"), alt.Y2("measuredHigh:Q"))
    )
    best = (
        alt.Chart(_named(BEST))
        .mark_point(filled=False, size=260, stroke="var(--accent)", strokeWidth=2.5, opacity=1)
        .encode(x, y, tooltip=tooltip)
    )
    return [fitted, frontier, budget, measurement, interval, points, best]


def _by_size(labels: Sequence[str]) -> tuple[alt.Color, alt.Shape]:
    """Return the colour and the shape of each size, which share a legend."""
    colours = [f"var(--n{i})" for i in range(len(labels))]
    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(labels))]
    legend = alt.Legend(title="Model size", orient="top", direction="horizontal")
    return (
        alt.Color("size:N", scale=_scale(labels, colours), sort=None, legend=legend),
        alt.Shape("size:N", scale=_scale(labels, shapes), sort=None, legend=legend),
    )


def _scale(labels: Sequence[str], values: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=list(labels), range=values)


def _named(name: str) -> alt.NamedData:
    return alt.NamedData(name=name)
