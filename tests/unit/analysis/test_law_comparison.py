"""All laws on the same cells: the one that is right is named, and what is compared is comparable."""

from __future__ import annotations

import numpy as np
import pytest

from paretoken.analysis.cells import CellData, Cells
from paretoken.analysis.estimate import estimate
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.law_comparison import compare_laws
from paretoken.analysis.losses import make_loss
from paretoken.config.constraints import read_constraints
from paretoken.registry import LAWS

TEXTS = (0.0, 25.0, 50.0, 100.0, 200.0)


def compared(cells, headline="product", loss="squared"):
    return compare_laws(estimate(cells, LAWS.load(headline), make_loss(loss), 50.0), TEXTS)


def by_law(comparison):
    return {row["law"]: row for row in comparison["laws"]}


@pytest.fixture(scope="module")
def additive(surfaces):
    return compared(surfaces["additive"].cells(3e-3))


def test_every_registered_law_has_a_row(additive):
    assert list(by_law(additive)) == list(LAWS)
    assert not any(row["reason"] for row in additive["laws"])


def test_weights_are_those_of_akaike(additive):
    rows = additive["laws"]
    assert sum(row["weight"] for row in rows) == pytest.approx(1)
    assert min(row["aicc_difference"] for row in rows) == 0
    best = max(rows, key=lambda row: row["weight"])
    assert best["aicc_difference"] == 0
    for row in rows:
        share = best["weight"] * np.exp(-row["aicc_difference"] / 2)
        assert row["weight"] == pytest.approx(share, rel=1e-9)


def test_the_law_that_describes_the_cells_better_is_named(additive):
    assert additive["best"] == "additive"
    assert additive["words"][0].startswith("The law additive describes these cells better than product")
    assert not by_law(additive)["additive"]["excluded"]


def test_the_better_law_is_a_warning_of_the_fit(surfaces):
    data = CellData(surfaces["additive"].cells(3e-3), {}, [])
    record = fit_record(data, FitOptions(bootstrap=0, compare=True))
    better = [w for w in record["warnings"] if "describes these cells better" in w]
    assert better == [record["laws"]["words"][0]]
    assert fit_record(data, FitOptions(bootstrap=0))["laws"] is None


def test_no_better_law_is_reported_where_the_headline_is_right(surfaces):
    words = compared(surfaces["large_floor"].cells(2e-4))["words"]
    assert not any("better than product" in sentence for sentence in words)


def test_a_constant_that_is_right_proves_no_effect_and_leaves_no_answer():
    N, V = (axis.ravel() for axis in np.meshgrid([1.0, 2, 4, 8, 16], [1.0, 4, 16, 64], indexing="ij"))
    noise = np.random.default_rng(3).normal(0, 0.01, len(N))
    comparison = compared(Cells(N, V, 0.4 + noise, np.ones(len(N))))
    rows = by_law(comparison)
    assert not rows["constant"]["excluded"]
    assert rows["constant"]["v_star"] is None
    assert rows["constant"]["best"] == []
    assert comparison["same_answer"] is not True
    assert any("do not show that N or V matters" in sentence for sentence in comparison["words"])


def test_choices_are_the_best_affordable_cells_of_the_grid(additive, surfaces):
    surface = surfaces["additive"]
    row = by_law(additive)["additive"]
    cells = surface.cells(3e-3)
    fitted = estimate(cells, surface.law, make_loss("squared"), 50.0)
    for budget, (n, v) in zip(additive["budgets"], row["best"], strict=True):
        cost = cells.N * (additive["text_tokens"] + cells.V)
        affordable = cost <= budget * (1 + 1e-12)
        errors = np.where(affordable, fitted.predicted(), np.inf)
        best = int(np.argmin(errors))
        assert (n, v) == (cells.N[best], cells.V[best])


@pytest.mark.parametrize(("fixed", "contradicted"), [("alpha=0.2", True), ("beta=0.06", False)])
def test_constraints_that_the_cells_contradict_are_named(surfaces, fixed, contradicted):
    law = LAWS.load("product_zero_d").constrained(read_constraints("product_zero_d", (), [fixed]))
    N, V = surfaces["ocr_like"].cells().N, surfaces["ocr_like"].cells().V
    noise = np.random.default_rng(1).normal(0, 3e-3, len(N))
    cells = Cells(N, V, 0.7 * N**-0.05 * V**-0.06 + noise, np.ones(len(N)))
    options = FitOptions("product_zero_d", bootstrap=0, constraints=law.constraints)
    record = fit_record(CellData(cells, {}, []), options)
    assert (record["constraints"]["p_value"] < 0.05) == contradicted
    told = [s for s in record["cautions"] if s.startswith(f"The cells contradict {fixed[:4]}")]
    assert bool(told) == contradicted
    assert set(told) <= set(record["warnings"])


def test_regret_is_zero_for_the_headline_and_never_negative(additive):
    rows = by_law(additive)
    assert rows["product"]["regret"] == 0
    assert all(row["regret"] is None or row["regret"] >= 0 for row in rows.values())


def test_closed_form_and_search_agree_on_the_best_tokens(surfaces):
    row = by_law(compared(surfaces["published_grid"].cells()))["product"]
    p = surfaces["published_grid"].parameters
    assert row["v_star"] == pytest.approx(50 * p["beta"] / (p["alpha"] - p["beta"]), rel=1e-3)


def test_a_law_that_cannot_be_fitted_says_why():
    N, V = (axis.ravel() for axis in np.meshgrid([1.0, 2, 4], [0.0, 4, 16, 64], indexing="ij"))
    Y = 0.1 + 0.5 * N**-0.2 * (50 + V) ** -0.1
    rows = by_law(compared(Cells(N, V, Y, np.ones(len(N))), "product_q_plus_v"))
    assert "needs V > 0" in rows["product"]["reason"]
    assert rows["product_q_plus_v"]["reason"] == ""


def test_ratios_that_cannot_be_compared_are_explained(additive):
    assert any("not an exchange rate" in sentence for sentence in additive["words"])


@pytest.mark.parametrize("loss", ["huber", "log_squared"])
def test_other_losses_are_compared_as_far_as_they_can_be(surfaces, loss):
    comparison = compared(surfaces["ocr_like"].cells(3e-3), loss=loss)
    known = [row["aicc"] is not None for row in comparison["laws"]]
    assert all(known) if loss == "log_squared" else not any(known)
    assert comparison["words"]


@pytest.mark.slow
def test_the_true_law_is_named_or_kept_in_most_data_sets(surfaces):
    """Additive truth, 20 data sets: the product law is doubted in 90 % of them or more."""
    named = 0
    for seed in range(20):
        comparison = compared(surfaces["additive"].cells(4e-3, seed=seed))
        named += "additive" in comparison["words"][0] and "better than product" in comparison["words"][0]
    assert named >= 15, "P(15 or less of 20 at 95 %) < 0.003"
