"""What errors can be, and whether what is said of a law beforehand can be true of them."""

from __future__ import annotations

from paretoken.analysis.cells import Cells
from paretoken.analysis.laws.base import Law
from paretoken.errors import UserError


def possible_errors(cells: Cells, losses: bool) -> list[float | None]:
    """Return the range of errors that can be measured: of shares, of losses, or of any number."""
    if (cells.Y < 0).any():
        return [None, None]
    return [0.0, 1.0 if (cells.Y <= 1).all() and not losses else None]


def require_possible(cells: Cells, law: Law, losses: bool) -> None:
    """Require that what is said of a law's parameters can be true of the cells."""
    Y, known = cells.Y[cells.used], law.constraints
    chance, floor = known.chance, dict(known.fixed).get(law.floor or "")
    if chance is not None and chance > 1 and possible_errors(cells, losses)[1] == 1:
        raise UserError(
            f"the error of guessing is {chance:g} (chance), and errors are shares from 0 to 1; give a "
            "share too, or say with --losses that errors may exceed 1"
        )
    if floor is not None and len(Y) and floor >= Y.max():
        raise UserError(
            f"{law.floor} is fixed at {floor:g}, and no error is larger (the largest is {Y.max():.4g}); "
            "the floor is the error that is left with endless N and V: give a smaller one"
        )
