"""The record of a fit: complete, plain JSON, and true to the data."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from paretoken.analysis.cells import CellData, Cells
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.frontier import frontier
from paretoken.analysis.losses import LOSSES
from paretoken.config.constraints import read_constraints
from paretoken.errors import FitError, UserError
from paretoken.registry import LAWS

#: What the issue asks of fit.json.
KEYS = {
    "law", "parameters", "status", "warnings", "objective", "rmse", "n_points", "intervals", "profile",
    "information", "holdout", "data", "versions", "seed",
}  # fmt: skip


def data_of(cells, flagged=()):
    return CellData(cells, {"path": "none", "suite": None, "exclusions": []}, list(flagged))


def record_of(cells, **options):
    return fit_record(data_of(cells), FitOptions(**{"bootstrap": 0} | options))


@pytest.mark.parametrize("law", list(LAWS))
def test_the_record_has_the_required_keys_and_is_plain_json(published, law):
    record = fit_record(published(), FitOptions(law=law, bootstrap=40))
    assert set(record) >= KEYS
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record["parameters"]) == list(LAWS.load(law).parameters)
    assert set(record["parameters"]) <= set(record["intervals"])
    assert ("alpha_over_beta" in record["intervals"]) == (law != "constant")
    assert ("v_star" in record["intervals"]) == (law not in {"additive", "constant"})
    assert len(record["draws"]) == 40
    assert {"aicc", "bic"} <= set(record["information"])
    assert {"leave_largest_n_out", "leave_one_n_out"} <= set(record["holdout"])
    assert {"path", "sha256", "rows", "exclusions"} <= set(record["data"])
    assert {"python", "numpy", "scipy", "paretoken"} <= set(record["versions"])


@pytest.mark.parametrize(
    "loss", [pytest.param(n, marks=pytest.mark.slow if n == "l1" else ()) for n in LOSSES]
)
def test_objective_and_rmse_follow_from_the_parameters(published, loss):
    record = fit_record(published(), FitOptions(loss=loss, huber_delta=2e-3, bootstrap=0))
    cells, p = published().cells, record["parameters"]
    predicted = p["K"] * cells.N ** -p["alpha"] * cells.V ** -p["beta"] + p["D"]
    r = cells.Y - predicted
    assert record["rmse"] == pytest.approx(np.sqrt((r**2).mean()), rel=1e-9)
    if loss.startswith("log"):
        r = np.log(cells.Y / predicted)
    huber = np.where(abs(r) < 2e-3, r**2 / 2, 2e-3 * (abs(r) - 1e-3)).sum()
    expected = {"l1": abs(r).sum(), "huber": huber, "log_huber": huber}.get(loss, (r**2).sum())
    assert record["objective"] == pytest.approx(expected, rel=1e-9)
    assert record["huber_delta"] == (2e-3 if "huber" in loss else None)


def test_every_interval_holds_its_estimate(published_record):
    record = published_record
    estimates = record["parameters"] | {"alpha_over_beta": record["alpha_over_beta"]}
    for name, value in estimates.items():
        interval = record["intervals"][name]
        assert interval["low"] <= value <= interval["high"], name
        assert {"residual", "points", "cluster"} <= {*interval}
        shown = [interval["low"], interval["high"]]
        if name in record["profile"]:  # every end of which lies within the values tried
            assert shown == record["profile"][name]["interval"], name
        else:
            assert shown == interval[record["bootstrap"]["headline"]], name
    for Q, value in record["v_star"].items():
        assert (
            record["intervals"]["v_star"][Q]["low"] <= value <= record["intervals"]["v_star"][Q]["high"]
        )


def test_intervals_are_quantiles_of_the_draws_kept(published_record):
    alpha = sorted(row[2] for row in published_record["draws"])
    interval = published_record["intervals"]["alpha"][published_record["bootstrap"]["headline"]]
    ends = np.quantile(alpha, [0.025, 0.975], method="inverted_cdf")
    assert interval == pytest.approx(ends.tolist(), rel=1e-6)


def test_v_star_is_the_closed_form(published_record):
    p = published_record["parameters"]
    for Q in (25, 50, 100, 200):
        expected = p["beta"] * Q / (p["alpha"] - p["beta"])
        assert published_record["v_star"][str(Q)] == pytest.approx(expected, rel=1e-9)
    assert published_record["v_star"]["0"] == 1, "the smallest V of the table"


def test_additive_law_has_no_single_best_v(published):
    record = fit_record(published(), FitOptions(law="additive", bootstrap=10))
    assert record["v_star"] is None
    assert any("depends on the budget" in note for note in record["notes"])


def test_identifiability_of_the_product_is_noted(published_record):
    assert any("Only K = A B" in note for note in published_record["notes"])


def test_the_same_call_gives_the_same_record(surfaces):
    data = data_of(surfaces["ocr_like"].cells(5e-3))
    options = FitOptions(bootstrap=30, seed=5)
    assert json.dumps(fit_record(data, options)) == json.dumps(fit_record(data, options))


def test_the_seed_moves_the_intervals_and_nothing_else(surfaces):
    data = data_of(surfaces["large_floor"].cells(5e-3))
    one, other = (fit_record(data, FitOptions(bootstrap=30, seed=seed)) for seed in (1, 2))
    assert one["parameters"] == other["parameters"]
    assert one["profile"] == other["profile"]
    assert one["intervals"]["alpha"] != other["intervals"]["alpha"]


def test_without_a_bootstrap_there_are_no_intervals(surfaces):
    record = record_of(surfaces["steep"].cells(1e-3))
    assert record["intervals"] == {}
    assert record["draws"] == []
    assert record["bootstrap"]["replicates"] == 0


def test_sizes_held_out_are_not_fitted(published):
    record = fit_record(published(), FitOptions(bootstrap=0, held_out=(7.0,)))
    cells = published().cells
    kept = cells.N < 7
    less = Cells(cells.N[kept], cells.V[kept], cells.Y[kept], cells.weight[kept])
    assert record["n_points"] == 21
    assert record["parameters"] == pytest.approx(record_of(less)["parameters"], rel=1e-6)
    assert record["holdout"]["excluded_from_fit"] == [7.0]
    assert record["holdout"]["unseen"]["n"] == [7.0]
    assert record["data"]["held_out"] == [7.0]


def test_a_size_to_hold_out_must_be_in_the_table(published):
    with pytest.raises(UserError, match=r"hold out N = 14.*0\.5, 1\.8, 4, 7"):
        fit_record(published(), FitOptions(bootstrap=0, held_out=(14.0,)))


def test_rmse_leaves_out_cells_without_weight(surfaces):
    cells = surfaces["steep"].cells()
    Y, weight = cells.Y.copy(), np.ones(len(cells))
    Y[0], weight[0] = 50.0, 0.0
    record = record_of(Cells(cells.N, cells.V, Y, weight))
    assert record["rmse"] == pytest.approx(0, abs=1e-9)
    assert record["n_points"] == 27


def with_noise_of_sizes(surface, tokens):
    """Ten sizes, each with an error of its own that all its cells share."""
    wide = replace(surface, sizes=tuple(np.geomspace(0.3, 30, 10)), tokens=tokens)
    cells = wide.cells(1e-4)
    shared = np.repeat(np.random.default_rng(0).normal(size=10) * 0.01, len(tokens))
    return wide, Cells(cells.N, cells.V, cells.Y + shared, cells.weight)


def test_noise_shared_by_a_size_is_warned_of(surfaces):
    steep_in_v = replace(surfaces["log_linear"], parameters={"c": 0.9, "a": 0.0384, "b": 0.08})
    surface, noisy = with_noise_of_sizes(steep_in_v, (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0))
    warnings = record_of(noisy, law="log_linear", bootstrap=200)["warnings"]
    assert any("deviate from the law together" in w for w in warnings)
    independent = record_of(surface.cells(5e-3), law="log_linear", bootstrap=200)["warnings"]
    assert not any("deviate from the law together" in w for w in independent)


def test_a_size_exponent_with_too_narrow_an_interval_is_warned_of(surfaces):
    _, noisy = with_noise_of_sizes(surfaces["log_linear"], (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0))
    record = record_of(noisy, law="log_linear", bootstrap=200)
    of_a = record["intervals"]["a"]
    assert np.ptp(of_a["cluster"]) > 1.5 * np.ptp(of_a["residual"]), "the case this test is about"
    assert any("deviate from the law together" in w for w in record["warnings"])


def test_flags_reach_the_warnings(surfaces):
    data = data_of(surfaces["steep"].cells(1e-3), ["line 3: suspicious"])
    assert any("line 3: suspicious" in w for w in fit_record(data, FitOptions(bootstrap=0))["warnings"])


def test_text_tokens_of_the_law_are_recorded_where_they_matter(published):
    with_text = fit_record(
        published(), FitOptions(law="product_q_plus_v", law_text_tokens=7, bootstrap=0)
    )
    assert with_text["text_tokens_in_law"] == 7
    assert fit_record(published(), FitOptions(bootstrap=0))["text_tokens_in_law"] is None


def test_a_ratio_without_bound_is_null_not_infinity():
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1.8, 4, 7], [1.0, 4, 16, 64], indexing="ij"))
    record = record_of(Cells(N, V, 0.2 + 0.4 * N**-0.5 + 0.01 * np.log(V), np.ones(16)), bootstrap=20)
    assert record["parameters"]["beta"] == 0
    assert record["alpha_over_beta"] is None
    json.dumps(record, allow_nan=False)


def test_grid_method_is_compared_with_the_exact_minimum(published, published_record):
    record = fit_record(published(), FitOptions(method="grid", bootstrap=20))
    assert record["method"] == "grid"
    assert record["exact"]["objective"] == pytest.approx(published_record["objective"])
    excess = 100 * (record["objective"] / published_record["objective"] - 1)
    assert any(f"{excess:.3g} % above the exact minimum" in w for w in record["warnings"])
    json.dumps(record, allow_nan=False)


def test_grid_method_is_for_the_product_law(published):
    with pytest.raises(UserError, match="product only"):
        fit_record(published(), FitOptions(law="additive", method="grid"))


def _shared_noise(seed: int, spread: float) -> CellData:
    """Ten sizes; the cells of one size share most of their noise."""
    generator = np.random.default_rng(seed)
    N, V = (a.ravel() for a in np.meshgrid(np.geomspace(0.1, 14, 10), [1.0, 4, 16, 64], indexing="ij"))
    shared = np.repeat(generator.normal(0, spread, 10), 4)
    Y = 0.59 * N**-0.07 * V**-0.015 + shared + generator.normal(0, 0.001, 40)
    return CellData(Cells(N, V, Y, np.ones(40)), {"path": "", "sha256": ""}, [])


def test_bands_allow_for_effects_of_language_models_where_cells_share_noise():
    shared = fit_record(_shared_noise(1, 0.01), FitOptions(law="product_zero_d", bootstrap=200))
    alone = fit_record(_shared_noise(1, 0.0), FitOptions(law="product_zero_d", bootstrap=200))
    assert shared["bootstrap"]["headline"] == "effects"
    assert any("deviate from the law together" in sentence for sentence in shared["warnings"])
    assert alone["bootstrap"]["headline"] == "residual"
    assert not any("deviate from the law together" in sentence for sentence in alone["warnings"])


def test_noise_free_data_raise_no_warning_about_noise():
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1, 2, 4, 8], [1.0, 4, 16, 64], indexing="ij"))
    data = CellData(Cells(N, V, 0.4 * N**-0.2 * V**-0.1 + 0.1, np.ones(20)), {"path": ""}, [])
    record = fit_record(data, FitOptions(bootstrap=100))
    assert record["warnings"] == []


def test_an_accuracy_in_place_of_an_error_is_noticed():
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1, 2, 4, 8], [1.0, 4, 16, 64], indexing="ij"))
    data = CellData(Cells(N, V, 0.4 * N**0.1 * V**0.02, np.ones(20)), {"path": ""}, [])
    record = fit_record(data, FitOptions(bootstrap=0))
    assert record["v_star"] is None
    assert any("is the column an accuracy?" in sentence for sentence in record["warnings"])


def test_raw_parameter_counts_are_noticed_and_refused_by_the_frontier():
    N, V = (a.ravel() for a in np.meshgrid([5e8, 1e9, 4e9, 7e9], [1.0, 4, 16, 64], indexing="ij"))
    Y = 2 * N**-0.07 * V**-0.02
    data = CellData(Cells(N, V, Y, np.ones(16)), {"path": "", "sha256": ""}, [])
    record = fit_record(data, FitOptions(bootstrap=0))
    assert any("--n-unit parameters" in sentence for sentence in record["warnings"])
    fit = FittedLaw.from_record(record)
    with pytest.raises(UserError, match="billions"):
        frontier(fit, fit.sizes, fit.token_counts, [0])


def test_sizes_and_tokens_that_change_together_are_refused():
    N = 2.0 ** np.arange(6)
    data = CellData(Cells(N, N**2, 0.6 * N**-0.1, np.ones(6)), {"path": ""}, [])
    with pytest.raises(FitError, match="change together"):
        fit_record(data, FitOptions(law="log_linear", bootstrap=0))


def test_errors_of_zero_leave_a_profile_inside_the_bounds():
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1, 2, 4, 8], [1.0, 4, 16, 64], indexing="ij"))
    Y = np.maximum(0.4 * N**-0.5 * V**-0.3 - 0.05, 0)
    record = fit_record(CellData(Cells(N, V, Y, np.ones(20)), {"path": ""}, []), FitOptions(bootstrap=0))
    held = record["profile"]["D"]["value"]
    assert min(held) == 0
    assert max(held) > 0


def test_equal_errors_have_no_best_configuration():
    """A constant, but for the last digits of exponents: that more tokens win does not follow."""
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1.8, 4], [1.0, 16, 64], indexing="ij"))
    data = CellData(Cells(N, V, np.full(9, 0.5), np.ones(9)), {"path": ""}, [])
    record = fit_record(data, FitOptions(bootstrap=0))
    assert record["alpha_over_beta"] is None
    assert record["v_star"] is None
    no_fall = "The fit shows no fall of the error with N or with V"
    assert any(no_fall in sentence for sentence in record["warnings"])
    assert not any("more visual tokens beat" in sentence for sentence in record["warnings"])


def test_one_wild_error_leaves_a_fit_that_can_be_stored():
    """Nothing but D explains the other cells: K and D cannot be told apart at all."""
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1.8, 4], [1.0, 16, 64], indexing="ij"))
    Y = np.array([0.62, 0.59, 0.58, 0.56, 0.55, 0.54, 0.53, 0.51, 1.5])
    record = fit_record(CellData(Cells(N, V, Y, np.ones(9)), {"path": ""}, []), FitOptions(bootstrap=0))
    json.dumps(record, allow_nan=False)
    assert record["conditioning"]["condition_number"] is None
    assert any("Errors reach 1.5" in sentence for sentence in record["warnings"])


def test_copied_rows_are_noticed():
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1.8, 4], [1.0, 16, 64], indexing="ij"))
    cells = Cells(N, V, 0.5 * N**-0.1 * V**-0.05, np.ones(9))
    record = fit_record(CellData(cells, {"path": ""}, [], [11, 12]), FitOptions(bootstrap=0))
    assert any("2 rows repeat an earlier row" in s and "line 11, 12" in s for s in record["warnings"])


def test_values_below_0_are_noticed_and_fitted():
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1.8, 4], [1.0, 16, 64], indexing="ij"))
    cells = Cells(N, V, 0.2 * N**-0.5 * V**-0.3 - 0.05, np.ones(9))
    record = fit_record(CellData(cells, {"path": ""}, []), FitOptions(bootstrap=0))
    assert any("of 9 values " in sentence and "below 0" in sentence for sentence in record["warnings"])


def test_a_floor_above_all_errors_is_refused(published):
    options = FitOptions(constraints=read_constraints("product", (), ["D=0.9"]), bootstrap=0)
    with pytest.raises(UserError, match=r"D is fixed at 0.9, but no error is larger"):
        fit_record(published(), options)


def test_an_error_of_guessing_in_percent_is_refused_for_shares(published):
    options = FitOptions(constraints=read_constraints("product", (), (), 75.0), bootstrap=0)
    with pytest.raises(UserError, match="errors are shares from 0 to 1"):
        fit_record(published(), options)


def test_few_replicates_are_called_coarse(published):
    coarse = [
        any(
            "are coarse" in warning
            for warning in fit_record(published(), FitOptions(bootstrap=R))["warnings"]
        )
        for R in (20, 100)
    ]
    assert coarse == [True, False]


def test_exponents_of_rounding_are_zeros():
    """Errors that do not change: no ratio of 1e-18 to 1e-19."""
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1, 2, 4, 8], [1.0, 4, 16, 64], indexing="ij"))
    flat = CellData(Cells(N, V, np.full(20, 0.3), np.ones(20)), {"path": ""}, [])
    record = fit_record(flat, FitOptions(bootstrap=0))
    assert record["alpha_over_beta"] is None
    tokens_only = CellData(Cells(N, V, 0.3 * V**-0.1, np.ones(20)), {"path": ""}, [])
    record = fit_record(tokens_only, FitOptions("product_zero_d", bootstrap=0))
    assert record["parameters"]["alpha"] == 0.0
    assert record["alpha_over_beta"] == 0.0


@pytest.mark.parametrize("loss", ["log_squared", "log_huber"])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_predictions_below_zero_pass_without_a_warning(loss):
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1, 2, 4, 8], [1.0, 4, 16, 64], indexing="ij"))
    Y = 0.02 * N**-0.9 * V**-0.6 * np.exp(0.1 * np.random.default_rng(0).normal(size=20))
    data = CellData(Cells(N, V, Y, np.ones(20)), {"path": ""}, [])
    assert fit_record(data, FitOptions(loss=loss, bootstrap=20, compare=True))["laws"]
