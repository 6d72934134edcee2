"""Means over seeds, and sizes compared at equal cost without a law."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from paretoken.analysis.cell_means import cell_means, suite_means
from paretoken.analysis.equal_cost import comparisons, equal_cost_groups, tally


def row(
    llm: str, N: float, V: int, seed: int, error: float, stderr: float, **more: Any
) -> dict[str, Any]:
    return {"llm": llm, "params_b": N, "compressor": "average_pool", "visual_tokens": V, "seed": seed,
            "suite": "reasoning", "error": error, "stderr": stderr, "flag": "", **more}  # fmt: skip


def test_the_spread_over_seeds_is_the_standard_error_where_there_are_several() -> None:
    rows = [row("a", 1, 4, 0, 0.2, 0.03), row("a", 1, 4, 1, 0.4, 0.04), row("b", 2, 4, 0, 0.1, 0.05)]
    means = cell_means(pd.DataFrame(rows)).set_index("llm")
    assert means.loc["a", "error"] == pytest.approx(0.3)
    assert means.loc["a", "seeds"] == 2
    assert means.loc["a", "stderr_questions"] == pytest.approx(0.025)
    assert means.loc["a", "stderr"] == means.loc["a", "stderr_seeds"] == pytest.approx(0.1)
    assert math.isnan(means.loc["b", "stderr_seeds"])
    assert means.loc["b", "stderr"] == 0.05


def test_unmeasured_cells_are_left_out_and_flags_kept() -> None:
    rows = [
        row("a", 1, 4, 0, math.nan, math.nan),
        row("b", 1, 4, 0, 0.2, math.nan, flag="copied"),
        row("b", 1, 4, 0, 0.3, 0.1, suite="ocr", flag=None),
    ]
    means = suite_means(pd.DataFrame(rows))
    assert [*zip(means["suite"], means["llm"], means["flag"], strict=True)] == [
        ("reasoning", "b", "copied"),
        ("ocr", "b", ""),
    ]
    assert suite_means(pd.DataFrame(rows[:1])).empty


def results(*rows: dict[str, Any]) -> Any:
    errors = pd.DataFrame(rows)
    suites = [SimpleNamespace(name=name) for name in ("reasoning", "ocr")]
    cells = lambda suite: errors[errors["suite"] == suite]  # noqa: E731
    return SimpleNamespace(study=SimpleNamespace(suites=suites), cells=cells)


def test_at_equal_cost_the_side_with_less_error_wins_if_noise_allows() -> None:
    # a@9 costs what b@1 does; a@36 and b@4, too.
    pairs = comparisons(results(
        row("a", 1, 9, 0, 0.5, 0.01), row("b", 9, 1, 0, 0.3, 0.01),
        row("a", 1, 36, 0, 0.31, 0.01), row("b", 9, 4, 0, 0.30, 0.01),
        row("a", 1, 9, 0, 0.1, 0.01, suite="ocr"), row("b", 9, 1, 0, 0.4, math.nan, suite="ocr"),
        row("a", 1, 36, 0, 0.1, 0.03, suite="ocr"), row("b", 9, 4, 0, 0.2, 0.04, suite="ocr"),
    ))  # fmt: skip
    assert [*pairs["wins"].fillna("")] == ["larger", "undecided", "", "smaller"]
    assert [*pairs["lower"]] == ["larger", "larger", "smaller", "smaller"]
    reasoning, ocr = tally(pairs, {"reasoning": "Scenes", "ocr": "Digits"})
    assert reasoning.startswith("Scenes: the larger model with fewer tokens errs less in 2 of 2 pairs")
    decided = "the 95 % interval of the difference decides for the larger one in"
    assert f"{decided} 1, for the smaller one in 0, and for neither in 1" in reasoning
    assert f"{decided} 0, for the smaller one in 1, and for neither in 0" in ocr
    assert "The signs alone do not show which errs less (0 of 2 pairs" in ocr
    first = pairs.iloc[0]
    assert (first["llm_larger"], first["visual_tokens_larger"]) == ("b", 1)
    assert (first["llm_smaller"], first["visual_tokens_smaller"]) == ("a", 9)
    assert first["flops"] == 2 * 9e9
    np.testing.assert_allclose([first["difference"], first["stderr"]], [-0.2, math.hypot(0.01, 0.01)])


def test_a_grid_without_equal_costs_has_no_pairs() -> None:
    assert comparisons(results(row("a", 1, 1, 0, 0.5, 0.01), row("b", 10, 1, 0, 0.3, 0.01))).empty
    assert equal_cost_groups(cell_means(pd.DataFrame([row("a", 1, 1, 0, 0.5, 0.01)]))) == []
