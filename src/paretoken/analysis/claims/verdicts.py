"""Derive verdicts from an interval and the region in which a claim is true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from paretoken.io.text_tables import range_text

#: A factor that is smaller than this is written as 1.
AT_THE_LIMIT = 1.05
#: Largest factor of more seeds that is reported as a number.
MANY_SEEDS = 100
#: Tolerance of a number that a claim gives as "about", as a share of the number.
ABOUT = 0.1


class Verdict(StrEnum):
    """The verdict of the data on a claim."""

    HOLDS = "holds"
    """The interval lies inside the claimed region."""
    FAILS = "fails"
    """The interval lies outside the claimed region."""
    UNDECIDED = "undecided"
    """The interval lies partly inside and partly outside, or there is none."""
    UNTESTABLE = "cannot be tested"
    """A quantity that the test needs was not measured or published."""


@dataclass(frozen=True)
class Interval:
    """The ends of a 95 % interval; infinite where it is unbounded."""

    low: float
    high: float

    def __str__(self) -> str:
        return range_text(self.low, self.high, ".4g")


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


def between(low: float, high: float, words: str) -> Region:
    """Return the region of numbers from ``low`` to ``high``, described by ``words``."""
    return Region(low, high, f"{words}: {low:g} to {high:g}")


def above(value: float) -> Region:
    """Return the region of "it is above ``value``"."""
    return Region(math.nextafter(value, math.inf), math.inf, f"above {value:g}")


@dataclass(frozen=True)
class Finding:
    """The result of the test of a claim.

    Attributes:
        computed: a description of the value.
        value: the number, None if it cannot be computed.
        interval: its 95 % interval, None if there is none.
        claimed: the claimed region in words; empty if nothing was computed.
        verdict: the verdict.
        because: the reason, with the numbers that decide.
    """

    computed: str
    value: float | None
    interval: Interval | None
    claimed: str
    verdict: Verdict
    because: str


def untestable(computed: str, because: str) -> Finding:
    """Return the finding of a claim that needs something that was not measured or published."""
    return Finding(computed, None, None, "", Verdict.UNTESTABLE, because)


def judge(
    computed: str,
    value: float,
    interval: Interval | None,
    region: Region,
    because: str,
    absent: Sequence[str] = (),
) -> Finding:
    """Return the finding of an interval on a claim.

    Args:
        computed: a description of the value.
        value: the estimate.
        interval: its 95 % interval; without one, the verdict is undecided.
        region: where the claim is true.
        because: the numbers that decide, in sentences.
        absent: sentences on effects that the claim supposes and that the data do not show; with one of
            them, the verdict is undecided.
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
        return Verdict.UNDECIDED, "Without a bootstrap there is no interval that can decide the claim."
    if interval.low in region and interval.high in region:
        return Verdict.HOLDS, ""
    if interval.high < region.low or interval.low > region.high:
        return Verdict.FAILS, ""
    return (
        Verdict.UNDECIDED,
        "The data are compatible with the claim and with its opposite. "
        f"{_deciding(value, interval, region)}",
    )


def _deciding(value: float, interval: Interval, region: Region) -> str:
    """Return a sentence on how much the noise must fall for the interval to decide the claim."""
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
        return "An interval around this estimate cannot decide the claim, however small the noise."
    verdict = Verdict.HOLDS if holds else Verdict.FAILS
    if factor < AT_THE_LIMIT:
        return (
            "One end of the interval lies at the limit of the claim: it "
            f"{verdict} if the estimate stays the same and the noise falls a little."
        )
    seeds = math.ceil(round(factor**2, 6))
    if seeds > MANY_SEEDS:
        return f"To decide it takes more than {MANY_SEEDS} times as many seeds of the same grid."
    return (
        f"The claim {verdict} if the estimate stays the same and the noise falls by a factor of "
        f"{factor:.2g}, as with about {seeds} times as many seeds of the same grid."
    )


def _shrinking(value: float, end: float, limit: float) -> float:
    """Return the factor by which the distance from the value to an end must fall to meet a limit."""
    if math.isinf(limit):
        return 1.0
    if value == limit:
        return 1.0 if end == value else math.inf
    if math.isinf(end) or math.isinf(value):  # on the scale of 1 / x, where unbounded ends are 0
        value, end, limit = (1 / x if x else math.inf for x in (value, end, limit))
    return max(1.0, (end - value) / (limit - value)) if math.isfinite(end) else math.inf


def rounding(published_value: float) -> float:
    """Return half a unit in the last digit of a number as published (0.077 -> 0.0005)."""
    digits = f"{published_value:.12f}".rstrip("0").partition(".")[2]
    return float(0.5 * 10.0 ** -len(digits)) * (1 + 1e-9)


def in_words(interval: Interval | None) -> str:
    """Return an interval in words."""
    return "no interval" if interval is None else f"95 % {interval}"
