"""The published cells give the numbers of the notes on the paper, section 1.3."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from paretoken.analysis.cells import Selection, read_cells
from paretoken.analysis.fit import FitOptions, fit_record

V = [1, 4, 16, 36, 64, 144, 576]


def record(data, law, **options):
    return fit_record(data, FitOptions(law=law, bootstrap=0, **options))


def test_least_squares_of_the_product_law(published):
    found = record(published(), "product")
    assert found["objective"] == pytest.approx(3.79e-4, abs=5e-7)
    p = found["parameters"]
    assert p["D"] == 0
    assert [p["K"], p["alpha"], p["beta"]] == pytest.approx([0.5908, 0.0709, 0.0151], abs=6e-5)
    assert found["alpha_over_beta"] == pytest.approx(4.70, abs=5e-3)
    assert found["v_star"]["50"] == pytest.approx(13.5, abs=0.05)
    assert found["status"] == "bound_active"
    assert any("D is at its bound 0" in w for w in found["warnings"])
    assert any("profile of D is flat" in w for w in found["warnings"])


def test_the_law_without_floor_is_the_same_with_fewer_parameters(published):
    found, with_floor = record(published(), "product_zero_d"), record(published(), "product")
    assert found["objective"] == pytest.approx(with_floor["objective"], rel=1e-9)
    assert found["status"] == "converged"
    assert found["information"]["aicc"] == pytest.approx(-304.1, abs=0.05)


def test_log_linear(published):
    found = record(published(), "log_linear")
    assert found["objective"] == pytest.approx(2.80e-4, abs=6e-7)
    p = found["parameters"]
    assert [p["c"], p["a"], p["b"]] == pytest.approx([0.5902, 0.0384, 0.0081], abs=6e-5)
    assert found["information"]["aicc"] == pytest.approx(-312.6, abs=0.05)
    assert found["alpha_over_beta"] == pytest.approx(4.74, abs=0.03)


@pytest.mark.parametrize(("Q", "beta", "squares"), [(50, 0.0338, 1.68e-3), (1, 0.0167, 4.03e-4)])
def test_text_tokens_inside_the_law_fit_worse(published, Q, beta, squares):
    found = record(published(), "product_q_plus_v", law_text_tokens=Q)
    assert found["parameters"]["beta"] == pytest.approx(beta, abs=6e-5)
    assert found["objective"] == pytest.approx(squares, rel=5e-3)


def test_ocr(published):
    found = record(published("ocr"), "product_zero_d")
    assert found["objective"] == pytest.approx(5.14e-3, abs=6e-6)
    p = found["parameters"]
    assert [p["K"], p["alpha"], p["beta"]] == pytest.approx([0.9172, 0.0282, 0.0394], abs=6e-5)
    assert found["alpha_over_beta"] == pytest.approx(0.72, abs=5e-3)
    assert found["v_star"]["50"] == 576
    assert any("flagged" in w and "copy_of_another_cell" in w for w in found["warnings"])


def test_ocr_without_the_copied_cell(published):
    found = record(published("ocr", exclude_flagged=True), "product_zero_d")
    assert found["n_points"] == 27
    assert found["objective"] == pytest.approx(4.59e-3, abs=6e-6)
    p = found["parameters"]
    assert [p["K"], p["alpha"], p["beta"]] == pytest.approx([0.9151, 0.0271, 0.0386], abs=6e-5)
    (left_out,) = found["data"]["exclusions"]
    assert "copy_of_another_cell" in left_out["reason"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"K": 0.557143, "D": 0.033333, "alpha": 0.076768, "beta": 0.015152}, 4.45e-4),
        ({"K": 0.55714, "D": 0.03333, "alpha": 0.074747, "beta": 0.016162}, 3.963e-4),
    ],
)
def test_sums_of_squares_by_hand(published, parameters, expected):
    """The table itself is right: the notes' sums of squares, without the fitter."""
    cells, p = published().cells, parameters
    predicted = p["K"] * cells.N ** -p["alpha"] * cells.V ** -p["beta"] + p["D"]
    assert ((cells.Y - predicted) ** 2).sum() == pytest.approx(expected, rel=3e-3)


def test_prediction_at_14b(published):
    """The row "D=0" of the notes, which were made with parameters rounded to four digits."""
    p = record(published(), "product_zero_d")["parameters"]
    predicted = [p["K"] * 14 ** -p["alpha"] * v ** -p["beta"] for v in V]
    notes = [0.4900, 0.4798, 0.4699, 0.4642, 0.4602, 0.4546, 0.4451]
    assert predicted == pytest.approx(notes, abs=2e-4)


def test_table_is_the_papers(published_path):
    """Four sizes by seven token counts per suite; error is 1 - score; every flag has a reason."""
    table = pd.read_csv(published_path)
    for suite in ("visual_reasoning", "ocr"):
        rows = table[table["suite"] == suite]
        grid = rows.pivot_table(index="params_b", columns="visual_tokens", values="error")
        assert grid.index.tolist() == [0.5, 1.8, 4, 7]
        assert grid.columns.tolist() == V
        assert grid.notna().all(axis=None)
        assert len(rows) == 28
        np.testing.assert_allclose(rows["error"], 1 - rows["score"], atol=1e-9)
    flags = table[table["flag"].notna()]
    assert flags["note"].notna().all()
    at = flags.set_index(["suite", "params_b", "visual_tokens"])["flag"]
    assert at["ocr", 7, 576] == "copy_of_another_cell"
    assert at["visual_reasoning", 0.5, 4] == at["visual_reasoning", 4, 576] == "changed_between_commits"
    assert ("visual_reasoning", 7, 576) in at.index


@pytest.mark.parametrize(
    ("suite", "N", "tokens", "score"),
    [
        ("visual_reasoning", 0.5, 1, 0.3855), ("visual_reasoning", 0.5, 4, 0.3917),
        ("visual_reasoning", 4, 576, 0.5185), ("visual_reasoning", 7, 576, 0.5354),
        ("visual_reasoning", 1.8, 64, 0.4609), ("ocr", 0.5, 1, 0.0979), ("ocr", 7, 16, 0.205),
        ("ocr", 4, 4, 0.1559), ("ocr", 7, 576, 0.3461), ("ocr", 1.8, 144, 0.2585),
    ],
)  # fmt: skip
def test_scores_of_the_notes(published_path, suite, N, tokens, score):
    cells = read_cells(published_path, Selection(suite=suite)).cells
    at = (cells.N == N) & (tokens == cells.V)
    assert (1 - cells.Y[at]).tolist() == [pytest.approx(score, abs=6e-5)]
