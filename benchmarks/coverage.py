"""Measure how often intervals contain known true values, and how often noise is called shared.

Run it from the project's folder with ``python benchmarks/coverage.py``; it takes some minutes on one
core. Errors of a product law are drawn with independent noise of each cell (normal or heavy-tailed), or
with noise that the cells of a language model share. They are fitted as by `paretoken fit`, and the
intervals are compared with the true values of the parameters, of alpha / beta, of the mean error and of
the error of a newly trained model. The nominal coverage of every interval is .95.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from paretoken.analysis.cells import CellData, Cells
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.laws.base import Law
from paretoken.io.arrays import Array
from paretoken.registry import LAWS

LAW: Law = LAWS.load("product")
TOKENS = (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
GRIDS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "4 x 7": ((0.5, 1.8, 4.0, 7.0), TOKENS),
    "5 x 4": ((0.0068, 0.02, 0.06, 0.18, 0.54), (1.0, 4.0, 9.0, 36.0)),
}
TRUTHS: Mapping[str, Mapping[str, float]] = {
    "no floor": {"K": 0.6, "D": 0.0, "alpha": 0.08, "beta": 0.017},
    "a floor": {"K": 0.4, "D": 0.2, "alpha": 0.25, "beta": 0.06},
}
#: Functions (generator, number of values) -> noise of each cell, in units of its standard deviation.
OWN: Mapping[str, Callable[[np.random.Generator, int], Array]] = {
    "independent": lambda rng, n: rng.normal(size=n),
    "heavy-tailed": lambda rng, n: rng.standard_t(3, size=n) / np.sqrt(3),
    "shared": lambda rng, n: rng.normal(size=n),
}
#: Standard deviation of the effect of a language model, in units of that of a cell's own noise.
SHARED = 2.0


def places(sizes: tuple[float, ...], tokens: tuple[float, ...]) -> dict[str, tuple[float, float]]:
    """Return the points (N, V) at which predictions are checked."""
    step = sizes[-1] / sizes[-2]
    return {
        "fitted": (sizes[2], tokens[2]),
        "interpolated": (float(np.sqrt(sizes[1] * sizes[2])), 10.0),
        "next size": (sizes[-1] * step, tokens[1]),
        "twice the next": (2 * sizes[-1] * step, tokens[1]),
    }


def hits(
    grid: str, truth: str, kind: str, sd: float, seed: int, replicates: int
) -> Iterator[tuple[str, bool]]:
    """Yield the statements about one data set, and whether each is true."""
    rng = np.random.default_rng([seed, 29])
    sizes, tokens = GRIDS[grid]
    known = TRUTHS[truth]
    N, V = (axis.ravel() for axis in np.meshgrid(sizes, tokens, indexing="ij"))
    effect = SHARED * sd if kind == "shared" else 0.0
    noise = sd * OWN[kind](rng, len(N)) + np.repeat(effect * rng.normal(size=len(sizes)), len(tokens))
    cells = Cells(N, V, LAW.predict(known, N, V) + noise, np.ones(len(N)))
    record = fit_record(CellData(cells, {}, []), FitOptions(bootstrap=replicates, seed=seed))
    fit = FittedLaw.from_record(record)
    yield "noise called shared", record["noise"]["shared"]
    for name, value in {**known, "alpha_over_beta": known["alpha"] / known["beta"]}.items():
        yield name, _inside(value, record["intervals"][name])
    for place, (n, v) in places(sizes, tokens).items():
        mean = float(LAW.predict(known, n, v))
        new = mean + sd * float(OWN[kind](rng, 1)[0]) + effect * float(rng.normal())
        for what, value, (low, high) in (
            ("mean", mean, fit.interval(n, v)),
            ("new", new, fit.measurement_interval(n, v)),
        ):
            yield f"{what}, {place}", bool(low <= value <= high)


def _inside(value: float, interval: Mapping[str, Any]) -> bool:
    low, high = interval["low"], interval["high"]
    return (low is None or value >= low) and (high is None or value <= high)


def main() -> None:
    """Print one line per grid, truth and kind of noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=100)
    parser.add_argument("--replicates", type=int, default=300)
    parser.add_argument("--sd", type=float, default=0.006, help="standard deviation of a cell's noise")
    parser.add_argument("--grids", nargs="+", choices=list(GRIDS), default=list(GRIDS))
    a = parser.parse_args()
    for grid in a.grids:
        for truth in TRUTHS:
            for kind in OWN:
                found: dict[str, list[bool]] = defaultdict(list)
                for seed in range(a.data_sets):
                    for what, true in hits(grid, truth, kind, a.sd, seed, a.replicates):
                        found[what].append(true)
                shares = "; ".join(f"{what} {np.mean(true):.2f}" for what, true in found.items())
                print(f"{grid}, {truth}, {kind} noise: {shares}", flush=True)


if __name__ == "__main__":
    main()
