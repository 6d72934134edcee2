"""What a claim is, and how verdicts follow from numbers."""

from __future__ import annotations

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
        low: lower end of its interval, None if there is none.
        high: upper end of its interval.
        verdict: what follows.
        because: one or two sentences with the numbers that decide.
    """

    computed: str
    value: float | None
    low: float | None
    high: float | None
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


def widest_interval(fit: FittedLaw, name: str) -> tuple[float | None, float | None]:
    """Return the hull of the bootstrap intervals of ``name``; an unbounded end is None.

    A claim should not fall or stand with the choice of a resampling scheme.
    """
    record = fit.record["intervals"].get(name)
    if record is None:
        return None, None
    lows, highs = zip(*(record[method] for method in METHODS), strict=True)
    low = None if None in lows else min(lows)
    return low, None if None in highs else max(highs)


def judge_number(
    value: float, low: float | None, high: float | None, claimed: float, tolerance: float
) -> Verdict:
    """Judge "the value is ``claimed``".

    It holds if it agrees to ``tolerance`` (the rounding of the published digits), and within
    uncertainty if the interval covers the claimed number.
    """
    if abs(value - claimed) <= tolerance:
        return Verdict.HOLDS
    return Verdict.WITHIN if _covers(low, high, claimed) else Verdict.NOT


def judge_at_least(value: float, high: float | None, threshold: float) -> Verdict:
    """Judge "the value is at least ``threshold``" by the estimate, then by its interval."""
    if value >= threshold:
        return Verdict.HOLDS
    return Verdict.WITHIN if high is not None and high >= threshold else Verdict.NOT


def _covers(low: float | None, high: float | None, number: float) -> bool:
    return low is not None and high is not None and low <= number <= high


def rounding(published_value: float) -> float:
    """Return half a unit in the last digit of a number as published (0.077 -> 0.0005)."""
    digits = f"{published_value:.12f}".rstrip("0").partition(".")[2]
    return float(0.5 * 10.0 ** -len(digits)) * (1 + 1e-9)


def span(low: float | None, high: float | None) -> str:
    """Return an interval in words."""
    if low is None and high is None:
        return "no interval"
    ends = ["unbounded" if end is None else f"{end:.4g}" for end in (low, high)]
    return f"{ends[0]} to {ends[1]}"
