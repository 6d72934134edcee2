"""Decide whether a larger model or more visual tokens are better at equal cost.

One of them is better if the whole interval of alpha / beta lies on its side of 1 and the error falls
significantly along its scale. Otherwise the data do not decide, and the reason is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from paretoken.config.constraints import constraints_of
from paretoken.config.needs import LAW_FACTS


class Side(StrEnum):
    """The side of the trade-off that is better, in words."""

    LARGER = "a larger model beats more visual tokens"
    TOKENS = "more visual tokens beat a larger model"
    OPEN = "the data do not tell whether a larger model or more visual tokens are better"


#: The scale along which the error must fall for each side.
SCALES = {Side.LARGER: "N", Side.TOKENS: "V"}


@dataclass(frozen=True)
class Trade:
    """The trade-off between a larger model and more visual tokens, by the data.

    Attributes:
        side: the side that is better.
        because: why the data do not decide, without a full stop; empty if they do.
    """

    side: Side
    because: str = ""


def trade(record: Mapping[str, Any]) -> Trade:
    """Return the trade-off by a fit of a law with exponents of N and V.

    Args:
        record: the content of ``fit.json``.
    """
    assumed = assumed_slopes(record)
    if assumed:
        return Trade(Side.OPEN, f"the fit assumes {assumed}")
    side = _side_of_interval(record)
    effects = record.get("effects") or {}
    if side is not Side.OPEN and effects.get(SCALES[side], {}).get("falls"):
        return Trade(side)
    absent = [found["words"] for found in effects.values() if not found["falls"]]
    if absent:
        return Trade(Side.OPEN, _joined(absent))
    if not _drawn(record):
        return Trade(Side.OPEN, "there is no interval of alpha / beta")
    if side is Side.OPEN:
        return Trade(Side.OPEN, "the interval of alpha / beta includes 1")
    return Trade(Side.OPEN, f"the effect of {SCALES[side]} was not tested")


def assumed_slopes(record: Mapping[str, Any]) -> str:
    """Return the assumptions about the slopes of a fit as a formula; empty if all were fitted."""
    known = constraints_of(record.get("constraints")).of(LAW_FACTS[record["law"]].slopes)
    return known.in_words().removeprefix(" with ")


def _drawn(record: Mapping[str, Any]) -> bool:
    return bool(record["intervals"].get("alpha_over_beta")) and len(record["draws"]) > 0


def _side_of_interval(record: Mapping[str, Any]) -> Side:
    if not _drawn(record):
        return Side.OPEN
    interval = record["intervals"]["alpha_over_beta"]
    low, high = (math.inf if interval[end] is None else interval[end] for end in ("low", "high"))
    if low > 1:
        return Side.LARGER
    return Side.TOKENS if high <= 1 else Side.OPEN


def _joined(sentences: list[str]) -> str:
    """Return sentences as clauses, with a small first letter and without a full stop."""
    clauses = [sentence.rstrip(".") for sentence in sentences]
    return "; ".join(clause[:1].lower() + clause[1:] for clause in clauses)


def trade_warnings(record: Mapping[str, Any]) -> list[str]:
    """Return a sentence if more visual tokens are better throughout, so that no V* lies inside."""
    ratio = record["alpha_over_beta"]
    if record["v_star"] is None or ratio is None or trade(record).side is not Side.TOKENS:
        return []
    interval = record["intervals"]["alpha_over_beta"]
    return [
        f"alpha <= beta (alpha / beta = {ratio:.3g}, 95 % {interval['low']:.3g} to "
        f"{interval['high']:.3g}): there is no interior optimum; at a fixed cost, more visual tokens "
        "beat a larger model."
    ]
