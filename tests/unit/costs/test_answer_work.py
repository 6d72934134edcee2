"""The paper's cost model by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paretoken.costs.answer_work import flops_2nt


def test_cost_by_hand():
    assert flops_2nt(7.0, 36.0, 0.0) == 504e9, "252 in Fig. 4, where the factor 2 is left out"
    assert flops_2nt(1.8, 144.0, 0.0) == pytest.approx(518.4e9)
    assert flops_2nt(7.0, 1.0, 50.0) == 714e9


def test_arrays():
    assert flops_2nt(np.array([1.0, 2.0]), np.array([3.0, 4.0]), 1.0).tolist() == [8e9, 20e9]
