"""The cells to which a law is fitted, as numbers, and whether they determine the law."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from paretoken.config.study import FrozenStudy
from paretoken.io.csv_files import Row
from paretoken.io.numerals import number_of
from paretoken.io.text_tables import counted
from paretoken.study.grid import cells
from paretoken.study.measured import rows_of_cells

#: By what share the costs within a group of nearly equal costs may differ (figure 4).
EQUAL_COST = 0.15


@dataclass(frozen=True)
class Point:
    """One cell of one suite.

    Attributes:
        llm: name of its language model.
        N: size of the language model, in billions of parameters.
        V: visual tokens.
        error: the error, if it was measured elsewhere; None before training.
        flagged: whether it is left out of fits to unflagged cells.
    """

    llm: str
    N: float
    V: float
    error: float | None = None
    flagged: bool = False


def points_of(frozen: FrozenStudy, suite: str, rows: Sequence[Row] | None) -> list[Point]:
    """Return the cells with V > 0 of a suite: all of the grid, or those with errors in a table."""
    planned = [cell for cell in cells(frozen.study) if cell.tokens > 0]
    if rows is None:
        return [Point(cell.llm, frozen.params_b(cell.llm), cell.tokens) for cell in planned]
    found = []
    for cell, own in rows_of_cells(rows, planned):
        for row in own:
            error = number_of(row["error"]) if row["suite"] == suite else math.nan
            if not math.isnan(error):
                size, flagged = frozen.params_b(cell.llm), bool(row.get("flag"))
                found.append(Point(cell.llm, size, cell.tokens, error, flagged))
    return found


def undetermined(points: Sequence[Point], parameters: int) -> str | None:
    """Return why cells cannot determine a law with ``parameters`` parameters; None if they can.

    The same conditions as those of `paretoken fit` (`analysis.cells.require_identifiable`).
    """
    if not points:
        return "no cell is left to fit"
    for symbol, levels in (("N", {p.N for p in points}), ("V", {p.V for p in points})):
        if len(levels) < 2:
            what = "size" if symbol == "N" else "number of visual tokens"
            return f"there is only one {what} ({symbol} = {levels.pop():g}), but two or more are needed"
    distinct = len({(p.N, p.V) for p in points})
    if distinct < parameters:
        return (
            f"the grid has {counted(distinct, 'distinct cell')} for {counted(parameters, 'parameter')}"
        )
    if _change_together([math.log(p.N) for p in points], [math.log(p.V) for p in points]):
        return "N and V change together, so their exponents cannot be distinguished"
    return None


def _change_together(x: Sequence[float], y: Sequence[float]) -> bool:
    """Return whether y is a linear function of x."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    dx, dy = [value - mean_x for value in x], [value - mean_y for value in y]
    shared = sum(a * b for a, b in zip(dx, dy, strict=True)) ** 2
    return shared >= (1 - 1e-9) * sum(a * a for a in dx) * sum(b * b for b in dy)


def cost_nearly_the_same(points: Sequence[Point]) -> bool:
    """Return whether two sizes have nearly the same cost N V at some of their visual tokens."""
    costs = sorted({(p.N * p.V, p.N) for p in points})
    return any(
        size != other and cost <= low * (1 + EQUAL_COST)
        for (low, size), (cost, other) in pairwise(
            costs
        )  # if any two sizes are close, so are two neighbours
    )
