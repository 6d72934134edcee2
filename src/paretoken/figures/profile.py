"""Profiles of the headline fit: how well the data determine the floor and the exponents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.errors import UserError
from paretoken.figures.axes import ONE_PANEL, canvas
from paretoken.figures.base import Figure
from paretoken.figures.legends import bottom_legend
from paretoken.figures.parts import (
    LEVEL_TEXT,
    SYMBOLS,
    formula,
    require_suite,
    sentences,
)
from paretoken.figures.style import BLUE, ORANGE, VERMILION, Look
from paretoken.io.arrays import Numbers
from paretoken.io.escape import mathtext

SIZE = (8.4, 6.2)
COLUMNS = 2
#: Largest shown excess of the objective, as a multiple of the excess of the threshold.
HEADROOM = 4.0
FINE = 1000
CURVE: Look = {"color": BLUE, "linewidth": 1.8}
THRESHOLD: Look = {"color": "0.35", "linestyle": "--", "linewidth": 1.1}
REGION: Look = {"color": ORANGE, "alpha": 0.22, "linewidth": 0}
PUBLISHED: Look = {"color": VERMILION, "linestyle": ":", "linewidth": 1.8}
ESTIMATE: Look = {"color": "black", "marker": "o", "markersize": 6, "linestyle": "none", "zorder": 4}


def draw(results: StudyResults) -> Drawing:
    """Draw one panel per profiled parameter, and the exponents along the profile of the floor."""
    suite, fit, profiles = _profiles(results)
    along = _is_along(fit, profiles)
    count = len(profiles) + along
    columns = min(count, COLUMNS)
    size = ONE_PANEL if count == 1 else SIZE
    drawing, panels = canvas(size, rows=-(-count // columns), columns=columns)
    order = [(name, False) for name in profiles]
    if along:
        order.insert(1, (str(fit.law.floor), True))
    for axis, (name, second) in zip(panels, order, strict=False):
        plot = _plot_along if second else _plot_profile
        plot(axis, results, suite.name, fit, name)
    for axis in panels[len(order) :]:
        axis.set_axis_off()
    drawing.suptitle(f"{mathtext(suite.title)}: {formula(fit)}", fontsize=11)
    handles = _handles(_has_published(results, suite, profiles), _has_region(profiles))
    bottom_legend(drawing, handles, min(len(handles), 5) if count > 1 else 2)
    return drawing


def _profiles(results: StudyResults) -> tuple[Suite, FittedLaw, Mapping[str, Any]]:
    """Return the suite, its fit and the profiles that the fit holds (`UserError` if there are none)."""
    suite = require_suite(results, "profile", "reasoning")
    fit = results.headline(suite.name)
    profiles: Mapping[str, Any] = fit.record.get("profile") or {}
    if not profiles:
        raise UserError(
            f"figure profile: the fit {suite.name} holds no profile, as with --method grid, with a "
            "constant law, or with fixed floor and exponents; remove profile from the study's figures"
        )
    return suite, fit, profiles


def _is_along(fit: FittedLaw, profiles: Mapping[str, Any]) -> bool:
    """Return whether a panel shows how an exponent varies with the held floor."""
    return fit.law.floor in profiles and bool(fit.law.exponents)


def _has_published(results: StudyResults, suite: Suite, profiles: Mapping[str, Any]) -> bool:
    return any(results.value(suite.name, name) is not None for name in profiles)


def _has_region(profiles: Mapping[str, Any]) -> bool:
    return any(item["interval"] for item in profiles.values())


def relative_objective(item: Mapping[str, Any]) -> tuple[Numbers, float | None]:
    """Return a profile's objective and threshold, divided by the minimum (unchanged if it is 0)."""
    objective = np.array(item["objective"], float)
    unit = float(objective.min()) or 1.0
    threshold = item["threshold"]
    return objective / unit, None if threshold is None else float(threshold) / unit


def smooth(values: Numbers, objective: Numbers) -> tuple[Numbers, Numbers]:
    """Return a profile in finer steps: the root of the excess objective, interpolated and squared.

    The root is nearly linear on either side of the minimum, and the 95 % region is also found on it.
    """
    from scipy.interpolate import PchipInterpolator

    best = int(np.argmin(objective))
    root = np.sqrt(objective - objective[best])
    root[:best] *= -1
    fine = np.unique(np.concatenate([np.linspace(values[0], values[-1], FINE), values]))
    return fine, np.asarray(objective[best] + PchipInterpolator(values, root)(fine) ** 2)


