"""A self-test of the fitter: it must recover known parameters and the published fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paretoken.analysis.cells import Cells, Selection, read_cells
from paretoken.analysis.estimate import estimate
from paretoken.analysis.grid_search import search
from paretoken.analysis.laws.base import Law
from paretoken.analysis.losses import make_loss
from paretoken.analysis.resample import draw, percentiles
from paretoken.registry import LAWS

SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0, 14.0), (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
#: True parameters, chosen so that none lies on a bound.
TRUTHS = {
    "product": {"K": 0.4, "D": 0.2, "alpha": 0.12, "beta": 0.03},
    "product_zero_d": {"K": 0.59, "alpha": 0.071, "beta": 0.0151},
    "product_q_plus_v": {"K": 0.5, "D": 0.15, "alpha": 0.1, "beta": 0.06},
    "log_linear": {"c": 0.59, "a": 0.038, "b": 0.0081},
    "additive": {"E": 0.2, "A": 0.2, "B": 0.2, "alpha": 0.3, "beta": 0.2},
    "constant": {"c": 0.4},
}
#: Sums of squares of the published cells under the best fits, found independently.
PUBLISHED = (
    ("visual_reasoning", "product", 3.79e-4),
    ("visual_reasoning", "log_linear", 2.80e-4),
    ("ocr", "product", 5.14e-3),
)
PUBLISHED_GRID = 3.963e-4
Q = 50.0


@dataclass(frozen=True)
class Check:
    """The result of one check: its name, the deviation in words, and whether it passed."""

    name: str
    detail: str
    passed: bool


def checks(published_errors: Path | None, datasets: int = 100) -> Iterator[Check]:
    """Yield recovery without noise, coverage with noise, and the published fits.

    Args:
        published_errors: the published table; None skips its checks.
        datasets: the number of noisy data sets for the coverage.
    """
    for name, truth in TRUTHS.items():
        law: Law = LAWS.load(name)
        fitted = estimate(_cells(law, truth), law, make_loss("squared"), Q).parameters
        worst = max(abs(fitted[p] / value - 1) for p, value in truth.items())
        yield Check(f"{name} without noise", f"largest relative error {worst:.1e}", worst < 1e-6)
    yield _coverage(datasets)
    if published_errors:
        yield from _published(published_errors)


def _cells(law: Law, truth: dict[str, float]) -> Cells:
    N, V = (axis.ravel() for axis in np.meshgrid(SIZES, TOKENS, indexing="ij"))
    return Cells(N, V, law.predict(truth, N, V, Q), np.ones(len(N)))


def _coverage(datasets: int) -> Check:
    """Check how often the residual bootstrap's 95 % interval of alpha contains the truth."""
    law: Law = LAWS.load("product_zero_d")
    truth = TRUTHS["product_zero_d"]
    clean, generator, covered = _cells(law, truth), np.random.default_rng(0), 0
    for seed in range(datasets):
        noisy = clean.Y + generator.normal(0, 0.004, len(clean))
        fitted = estimate(Cells(clean.N, clean.V, noisy, clean.weight), law, make_loss("squared"))
        values = draw(fitted, "residual", 200, seed).values
        low, high = percentiles(values[:, law.parameters.index("alpha")])
        covered += low is not None and high is not None and low <= truth["alpha"] <= high
    share = covered / datasets
    tolerance = 3 * np.sqrt(0.95 * 0.05 / datasets) + 0.02
    detail = f"the 95 % interval of alpha contains the truth in {100 * share:.0f} % of {datasets}"
    return Check("product_zero_d with noise", detail, abs(share - 0.95) <= tolerance)


def _published(path: Path) -> Iterator[Check]:
    squared = make_loss("squared")
    for suite, name, known in PUBLISHED:
        fitted = estimate(read_cells(path, Selection(suite=suite)).cells, LAWS.load(name), squared)
        detail = f"sum of squares {fitted.objective:.4g} (known: {known:.3g})"
        agrees = abs(fitted.objective / known - 1) < 5e-3
        yield Check(f"published {suite}, {name}", detail, agrees)
    found = search(read_cells(path, Selection(suite="visual_reasoning")).cells, squared)
    detail = f"sum of squares {found.objective:.4g} (known: {PUBLISHED_GRID:.4g})"
    agrees = abs(found.objective / PUBLISHED_GRID - 1) < 1e-3
    yield Check("published visual_reasoning, the paper's full grid", detail, agrees)
