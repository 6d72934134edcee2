"""Starting points: a grid of exponents, with the exact bounded linear solution at each point.

For fixed exponents a law is linear, so the best linear parameters under squared error follow in
closed form. With at most three of them every active set is tried, which is exact non-negative
least squares, vectorised over grid points and problems through weighted moments.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from paretoken.analysis.laws.base import EXPONENT_LIMIT, Law
from paretoken.analysis.solver import Batch
from paretoken.io.arrays import Array, Mask

#: Points per exponent of the grid that a resampled fit starts from.
SMALL_SIDE = 14
#: Number of cells beyond which a fit has fewer starts.
MANY_CELLS = 1000


def exponent_grid(law: Law, side: int) -> Array:
    """Return combinations of exponents, (G, q): 0 and a geometric ladder up to the limit.

    Fixed and tied exponents have no ladder of their own.
    """
    axis = np.concatenate([[0.0], np.geomspace(2e-3, EXPONENT_LIMIT, side - 1)])
    matrix, fixed = law.expansion(law.exponents)
    axes = np.meshgrid(*[axis] * matrix.shape[1], indexing="ij")
    free = np.stack([a.ravel() for a in axes], axis=1) if axes else np.zeros((1, 0))
    return np.asarray(free @ matrix.T + fixed)


def linear_solutions(batch: Batch, theta: Array) -> tuple[Array, Array]:
    """Return the best linear parameters and their weighted squared error at each grid point.

    Args:
        batch: B problems; losses of logarithms use weights / Y^2, which is the same to first order.
        theta: exponents, (G, q).

    Returns:
        Values (G, B, p) and sums of squares (G, B).
    """
    weight = batch.weight / batch.y**2 if batch.loss.log else batch.weight
    basis = batch.law.basis(theta, batch.log_n, batch.log_t)
    pairs = basis[:, :, :, None] * basis[:, :, None, :]
    normal = np.tensordot(pairs, weight, axes=(1, 1)).transpose(0, 3, 1, 2)
    moment = np.tensordot(basis, weight * batch.y, axes=(1, 1)).transpose(0, 2, 1)
    total = np.broadcast_to((weight * batch.y**2).sum(axis=1), moment.shape[:2])
    matrix, fixed = batch.law.expansion(batch.law.linear)
    p = matrix.shape[1]
    if p < len(fixed):  # subtract the contribution of fixed linear parameters
        total = total - 2 * moment @ fixed + fixed @ normal @ fixed
        moment = (moment - normal @ fixed) @ matrix
        normal = matrix.T @ normal @ matrix
    best = np.zeros(moment.shape)
    squares = total.copy()
    smallest = 1 if batch.law.bounded else p
    for size in range(smallest, p + 1):
        for subset in combinations(range(p), size):
            _try_subset(list(subset), normal, moment, total, batch.law.bounded, best, squares)
    return best @ matrix.T + fixed, squares


def _try_subset(
    subset: list[int],
    normal: Array,
    moment: Array,
    total: Array,
    bounded: bool,
    best: Array,
    squares: Array,
) -> None:
    """Solve with only ``subset`` active; keep the solution where it is feasible and better."""
    matrix = normal[:, :, subset][:, :, :, subset].copy()
    diagonal = range(len(subset))
    matrix[:, :, diagonal, diagonal] *= 1 + 1e-13
    matrix[:, :, diagonal, diagonal] += 1e-300
    target = moment[:, :, subset]
    solution = np.linalg.solve(matrix, target[:, :, :, None])[:, :, :, 0]
    found = total - (solution * target).sum(axis=2)
    keep = found < squares
    if bounded:
        keep &= (solution >= 0).all(axis=2)
    full = np.zeros(best.shape)
    full[:, :, subset] = solution
    best[keep], squares[keep] = full[keep], found[keep]


def point_starts(batch: Batch) -> Array:
    """Return starts (S, P) for one problem: the local minima of the grid, and points spread over it.

    With many cells the surface is smooth, and a coarser grid and fewer starts suffice (10,000 cells: a
    fifth of the work for the same minimum).
    """
    many = len(batch.log_n) > MANY_CELLS
    side, count = (16, 6) if many else (40, 24)
    theta = exponent_grid(batch.law, side)
    linear, squares = linear_solutions(batch, theta)
    values = np.concatenate([linear[:, 0], theta], axis=1)
    order = np.argsort(squares[:, 0], kind="stable")
    if len(theta) == 1:
        return np.concatenate([values, _constant(batch)])
    free = sum(name in batch.law.free for name in batch.law.exponents)
    minima = np.flatnonzero(_local_minima(squares[:, 0].reshape([side] * free)).ravel())
    minima = minima[np.argsort(squares[minima, 0], kind="stable")][: count // 2]
    spread = order[np.geomspace(1, len(order), count, dtype=int) - 1]
    chosen = np.unique(np.concatenate([minima, spread]))
    return np.asarray(values[chosen])


def _constant(batch: Batch) -> Array:
    """Return the law without slopes at the weighted mean error, whose logarithm exists."""
    values = np.zeros((1, len(batch.law.parameters)))
    values[0, 0] = np.average(batch.y[0], weights=batch.weight[0])
    return values


def _local_minima(surface: Array) -> Mask:
    padded = np.pad(surface, 1, constant_values=np.inf)
    lowest = np.ones(surface.shape, dtype=bool)
    for axis in range(surface.ndim):
        for shift in (-1, 1):
            neighbour = np.roll(padded, shift, axis)[tuple(slice(1, -1) for _ in surface.shape)]
            lowest &= surface <= neighbour
    return lowest


def best_start(batch: Batch) -> Array:
    """Return the best point of a small grid for each problem of a batch, (B, P)."""
    theta = exponent_grid(batch.law, SMALL_SIDE)
    linear, squares = linear_solutions(batch, theta)
    index = np.argmin(squares, axis=0)
    picked = linear[index, np.arange(len(index))]
    return np.concatenate([picked, theta[index]], axis=1)
