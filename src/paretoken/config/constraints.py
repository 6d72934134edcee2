"""Constraints on a law's parameters that a user sets: tied exponents, fixed values, the chance level."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paretoken.config.needs import LARGEST_EXPONENT, LAW_FACTS, LawFacts
from paretoken.errors import UserError
from paretoken.io.escape import shown


@dataclass(frozen=True)
class Constraints:
    """Constraints on a law's parameters.

    Attributes:
        tied: two slopes that are equal, if any; the first one is fitted.
        fixed: names and values of parameters that are not fitted.
        chance: the error of guessing, which no mean error exceeds; None: unknown.
    """

    tied: tuple[str, str] | None = None
    fixed: tuple[tuple[str, float], ...] = ()
    chance: float | None = None

    @property
    def taken(self) -> int:
        """By how many parameters the fit is reduced."""
        return len(self.fixed) + (self.tied is not None)

    @property
    def sets_ratio(self) -> bool:
        """Whether the ratio of two slopes is given: they are tied, or both are fixed (see `of`)."""
        return self.tied is not None or len(self.fixed) > 1

    def of(self, names: Sequence[str]) -> Constraints:
        """Return only the constraints on the parameters called ``names``, without `chance`."""
        tied = self.tied if self.tied and set(self.tied) <= set(names) else None
        return Constraints(tied, tuple(pair for pair in self.fixed if pair[0] in names))

    def in_words(self) -> str:
        """Return the constraints as a part of a formula; an empty text if there are none."""
        parts = [f"{name} = {value:g}" for name, value in self.fixed]
        parts = [" = ".join(self.tied), *parts] if self.tied else parts
        known = f" with {', '.join(parts)}" if parts else ""
        chance = "" if self.chance is None else f", at most {self.chance:g} (chance)"
        return f"{known}{chance}"

    def as_record(self) -> dict[str, Any]:
        """Return the constraints for ``fit.json``."""
        return {
            "tied": list(self.tied) if self.tied else None,
            "fixed": dict(self.fixed),
            "chance": self.chance,
        }


#: The constraints of a fit for which a user sets none.
NOTHING = Constraints()


def constraints_of(record: Mapping[str, Any] | None) -> Constraints:
    """Return the constraints in a ``fit.json``; fits of earlier versions have none."""
    if not record:
        return NOTHING
    tied, fixed = record.get("tied"), record.get("fixed") or {}
    chance = record.get("chance")
    return Constraints(
        (str(tied[0]), str(tied[1])) if tied else None,
        tuple((str(name), float(value)) for name, value in fixed.items()),
        None if chance is None else float(chance),
    )


def read_constraints(
    law: str, ties: Sequence[str] = (), fixes: Sequence[str] = (), chance: float | None = None
) -> Constraints:
    """Parse and validate the constraints on a law's parameters.

    Args:
        law: a registered law.
        ties: such as ``alpha=beta``.
        fixes: such as ``D=0``.
        chance: the error of guessing.

    Raises:
        UserError: a parameter is unknown or cannot be tied or fixed, a value is out of its range, or
            two constraints contradict each other.
    """
    facts = LAW_FACTS[law]
    tied = None
    for text in ties:
        one, other = (_known(law, facts.slopes, name, "tied") for name in _sides("--tie", text))
        if one == other:
            raise UserError(
                f"--tie {shown(text)} ties {one} to itself; name two of {_names(facts.slopes)}"
            )
        tied = (facts.slopes[0], facts.slopes[1])
    fixed: dict[str, float] = {}
    for text in fixes:
        name, value = _sides("--fix", text)
        _known(law, facts.fixable, name, "fixed")
        number = _number(text, name, value, facts)
        if fixed.setdefault(name, number) != number:
            raise UserError(f"--fix gives {name} two values, {fixed[name]:g} and {number:g}; give one")
    if tied and fixed.keys() & set(tied):
        values = {fixed[name] for name in tied if name in fixed}
        if len(values) > 1:
            raise UserError(
                f"{tied[0]} and {tied[1]} are tied and fixed at {fixed[tied[0]]:g} and "
                f"{fixed[tied[1]]:g}; give them one value, or leave --tie out"
            )
        fixed |= dict.fromkeys(tied, values.pop())
        tied = None
    _check_chance(law, facts, chance, fixed)
    ordered = tuple((name, fixed[name]) for name in facts.fixable if name in fixed)
    return Constraints(tied, ordered, chance)


def _sides(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        form, example = ("NAME=NAME", "alpha=beta") if option == "--tie" else ("NAME=VALUE", "D=0")
        raise UserError(
            f"{option} {shown(text)} is not of the form {form}; write, for example, {example}"
        )
    return name.strip(), value.strip()


def _known(law: str, allowed: Sequence[str], name: str, verb: str) -> str:
    if name not in allowed:
        what = f"in the law {law}, {_names(allowed)} can be {verb}"
        if not allowed:
            what = f"the law {law} has no parameter that can be {verb}"
        raise UserError(
            f"{shown(name)} cannot be {verb}: {what} (factors depend on the unit of N and are fitted)"
        )
    return name


def _names(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def _number(text: str, name: str, value: str, facts: LawFacts) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"--fix {shown(text)}: {shown(value)} is not a number; write one, such as 0.077")
    if not facts.exponents and name in facts.slopes:
        return number
    largest = LARGEST_EXPONENT if name in facts.slopes else math.inf
    if not 0 <= number <= largest:
        allowed = "0 or more" if math.isinf(largest) else f"between 0 and {largest:g}"
        raise UserError(f"--fix {shown(text)} is out of range: {name} must be {allowed}")
    return number


def _check_chance(law: str, facts: LawFacts, chance: float | None, fixed: dict[str, float]) -> None:
    if chance is None:
        return
    if not facts.saturates:
        able = [name for name, known in LAW_FACTS.items() if known.saturates]
        raise UserError(f"--chance is not supported by the law {law}; choose one of {', '.join(able)}")
    if not 0 < chance < math.inf:
        raise UserError(f"--chance {chance:g} must be greater than 0: it is the error of guessing")
    floor = fixed.get(facts.floor or "", 0.0)
    if floor >= chance:
        raise UserError(f"--fix {facts.floor}={floor:g} must be less than --chance {chance:g}")
