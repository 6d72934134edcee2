"""The range of possible errors, and whether assumptions about a law can be true of them."""

from __future__ import annotations

from paretoken.analysis.cells import Cells
from paretoken.analysis.laws.base import Law
from paretoken.errors import UserError


def possible_errors(cells: Cells, losses: bool) -> list[float | None]:
    """Return the range of possible errors: of shares, of losses, or of any number."""
    if (cells.Y < 0).any():
        return [None, None]
    return [0.0, 1.0 if (cells.Y <= 1).all() and not losses else None]


def require_possible(cells: Cells, law: Law, losses: bool) -> None:
    """Raise `UserError` if the assumptions about a law's parameters cannot be true of the cells."""
    Y, known = cells.Y[cells.used], law.constraints
    chance, floor = known.chance, dict(known.fixed).get(law.floor or "")
    if chance is not None and chance > 1 and possible_errors(cells, losses)[1] == 1:
        raise UserError(
            f"the error of guessing is {chance:g} (chance), but errors are shares from 0 to 1; give a "
            "share too, or use --losses if errors may exceed 1"
        )
    if floor is not None and len(Y) and floor >= Y.max():
        raise UserError(
            f"{law.floor} is fixed at {floor:g}, but no error is larger (the largest is {Y.max():.4g}); "
            "the floor is the error that remains with infinite N and V: give a smaller one"
        )
