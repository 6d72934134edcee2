"""Whether an error is a line in ln V: right for lines and curves, and open where noise hides it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from paretoken.analysis.cells import Cells
from paretoken.analysis.curvature import curvature
from paretoken.io.arrays import Array

SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0), (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
N, V = (axis.ravel() for axis in np.meshgrid(SIZES, TOKENS, indexing="ij"))
#: Up to this share of the fall a curve counts as a line.
BENT = 0.1
Truth = Callable[[Array, Array], Array]


def cells(Y: Array) -> Cells:
    return Cells(N, V, Y, np.ones(len(Y)))


def verdicts(truth: Truth, sd: float, data_sets: int = 60) -> Counter[str]:
    """Return how often noisy data of a truth are called a line (holds), a curve (fails), or open."""
    found: Counter[str] = Counter()
    for seed in range(data_sets):
        generator = np.random.default_rng([seed, 7])
        noise = generator.normal(size=len(N))
        if seed % 2:  # a part that the cells of a size share says nothing of V
            noise = noise + np.repeat(generator.normal(size=len(SIZES)), len(TOKENS))
        bend = curvature(cells(truth(N, V) + sd * noise))
        assert bend is not None
        inside, outside = bend.low >= -BENT and bend.high <= BENT, bend.low > BENT or bend.high < -BENT
        found["holds" if inside else "fails" if outside else "open"] += 1
    return found


@pytest.mark.parametrize(
    "truth",
    [
        lambda n, v: 0.6 - 0.12 * np.log(n) - 0.02 * np.log(v),
        lambda n, v: n**-0.3 * (0.5 - 0.03 * np.log(v)),
        lambda n, v: 0.15 + n**-0.2 * (0.35 - 0.02 * np.log(v)),
    ],
    ids=["plane", "slopes of their own", "with a floor"],
)
@pytest.mark.parametrize("sd", [1e-6, 0.003, 0.02])
def test_lines_are_never_called_curves_more_often_than_chance_allows(truth: Truth, sd: float) -> None:
    found = verdicts(truth, sd)
    assert found["fails"] <= binom.ppf(1 - 1e-3, 60, 0.05)
    assert found["holds"] == 60 or sd > 1e-6


def test_a_strong_power_law_is_not_a_line() -> None:
    assert verdicts(lambda n, v: 0.6 * n**-0.1 * v**-0.3, 0.004)["fails"] == 60


def test_noise_alone_is_undecided() -> None:
    assert verdicts(lambda n, v: 0.5 + 0 * n, 0.01)["holds"] <= binom.ppf(1 - 1e-3, 60, 0.05)


def test_the_share_is_the_distance_from_the_chord_over_the_fall() -> None:
    t = np.log(V) / np.log(576)
    bend = curvature(cells(1 - 0.2 * t + 0.1 * t**2))
    assert bend is not None
    assert bend.share == pytest.approx(0.1 / 4 / 0.1)  # it falls by .1, and lies .025 below the chord
    assert bend.low == pytest.approx(bend.high, abs=1e-6)


def test_too_few_cells_for_a_test_are_reported() -> None:
    few = np.isin(V, [1.0, 576.0])
    assert curvature(Cells(N[few], V[few], N[few] ** -0.1, np.ones(few.sum()))) is None
    three = np.isin(V, [1.0, 16.0, 576.0]) & (N == 0.5)
    assert curvature(Cells(N[three], V[three], V[three] ** -0.1, np.ones(3))) is None
