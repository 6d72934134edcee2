"""What a claim is, and how verdicts follow from numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.resample import METHODS
from paretoken.analysis.study_results import StudyResults
from paretoken.config import Suite
from paretoken.errors import UserError


class Verdict(StrEnum):
    """What the public data say about a claim."""

    HOLDS = "holds"
    WITHIN = "holds within uncertainty"
    NOT = "does not follow"
    UNTESTABLE = "cannot be tested with public data"


@dataclass(frozen=True)
class Finding:
    """What was computed for a claim.

    Attributes:
        computed: what the value is.
        value: the number, None if it cannot be computed.
        interval: its 95 % interval, None if there is none.
        verdict: what follows.
        because: one or two sentences with the numbers that decide.
    """

    computed: str
    value: float | None
    interval: Interval | None
    verdict: Verdict
    because: str


@dataclass(frozen=True)
class Claim:
    """One claim of the paper and its test.

    Attributes:
        name: the registered name.
        statement: what the paper says.
        where: where it says so.
        test: results -> finding; raises `UserError` if the study lacks what it needs.
    """

    name: str
    statement: str
    where: str
    test: Callable[[StudyResults], Finding]


def suite_for(results: StudyResults, role: str, claim: str) -> Suite:
    """Return the suite with ``role`` (`UserError` naming the claim if the study has none)."""
    suite = results.suite(role)
    if suite is None:
        raise UserError(
            f"the claim {claim} needs a suite with role {role!r}; study {results.study.name} has "
            "none: add one, or take the claim out of its `claims:`"
        )
    return suite


def published(results: StudyResults, suite: str, quantity: str) -> float:
    """Return a published number (`UserError` if the study's published table lacks it)."""
    value = results.value(suite, quantity)
    if value is None:
        raise UserError(
            f"the published values have no row with suite = {suite}, quantity = {quantity}; give "
            "study.published.values a table that has it, or take the claim out of `claims:`"
        )
    return value


def headline_for(results: StudyResults, suite: Suite, claim: str) -> FittedLaw:
    """Return the headline fit, if its law is of the form that the paper's claims are about.

    Raises:
        UserError: the study's first law has no exponents alpha and beta of one product.
    """
    fit = results.headline(suite.name)
    if "K" not in fit.parameters or fit.law.text_in_error:
        raise UserError(
            f"the claim {claim} is about K N^-alpha V^-beta; put product or product_zero_d first in "
            f"fit.laws of study {results.study.name}, or take the claim out of its `claims:`"
        )
    return fit


@dataclass(frozen=True)
class Interval:
    """The ends of a 95 % interval; infinite where it is unbounded."""

    low: float
    high: float

    def covers(self, number: float) -> bool:
        """Return whether ``number`` lies inside."""
        return self.low <= number <= self.high

    def __str__(self) -> str:
        ends = [f"{end:.4g}" if math.isfinite(end) else "unbounded" for end in (self.low, self.high)]
        return f"{ends[0]} to {ends[1]}"


def widest_interval(fit: FittedLaw, name: str) -> Interval | None:
    """Return the hull of the bootstrap intervals of ``name``; None without a bootstrap.

    A claim should not fall or stand with the choice of a resampling scheme.
    """
    record = fit.record["intervals"].get(name)
    if record is None:
        return None
    lows, highs = zip(*(record[method] for method in METHODS), strict=True)
    low = min(-math.inf if end is None else end for end in lows)
    high = max(math.inf if end is None else end for end in highs)
    return Interval(low, high)


def is_flat(fit: FittedLaw, name: str) -> bool:
    """Return whether the data leave ``name`` open: its profile, or the one of the floor, is flat."""
    profiles = fit.record["profile"]
    return any(profiles.get(key, {}).get("flat") for key in (name, fit.law.floor))


def judge_number(
    value: float, interval: Interval | None, claimed: float, tolerance: float, identified: bool = True
) -> Verdict:
    """Judge "the value is ``claimed``".

    It holds if it agrees to ``tolerance`` (the rounding of the published digits) and the data
    identify it; it holds within uncertainty if the interval covers the claimed number.
    """
    if abs(value - claimed) <= tolerance:
        return Verdict.HOLDS if identified else Verdict.WITHIN
    return Verdict.WITHIN if interval and interval.covers(claimed) else Verdict.NOT


def judge_at_least(value: float, interval: Interval | None, threshold: float) -> Verdict:
    """Judge "the value is at least ``threshold``": the whole interval, or a part of it, is.

    Without an interval the estimate decides.
    """
    interval = interval or Interval(value, value)
    if interval.low >= threshold:
        return Verdict.HOLDS
    return Verdict.WITHIN if interval.high >= threshold else Verdict.NOT


def rounding(published_value: float) -> float:
    """Return half a unit in the last digit of a number as published (0.077 -> 0.0005)."""
    digits = f"{published_value:.12f}".rstrip("0").partition(".")[2]
    return float(0.5 * 10.0 ** -len(digits)) * (1 + 1e-9)


def in_words(interval: Interval | None) -> str:
    """Return an interval in words."""
    return "no interval, bootstrap is 0" if interval is None else f"95 % {interval}"
