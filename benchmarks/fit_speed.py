"""Measure how long fits take: exact, by the paper's procedure, bootstrap, full grid, many cells.

Run it from the project's folder with ``python benchmarks/fit_speed.py``. The paper's procedure alone
takes minutes. It is timed in full by default; ``--paper-share 0.02`` times a part and scales it up,
which the output mentions. Ratios compare times measured in the same run.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from paretoken.analysis.cells import Cells, Selection, read_cells
from paretoken.analysis.estimate import estimate
from paretoken.analysis.grid_search import AXES, search
from paretoken.analysis.laws.base import Law
from paretoken.analysis.losses import make_loss
from paretoken.analysis.resample import METHODS, draw
from paretoken.registry import LAWS

TABLE = Path("workflow/reference/published_errors.csv")
SQUARED = make_loss("squared")


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """Return the shortest wall time of ``work`` in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def paper_procedure(cells: Cells, share: float, seed: int = 0) -> float:
    """Search a shuffled share of the authors' grid in plain Python; return the lowest sum of squares.

    This re-implements scaling_law_code/objective.py of the authors' repository: it visits every
    combination of the four axes (numpy numbers from linspace) in random order, stops after a fifth, and
    evaluates each point cell by cell.
    """
    points = [
        (a, alpha, beta, d)
        for a in AXES["K"]
        for alpha in AXES["alpha"]
        for beta in AXES["beta"]
        for d in AXES["D"]
    ]
    random.Random(seed).shuffle(points)  # noqa: S311  (a seeded shuffle, nothing secret)
    data = list(zip(cells.N.tolist(), cells.V.tolist(), cells.Y.tolist(), strict=True))
    best = float("inf")
    for a, alpha, beta, d in points[: int(len(points) * share)]:
        total = 0.0
        for n, v, y in data:
            total += (a / n**alpha / v**beta + d - y) ** 2
        best = min(best, total)
    return best


def main() -> None:
    """Time everything and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--paper-share", type=float, default=0.2, help="share of the grid; the paper uses 0.2"
    )
    parser.add_argument("--many", type=int, default=10_000, help="number of cells of the large fit")
    arguments = parser.parse_args()
    cells = read_cells(TABLE, Selection(suite="visual_reasoning")).cells
    product: Law = LAWS.load("product")

    fitted = estimate(cells, product, SQUARED)
    exact = seconds(lambda: estimate(cells, product, SQUARED), 10)
    print(f"exact fit, {len(cells)} cells: {exact * 1e3:.1f} ms, sum of squares {fitted.objective:.4e}")

    start = time.perf_counter()
    paper_best = paper_procedure(cells, arguments.paper_share)
    paper = (time.perf_counter() - start) * 0.2 / arguments.paper_share
    scaled = "" if arguments.paper_share == 0.2 else f" (scaled up from {arguments.paper_share:g})"
    print(f"the paper's procedure: {paper:.1f} s{scaled}, sum of squares {paper_best:.4e}")
    print(
        f"  ratio paper / exact: {paper / exact:.0f}x, exact is lower: {fitted.objective < paper_best}"
    )

    grid = seconds(lambda: search(cells, SQUARED), 3)
    grid_l1 = seconds(lambda: search(cells, make_loss("l1")))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"full grid, 5 million points: {grid:.2f} s squared, {grid_l1:.2f} s l1")
    print(f"  ratio paper / full grid: {paper / grid:.0f}x; peak memory so far {peak:.0f} MiB")

    for method in METHODS:
        took = seconds(lambda method=method: draw(fitted, method, 1000, 0))  # type: ignore[misc]
        print(f"1000 bootstrap refits, {method}: {took:.2f} s")

    generator = np.random.default_rng(0)
    N = np.exp(generator.uniform(np.log(0.1), np.log(100), arguments.many))
    V = np.exp(generator.uniform(0, np.log(1000), arguments.many))
    truth = {"K": 0.4, "D": 0.2, "alpha": 0.12, "beta": 0.03}
    Y = product.predict(truth, N, V) + generator.normal(0, 0.004, arguments.many)
    large = Cells(N, V, Y, np.ones(arguments.many))
    took = seconds(lambda: estimate(large, product, SQUARED))
    print(f"exact fit, {arguments.many} cells: {took:.2f} s")


if __name__ == "__main__":
    main()
