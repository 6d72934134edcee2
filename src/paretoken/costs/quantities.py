"""Amounts as people read them, such as 600 GFLOPs; assets/quantities.js writes the same in the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

#: Significant digits of an amount.
DIGITS = 4


@dataclass(frozen=True)
class Scale:
    """One way to write amounts of a unit.

    Attributes:
        factor: how many of the base unit one of this unit is.
        unit: its name, as it stands behind a number.
    """

    factor: float
    unit: str


#: How amounts are written, by the unit that cost models count in; ascending.
SCALES: Mapping[str, Sequence[Scale]] = {
    "FLOPs": [
        Scale(1.0, "FLOPs"),
        Scale(1e3, "kFLOPs"),
        Scale(1e6, "MFLOPs"),
        Scale(1e9, "GFLOPs"),
        Scale(1e12, "TFLOPs"),
        Scale(1e15, "PFLOPs"),
        Scale(1e18, "EFLOPs"),
    ],
    "ms": [Scale(1e-3, "µs"), Scale(1.0, "ms"), Scale(1e3, "s")],
    "GiB": [Scale(1 / 1024, "MiB"), Scale(1.0, "GiB"), Scale(1024.0, "TiB")],
    "J": [Scale(1e-3, "mJ"), Scale(1.0, "J"), Scale(1e3, "kJ")],
}


def scales(unit: str) -> Sequence[Scale]:
    """Return the ways to write amounts of a unit; a unit that is not known has only itself."""
    return SCALES.get(unit, [Scale(1.0, unit)])


def quantity(value: float, unit: str) -> str:
    """Return an amount in the largest unit in which it is at least 1, or else in the smallest.

    Args:
        value: the amount in ``unit``.
        unit: what a cost model counts in.
    """
    known = scales(unit)
    fitting = [scale for scale in known if float(f"{value / scale.factor:.{DIGITS}g}") >= 1]
    scale = fitting[-1] if fitting else known[0]
    return f"{plain(value / scale.factor)} {scale.unit}"


def plain(value: float) -> str:
    """Return a number to four significant digits, with thousands separated and without an exponent."""
    return f"{Decimal(f'{value:.{DIGITS}g}'):,f}"
