"""The paper's grid, in full: never beaten by a grid point, never better than the exact fit."""

from __future__ import annotations

import numpy as np
import pytest

from paretoken.analysis.cells import Cells
from paretoken.analysis.estimate import estimate
from paretoken.analysis.grid_search import AXES, search
from paretoken.analysis.losses import make_loss
from paretoken.registry import LAWS


def objective(p, cells, loss, delta=1e-3):
    r = cells.Y - (p["K"] * cells.N ** -p["alpha"] * cells.V ** -p["beta"] + p["D"])
    size = np.abs(r)
    rho = {"squared": size**2, "l1": size}.get(
        loss, np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
    )
    return float((cells.weight * rho).sum())


def test_the_axes_are_the_papers():
    """Notes on the paper, 1.1."""
    expected = {"K": (0.2, 0.7, 50), "alpha": (0, 0.2, 100), "beta": (0, 0.05, 100), "D": (0, 0.3, 10)}
    assert {n: (a[0], a[-1], len(a)) for n, a in AXES.items()} == {
        n: pytest.approx(e) for n, e in expected.items()
    }


def test_published_visual_cells(published):
    found = search(published().cells, make_loss("squared"))
    assert found.points == 5_000_000
    assert found.objective == pytest.approx(3.963e-4, abs=5e-8)
    expected = {"alpha": 0.0747, "beta": 0.0162, "K": 0.5571, "D": 0.0333}
    assert found.parameters == pytest.approx(expected, abs=6e-5)
    assert found.edges == ()
    assert found.warnings() == []


def test_published_ocr_cells_end_on_the_edge_of_beta(published):
    found = search(published("ocr").cells, make_loss("squared"))
    assert found.edges == ("beta",)
    (sentence,) = found.warnings()
    assert "edge of beta (0.05, range 0 to 0.05)" in sentence
    assert "--method exact" in sentence


@pytest.mark.parametrize("loss", ["squared", pytest.param("l1", marks=pytest.mark.slow)])
@pytest.mark.parametrize("suite", ["visual_reasoning", "ocr"])
def test_the_exact_fit_is_never_worse_than_the_full_grid(published, suite, loss):
    cells = published(suite).cells
    found = search(cells, make_loss(loss))
    assert found.objective == pytest.approx(objective(found.parameters, cells, loss), rel=1e-9)
    exact = estimate(cells, LAWS.load("product"), make_loss(loss))
    assert exact.objective <= found.objective


@pytest.mark.parametrize("loss", ["squared", pytest.param("huber", marks=pytest.mark.slow)])
def test_no_grid_point_is_better(published, loss):
    """The best point's neighbours, and ten thousand others; weights that differ."""
    cells = published().cells
    cells = cells.reweighted(np.random.default_rng(0).uniform(0.2, 3, len(cells)))
    found = search(cells, make_loss(loss))
    best = objective(found.parameters, cells, loss)
    generator = np.random.default_rng(1)
    others = [{n: generator.choice(a) for n, a in AXES.items()} for _ in range(10_000)]
    for name, axis in AXES.items():
        at = int(np.argmin(np.abs(axis - found.parameters[name])))
        for near in (at - 1, at + 1):
            if 0 <= near < len(axis):
                others.append(found.parameters | {name: axis[near]})
    assert best <= min(objective(p, cells, loss) for p in others) * (1 + 1e-12)


def test_a_truth_on_the_grid_is_found(surfaces):
    truth = {"K": AXES["K"][20], "alpha": AXES["alpha"][50], "beta": AXES["beta"][70], "D": AXES["D"][3]}
    cells = surfaces["no_floor"].cells()
    Y = truth["K"] * cells.N ** -truth["alpha"] * cells.V ** -truth["beta"] + truth["D"]
    found = search(Cells(cells.N, cells.V, Y, cells.weight), make_loss("squared"))
    assert found.parameters == pytest.approx(truth)
    assert found.objective == pytest.approx(0, abs=1e-20)


def test_weight_zero_leaves_a_cell_out(published):
    cells = published().cells
    Y, weight = cells.Y.copy(), np.ones(len(cells))
    Y[3], weight[3] = 9.0, 0.0
    found = search(Cells(cells.N, cells.V, Y, weight), make_loss("squared"))
    assert found.objective < 1e-3
