"""Profiles: the best fit of a law with one parameter held at each of several values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from paretoken.analysis.estimate import Estimate, make_batch
from paretoken.analysis.laws.base import EXPONENT_LIMIT
from paretoken.analysis.significance import LEVEL
from paretoken.analysis.solver import RESAMPLED
from paretoken.io.arrays import Array

POINTS = 41
#: How often an interval is refined at most, the number of values inside that is enough, and the places
#: of new values as shares of the distance from the estimate to each end.
CLOSER, ENOUGH, STEPS = 2, 8, (0.25, 0.5, 0.75, 0.9, 1.1, 1.5)


@dataclass(frozen=True)
class Profile:
    """The best objective with one parameter held at each of several values.

    Attributes:
        name: the parameter held.
        values: the values at which it was held, ascending, (n,).
        objective: the best objective at each value, (n,).
        parameters: all parameters at each value, (n, P).
        threshold: objectives below it belong to the 95 % region; None without a squared loss.
    """

    name: str
    values: Array
    objective: Array
    parameters: Array
    threshold: float | None

    @property
    def interval(self) -> list[float] | None:
        """The values where the objective crosses the threshold, or the last value tried on that side.

        Near its minimum, the root of the excess objective is linear in the parameter, so the root is
        interpolated.
        """
        if self.threshold is None:
            return None
        excess, edge = self._excess(self.threshold)
        best = int(np.argmin(self.objective))
        low = _crossing(self.values[best::-1], excess[best::-1], edge)
        return [low, _crossing(self.values[best:], excess[best:], edge)]

    @property
    def closed(self) -> tuple[bool, bool]:
        """Whether each end of the interval is a crossing, or 0, the lower bound of exponents and floors.

        Any other end is only the last value tried.
        """
        if self.threshold is None:
            return False, False
        excess, edge = self._excess(self.threshold)
        return bool(excess[0] > edge or self.values[0] == 0), bool(excess[-1] > edge)

    def _excess(self, threshold: float) -> tuple[Array, float]:
        """Return the roots of the excess of the objective over its minimum, and of the threshold's."""
        lowest = self.objective.min()
        return np.asarray(np.sqrt(self.objective - lowest)), float(np.sqrt(threshold - lowest))

    def inside(self, name: str, names: tuple[str, ...]) -> Array:
        """Return the values that parameter ``name`` takes within the region (all of them if none)."""
        column = self.parameters[:, names.index(name)]
        return column if self.threshold is None else column[self.objective <= self.threshold]

    def as_record(self, names: tuple[str, ...], flat: bool) -> dict[str, Any]:
        """Return the profile for ``fit.json``."""
        others = {
            name: _numbers(column)
            for name, column in zip(names, self.parameters.T, strict=True)
            if name != self.name
        }
        return {
            "value": [float(v) for v in self.values],
            "objective": _numbers(self.objective),
            "threshold": self.threshold,
            "interval": self.interval,
            "flat": flat,
            **others,
        }


def _numbers(values: Array) -> list[float | None]:
    """Return values for JSON; None if no parameters give a finite loss."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _crossing(values: Array, excess: Array, edge: float) -> float:
    """Return where ``excess``, followed outward from the minimum, first exceeds ``edge``."""
    beyond = np.flatnonzero(excess > edge)
    if not len(beyond):
        return float(values[-1])
    i = int(beyond[0])
    return float(np.interp(edge, excess[i - 1 : i + 1], values[i - 1 : i + 1]))


def is_flat(fitted: Estimate, item: Profile) -> bool:
    """Return whether the profile is flat, so that the data do not determine the parameter.

    It is flat if its 95 % region spans half of the values tried or, for the floor, if an exponent
    changes by more than a quarter of its lowest value within the region.
    """
    if item.interval is None:
        return False
    names = fitted.law.parameters
    if item.name == fitted.law.floor:
        for exponent in fitted.law.exponents:
            along = item.inside(exponent, names)
            if float(np.ptp(along)) > float(along.min()) / 4:
                return True
    span = float(item.values[-1] - item.values[0])
    return item.interval[1] - item.interval[0] >= span / 2


def profiled_parameters(fitted: Estimate) -> list[str]:
    """Return the parameters with a profile: the floor and the exponents (slopes if there are none).

    These parameters do not depend on the unit of N.
    """
    law = fitted.law
    known = [law.floor, *law.slopes] if law.floor else law.slopes
    return [name for name in known if name in law.free]


def profile(fitted: Estimate, name: str) -> Profile:
    """Hold ``name`` at `POINTS` values (the estimate among them) and refit the rest.

    An interval with few of them inside is refined: its ends would be interpolated badly between distant
    values.
    """
    estimate = float(fitted.values[fitted.law.parameters.index(name)])
    found = _held_at(fitted, name, _ladder(fitted, name, estimate))
    for _ in range(CLOSER):
        ends = found.interval
        if ends is None or np.sum((found.values > ends[0]) & (found.values < ends[1])) >= ENOUGH:
            break
        near = [estimate + step * (end - estimate) for end in ends for step in STEPS]
        low, high = found.values[[0, -1]]
        more = _held_at(fitted, name, np.unique(np.clip(near, low, high)))
        found = _merged(found, more)
    return found


def _merged(one: Profile, other: Profile) -> Profile:
    """Return both profiles of a parameter as one."""
    values, first = np.unique(np.concatenate([one.values, other.values]), return_index=True)
    objective = np.concatenate([one.objective, other.objective])[first]
    parameters = np.concatenate([one.parameters, other.parameters])[first]
    return replace(one, values=values, objective=objective, parameters=parameters)


def _held_at(fitted: Estimate, name: str, values: Array) -> Profile:
    """Hold ``name`` at each value and refit the rest."""
    batch = make_batch(fitted.cells, fitted.law, fitted.loss, fitted.text_tokens, len(values))
    for place in _moving_together(fitted, name):
        batch.lower[:, place] = batch.upper[:, place] = values
    best, lowest = fitted.descend(batch, RESAMPLED)
    return Profile(name, values, lowest, fitted.uncentre(best), _threshold(fitted))


def _moving_together(fitted: Estimate, name: str) -> list[int]:
    """Return the positions of a parameter and of the one tied to it."""
    tied = fitted.law.constraints.tied
    return [fitted.law.parameters.index(n) for n in (tied if tied and name in tied else (name,))]


def _ladder(fitted: Estimate, name: str, estimate: float) -> Array:
    if name == fitted.law.floor:
        seen = fitted.cells.Y[fitted.cells.used]
        highest = 0.98 * float(seen.min()) if seen.min() > 0 else float(np.median(np.abs(seen)))
        values = np.linspace(0, highest, POINTS - 1)
    elif estimate > 0:
        values = np.geomspace(estimate / 4, min(estimate * 4, EXPONENT_LIMIT), POINTS - 1)
    else:
        values = np.linspace(estimate - 0.2 if estimate else 0.0, estimate + 0.2, POINTS - 1)
    return np.unique(np.append(values, estimate))


def _threshold(fitted: Estimate) -> float | None:
    """Return the objective at the edge of the 95 % region, by the F-ratio of the sums of squares."""
    freedom = int(fitted.cells.used.sum()) - len(fitted.law.free)
    if not np.isinf(fitted.loss.delta) or freedom < 1:
        return None
    from scipy.special import fdtri

    return float(fitted.objective * (1 + fdtri(1, freedom, LEVEL) / freedom))