def _plot_profile(axis: Axes, results: StudyResults, suite: str, fit: FittedLaw, name: str) -> None:
    item = fit.record["profile"][name]
    objective, threshold = relative_objective(item)
    values, best = np.array(item["value"], float), int(np.argmin(objective))
    axis.plot(*smooth(values, objective), **CURVE)
    axis.plot(values[best], objective[best], **ESTIMATE)
    if threshold is not None:
        axis.axhline(threshold, **THRESHOLD)
        ceiling = objective[best] + HEADROOM * (threshold - objective[best])
        shown = np.flatnonzero(objective <= ceiling)
        axis.set_ylim(objective[best] - 0.06 * (ceiling - objective[best]), ceiling)
        first, last = max(shown[0] - 1, 0), min(shown[-1] + 1, len(values) - 1)
        pad = 0.04 * (values[last] - values[first])
        axis.set_xlim(values[first] - pad, values[last] + pad)
    _mark(axis, item, results.value(suite, name))
    axis.set_xlabel(_words(fit, name))
    axis.set_ylabel("Objective / its minimum")


def _mark(axis: Axes, item: Mapping[str, Any], published: float | None) -> None:
    if item["interval"]:
        axis.axvspan(*item["interval"], **REGION)
    if published is not None:
        axis.axvline(published, **PUBLISHED)


def _plot_along(axis: Axes, results: StudyResults, suite: str, fit: FittedLaw, name: str) -> None:
    """Draw how the first exponent varies with the held floor."""
    item, exponent = fit.record["profile"][name], fit.law.exponents[0]
    axis.plot(item["value"], item[exponent], **CURVE)
    axis.plot(fit.parameters[name], fit.parameters[exponent], **ESTIMATE)
    published = results.value(suite, exponent)
    if published is not None:
        axis.axhline(published, **PUBLISHED)
    _mark(axis, item, results.value(suite, name))
    axis.set_xlabel(_words(fit, name))
    axis.set_ylabel(f"Best {_symbol(exponent)} with {name} held")


def _words(fit: FittedLaw, name: str) -> str:
    if name == fit.law.floor:
        return f"{name} (floor of the error)"
    scale = {"alpha": " (exponent of N)", "beta": " (exponent of V)"}.get(name, "")
    return f"{_symbol(name)}{scale}"


def _handles(published: bool, region: bool) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], label="best fit with the parameter held", **CURVE),
        Line2D([], [], label="estimate", **ESTIMATE),
    ]
    if region:
        handles += [
            Line2D([], [], label=f"{LEVEL_TEXT} threshold", **THRESHOLD),
            Patch(label=f"{LEVEL_TEXT} region", **REGION),
        ]
    return [*handles, Line2D([], [], label="published", **PUBLISHED)] if published else handles


def _tabled(fit: FittedLaw, profiles: Mapping[str, Any]) -> bool:
    """Return whether all intervals in the tables are the regions, which is false with shared noise."""
    intervals = fit.record["intervals"]
    return all(
        name in intervals and [intervals[name]["low"], intervals[name]["high"]] == item["interval"]
        for name, item in profiles.items()
    )


def _caption(results: StudyResults) -> str:
    suite, fit, profiles = _profiles(results)
    return sentences(
        f"{suite.title}: profiles of the headline fit. Each is the objective with one parameter held at "
        "a value and all others refitted, divided by its minimum.",
        f"Values below the dashed threshold (F-ratio of the sums of squares) form the {LEVEL_TEXT} "
        "region, which is shaded."
        if _has_region(profiles)
        else "",
        "These regions are the intervals in the tables." if _tabled(fit, profiles) else "",
        "A flat profile means that the data do not determine the parameter.",
        f"The second panel shows how {_symbol(fit.law.exponents[0])} varies with the held floor: "
        "uncertainty about the floor is uncertainty about the exponent."
        if _is_along(fit, profiles)
        else "",
        "Dotted lines are published values." if _has_published(results, suite, profiles) else "",
    )


def _symbol(name: str) -> str:
    return SYMBOLS.get(name, name)


PROFILE = Figure("profile", "What the data can determine", _caption, draw)
