"""How verdicts follow from numbers: an interval, and the region in which a claim is true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from paretoken.io.text_tables import range_text

#: Seeds of the same grid, times those there are, beyond which their number is not worth telling.
MANY_SEEDS = 100
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
    """Return the region of numbers from ``low`` to ``high``, said in ``words``."""
    return Region(low, high, f"{words}: {low:g} to {high:g}")


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
    seeds = math.ceil(round(factor**2, 6))
    if seeds > MANY_SEEDS:
        return f"It takes more than {MANY_SEEDS} times as many seeds of the same grid to decide."
    return (
        f"It {verdict} if the estimate stays and the noise falls by a factor of {factor:.2g}, as with "
        f"about {seeds} times as many seeds of the same grid."
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


def rounding(published_value: float) -> float:
    """Return half a unit in the last digit of a number as published (0.077 -> 0.0005)."""
    digits = f"{published_value:.12f}".rstrip("0").partition(".")[2]
    return float(0.5 * 10.0 ** -len(digits)) * (1 + 1e-9)


def in_words(interval: Interval | None) -> str:
    """Return an interval in words."""
    return "no interval" if interval is None else f"95 % {interval}"
