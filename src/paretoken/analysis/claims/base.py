"""What a claim is, and how verdicts follow from numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import StudyResults
from paretoken.config import Suite
from paretoken.errors import UserError

#: Tolerance of a number that a claim gives in round words, as a share of it.
ABOUT = 0.1


class Verdict(StrEnum):
    """What the data say about a claim."""

    HOLDS = "holds"
    """The interval lies inside of what is claimed."""
    FAILS = "fails"
    """The interval lies outside of what is claimed."""
    UNDECIDED = "undecided"
    """The data allow for both."""
    UNTESTABLE = "cannot be tested"
    """What would be compared was not measured or published."""


@dataclass(frozen=True)
class Interval:
    """The ends of a 95 % interval; infinite where it is unbounded."""

    low: float
    high: float

    def __str__(self) -> str:
        ends = [f"{end:.4g}" if math.isfinite(end) else "unbounded" for end in (self.low, self.high)]
        return f"{ends[0]} to {ends[1]}"


@dataclass(frozen=True)
class Region:
    """The numbers for which a claim is true.

    Attributes:
        low: the smallest of them.
        high: the largest of them.
        words: the claim as an inequality, or as a number with its tolerance.
    """

    low: float
    high: float
    words: str

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def about(value: float, tolerance: float | None = None) -> Region:
    """Return the region of "it is ``value``": within ``tolerance``, by default 10 %."""
    width = ABOUT * abs(value) if tolerance is None else tolerance
    why = f"within {100 * ABOUT:g} %" if tolerance is None else "as rounded"
    low, high = value - width, value + width
    return Region(low, high, f"{value:g}, {why}: {low:.4g} to {high:.4g}")


def at_most(value: float) -> Region:
    """Return the region of "it is at most ``value``"."""
    return Region(-math.inf, value, f"at most {value:g}")


def below(value: float) -> Region:
    """Return the region of "it is below ``value``"."""
    return Region(-math.inf, math.nextafter(value, -math.inf), f"below {value:g}")


def above(value: float) -> Region:
    """Return the region of "it is above ``value``"."""
    return Region(math.nextafter(value, math.inf), math.inf, f"above {value:g}")


@dataclass(frozen=True)
class Finding:
    """What was computed for a claim.

    Attributes:
        computed: what the value is.
        value: the number, None if it cannot be computed.
        interval: its 95 % interval, None if there is none.
        claimed: what the claim says of the number, in words; empty if nothing was computed.
        verdict: what follows.
        because: the reason, with the numbers that decide.
    """

    computed: str
    value: float | None
    interval: Interval | None
    claimed: str
    verdict: Verdict
    because: str


def untestable(computed: str, because: str) -> Finding:
    """Return the finding of a claim for which something was not measured or published."""
    return Finding(computed, None, None, "", Verdict.UNTESTABLE, because)


def judge(
    computed: str,
    value: float,
    interval: Interval | None,
    region: Region,
    because: str,
    absent: Sequence[str] = (),
) -> Finding:
    """Return what an interval says of a claim.

    Args:
        computed: what the value is.
        value: the estimate.
        interval: its 95 % interval; without one nothing is decided.
        region: where the claim is true.
        because: the numbers that decide, in sentences.
        absent: sentences on effects that the claim supposes and that the data do not show; with one of
            them nothing is decided.
    """
    verdict, reason = _verdict(value, interval, region, absent)
    words = " ".join(part for part in (because, reason) if part)
    return Finding(computed, value, interval, region.words, verdict, words)


def _verdict(
    value: float, interval: Interval | None, region: Region, absent: Sequence[str]
) -> tuple[Verdict, str]:
    if absent:
        return Verdict.UNDECIDED, " ".join(absent)
    if interval is None:
        return Verdict.UNDECIDED, "Without a bootstrap there is no interval that could decide."
    if interval.low in region and interval.high in region:
        return Verdict.HOLDS, ""
    if interval.high < region.low or interval.low > region.high:
        return Verdict.FAILS, ""
    return (
        Verdict.UNDECIDED,
        f"The data allow for it and for its contrary. {_deciding(value, interval, region)}",
    )


def _deciding(value: float, interval: Interval, region: Region) -> str:
    """Return by how much the noise would have to fall for the interval to decide, in a sentence."""
    holds = value in region
    if holds:
        factors = (
            _shrinking(value, interval.low, region.low),
            _shrinking(value, interval.high, region.high),
        )
    elif value < region.low:
        factors = (_shrinking(value, interval.high, region.low),) * 2
    else:
        factors = (_shrinking(value, interval.low, region.high),) * 2
    factor = max(factors)
    if not math.isfinite(factor):
        return "Intervals around this estimate would not decide, however small the noise."
    verdict = Verdict.HOLDS if holds else Verdict.FAILS
    return (
        f"It {verdict} if the estimate stays and the noise falls by a factor of {factor:.2g}, as with "
        f"{math.ceil(round(factor**2, 6)):,} times as many seeds of the same grid."
    )


def _shrinking(value: float, end: float, limit: float) -> float:
    """Return by what factor the distance from the value to an end must fall to reach a limit at most."""
    if math.isinf(limit):
        return 1.0
    if value == limit:
        return 1.0 if end == value else math.inf
    if math.isinf(end) or math.isinf(value):  # on the scale of 1 / x, where unbounded ends are 0
        value, end, limit = (1 / x if x else math.inf for x in (value, end, limit))
    return max(1.0, (end - value) / (limit - value)) if math.isfinite(end) else math.inf


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


def interval_of(fit: FittedLaw, name: str) -> Interval | None:
    """Return the interval of a parameter, or of alpha_over_beta; None without a bootstrap."""
    record = fit.record["intervals"].get(name)
    if record is None:
        return None
    low, high = record["low"], record["high"]
    return Interval(-math.inf if low is None else low, math.inf if high is None else high)


def absent_effects(fit: FittedLaw, *scales: str) -> list[str]:
    """Return a sentence for each of the scales along which the data do not show the error to fall."""
    found = fit.record["effects"]
    return [found[scale]["words"] for scale in scales if not found[scale]["falls"]]


def is_flat(fit: FittedLaw, name: str) -> bool:
    """Return whether the data leave ``name`` open: its profile, or the one of the floor, is flat."""
    profiles = fit.record["profile"]
    return any(profiles.get(key, {}).get("flat") for key in (name, fit.law.floor))


def rounding(published_value: float) -> float:
    """Return half a unit in the last digit of a number as published (0.077 -> 0.0005)."""
    digits = f"{published_value:.12f}".rstrip("0").partition(".")[2]
    return float(0.5 * 10.0 ** -len(digits)) * (1 + 1e-9)


def in_words(interval: Interval | None) -> str:
    """Return an interval in words."""
    return "no interval" if interval is None else f"95 % {interval}"
