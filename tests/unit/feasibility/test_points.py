"""Cells determine a law here exactly where `paretoken fit` accepts them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from paretoken.analysis.cells import Cells, require_identifiable
from paretoken.analysis.equal_cost import equal_cost_groups
from paretoken.errors import FitError
from paretoken.feasibility.points import Point, cost_nearly_the_same, undetermined

SIZES, COUNTS = (0.5, 1.0, 1.8, 4.0, 7.0), (1, 2, 4, 16, 49)
GRIDS = st.lists(st.tuples(st.sampled_from(SIZES), st.sampled_from(COUNTS)), min_size=1, max_size=8)


def points_at(pairs: list[tuple[float, int]]) -> list[Point]:
    return [Point(f"llm-{N}", N, V) for N, V in pairs]


@given(GRIDS, st.integers(1, 5))
def test_undetermined_means_that_a_fit_refuses(pairs: list[tuple[float, int]], parameters: int) -> None:
    N, V = (np.array(axis, float) for axis in zip(*pairs, strict=True))
    cells = Cells(N, V, np.ones(len(N)), np.ones(len(N)))
    try:
        require_identifiable(cells, ["p"] * parameters)
        refused = False
    except FitError:
        refused = True
    assert (undetermined(points_at(pairs), parameters) is not None) == refused


@given(GRIDS)
def test_equal_costs_mean_that_figure_4_has_groups(pairs: list[tuple[float, int]]) -> None:
    cells = pd.DataFrame(sorted(set(pairs)), columns=["params_b", "visual_tokens"])
    assert cost_nearly_the_same(points_at(pairs)) == bool(equal_cost_groups(cells))


def test_no_cell_determines_nothing() -> None:
    assert undetermined([], 1) == "no cell is left to fit"
