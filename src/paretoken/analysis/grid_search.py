"""The paper's own fitting procedure: a grid over all four parameters of the product law.

This module searches the whole grid (5 million points), vectorised. The authors' script visits it in an
unseeded random order and stops after a fifth (paper appendix A.2; scaling_law_code/objective.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from paretoken.analysis.cells import Cells
from paretoken.analysis.estimate import Estimate
from paretoken.analysis.losses import Loss
from paretoken.config.constraints import NOTHING
from paretoken.errors import UserError
from paretoken.io.arrays import Array

#: The authors' axes: a (our K = A B), alpha, beta, d.
AXES = {
    "K": np.linspace(0.2, 0.7, 50),
    "alpha": np.linspace(0, 0.2, 100),
    "beta": np.linspace(0, 0.05, 100),
    "D": np.linspace(0, 0.3, 10),
}


@dataclass(frozen=True)
class GridFit:
    """The best grid point, its objective, and the axes on whose edge it lies."""

    parameters: dict[str, float]
    objective: float
    points: int
    edges: tuple[str, ...]

    def warnings(self) -> list[str]:
        """Return one sentence per parameter on the edge of its axis."""
        return [
            f"The best grid point is on the edge of {name} ({self.parameters[name]:g}, range "
            f"{AXES[name][0]:g} to {AXES[name][-1]:g}): {self._advice(name)}"
            for name in self.edges
        ]

    def _advice(self, name: str) -> str:
        if self.parameters[name] == 0:
            return "this is a natural bound."
        return "the best value may lie outside; use --method exact."


def search(cells: Cells, loss: Loss) -> GridFit:
    """Return the grid point of the lowest objective.

    It needs tens of megabytes: it evaluates one alpha at a time and, for the squared error, a few
    moments instead of the cells.
    """
    best, index = np.inf, (0, 0, 0, 0)
    scan = _squared_rows if loss.name == "squared" else _general_rows
    for i, surface in enumerate(scan(cells, loss)):
        lowest = int(np.argmin(surface))
        if surface.flat[lowest] < best:
            j, k, m = np.unravel_index(lowest, surface.shape)
            best, index = float(surface.flat[lowest]), (i, int(j), int(k), int(m))
    at = dict(zip(("alpha", "beta", "K", "D"), index, strict=True))
    parameters = {name: float(AXES[name][at[name]]) for name in ("K", "D", "alpha", "beta")}
    predicted = _predict(parameters, cells)
    return GridFit(
        parameters=parameters,
        objective=float(loss.objective(cells.Y, predicted, cells.weight)),
        points=int(np.prod([len(axis) for axis in AXES.values()])),
        edges=tuple(n for n in parameters if at[n] in (0, len(AXES[n]) - 1)),
    )


def _predict(parameters: dict[str, float], cells: Cells) -> Array:
    power = cells.N ** -parameters["alpha"] * cells.V ** -parameters["beta"]
    return parameters["K"] * power + parameters["D"]


def _squared_rows(cells: Cells, loss: Loss) -> Iterator[Array]:
    """Yield the sums of squares (beta, K, D) for each alpha, from weighted moments."""
    w, y = cells.weight, cells.Y
    K, D = AXES["K"][None, :, None], AXES["D"][None, None, :]
    by_tokens = cells.V[None, :] ** -AXES["beta"][:, None]
    for alpha in AXES["alpha"]:
        x = by_tokens * cells.N**-alpha
        xx, x1, xy = (x**2 @ w)[:, None, None], (x @ w)[:, None, None], (x @ (w * y))[:, None, None]
        yield np.asarray(K**2 * xx + D**2 * w.sum() + w @ y**2 + 2 * (K * D * x1 - K * xy - D * (w @ y)))


def _general_rows(cells: Cells, loss: Loss) -> Iterator[Array]:
    """Yield the objective (beta, K, D) for each alpha, cell by cell."""
    K, D = AXES["K"][:, None, None], AXES["D"][None, :, None]
    for alpha in AXES["alpha"]:
        rows = []
        for beta in AXES["beta"]:
            predicted = K * (cells.N**-alpha * cells.V**-beta) + D
            rows.append(loss.objective(cells.Y, predicted, cells.weight))
        yield np.stack(rows)


def estimate_on_grid(exact: Estimate) -> tuple[Estimate, dict[str, Any]]:
    """Return the best point of the grid as an estimate, and the search for the record of the fit.

    Args:
        exact: the estimate of the same law, at the minimum.

    Raises:
        UserError: the law is not the paper's, or it has constraints.
    """
    if exact.law.name != "product":
        raise UserError(
            "--method grid is the paper's search, defined for --law product only, got --law "
            f"{exact.law.name}; use --method exact"
        )
    if exact.law.constraints != NOTHING:
        raise UserError(
            "--method grid is the paper's search, without --tie, --fix and --chance; use --method exact"
        )
    found = search(exact.cells, exact.loss)
    values = np.array([[found.parameters[name] for name in exact.law.parameters]])
    on_grid = Estimate(
        exact.cells,
        exact.law,
        exact.loss,
        exact.text_tokens,
        centred=exact.law.center(values, *exact.centre)[0],
        objective=found.objective,
        converged=True,
        starts=found.points,
        reached=1,
    )
    excess = 100 * (found.objective / exact.objective - 1) if exact.objective else np.inf
    above = f"The grid's best objective is {excess:.3g} % above the exact minimum."
    return on_grid, {
        "warnings": [*found.warnings(), above],
        "profile": {},
        "holdout": {"reason": "not computed on the grid; use --method exact"},
        "search": {"points": found.points, "edges": list(found.edges)},
        "exact": {"parameters": exact.parameters, "objective": exact.objective},
    }
