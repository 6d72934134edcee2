"""The fit itself: recovery of the truth, agreement with scipy, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares, linprog, minimize

from paretoken.analysis.cells import Cells
from paretoken.analysis.estimate import estimate
from paretoken.analysis.losses import LOSSES, make_loss
from paretoken.errors import FitError
from paretoken.registry import LAWS

DELTA = 5e-3
SLOW = pytest.mark.slow
L1_SURFACES = ("published_grid", "additive", "log_linear", "q_plus_v")
#: Small enough that a real difference between two minima shows, above rounding.
NEVER_WORSE = 1e-9


def fit(cells, law, loss="squared", Q=50.0, delta=DELTA):
    return estimate(cells, LAWS.load(law), make_loss(loss, delta), Q)


def rho(residual, loss, delta):
    size = np.abs(residual)
    if loss.endswith("squared"):
        return size**2
    if loss == "l1":
        return size
    return np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))


def objective_by_hand(cells, predicted, loss, delta=DELTA):
    log = loss.startswith("log_")
    residual = np.log(cells.Y / predicted) if log else cells.Y - predicted
    return float((cells.weight * rho(residual, loss, delta)).sum())


def bounds(law):
    free = -np.inf if not law.bounded else 0.0
    low = [free] * len(law.linear) + [0.0] * len(law.exponents)
    return np.array(low), np.array([np.inf] * len(law.linear) + [4.0] * len(law.exponents))


def random_starts(law, cells, near, count, seed=0):
    """Starts near the answer, and far ones; inside the bounds."""
    generator, (low, high) = np.random.default_rng(seed), bounds(law)
    for index in range(count):
        if index < 3:
            start = near * np.exp(generator.normal(0, 0.2, len(near)))
        else:
            scale = [cells.Y.max()] * len(law.linear) + [generator.choice([0.05, 0.3, 1])] * len(
                law.exponents
            )
            start = generator.uniform(0.05, 1, len(near)) * scale
        yield np.clip(start, np.where(np.isfinite(low), low + 1e-9, low), high - 1e-9)


def scipy_minimum(cells, law, loss, near, Q, starts=6):
    """The lowest objective that scipy finds: trust-region least squares, bounds, its own Huber."""
    log = loss.startswith("log_")
    kind = {"loss": "huber", "f_scale": DELTA} if loss.endswith("huber") else {}
    factor = 1.0 if kind else 2.0  # scipy's cost halves squares

    def residual(values):
        predicted = law.predict(dict(zip(law.parameters, values, strict=True)), cells.N, cells.V, Q)
        if log:
            return np.log(cells.Y) - np.log(np.maximum(predicted, 1e-12))
        return cells.Y - predicted

    costs = []
    for start in random_starts(law, cells, near, starts):
        found = least_squares(
            residual, start, bounds=bounds(law), x_scale="jac", max_nfev=400,
            xtol=1e-15, ftol=1e-15, gtol=1e-15, **kind,
        )  # fmt: skip
        costs.append(factor * found.cost)
    return min(costs)


# --- the truth is recovered -------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss", ["squared", *(pytest.param(loss, marks=SLOW) for loss in LOSSES if loss != "squared")]
)
def test_truth_is_recovered_from_data_without_noise(surface, loss):
    found = fit(surface.cells(), surface.law_name, loss, surface.Q, 1e-3)
    for name, true in surface.parameters.items():
        assert found.parameters[name] == pytest.approx(true, rel=1e-6, abs=1e-9), name
    assert found.converged


@settings(max_examples=8)
@given(
    alpha=st.floats(0.02, 1.5),
    beta=st.floats(0.02, 1.5),
    share=st.floats(0.0, 0.9),
    level=st.floats(0.1, 10.0),
)
def test_any_product_law_is_recovered(alpha, beta, share, level):
    """``share`` of the lowest error is the floor."""
    N, V = (a.ravel() for a in np.meshgrid([0.5, 1.8, 4, 7, 14], [1, 4, 16, 64, 144, 576.0]))
    truth = {"K": level * (1 - share), "D": level * share, "alpha": alpha, "beta": beta}
    Y = truth["K"] * N**-alpha * V**-beta + truth["D"]
    found = fit(Cells(N, V, Y, np.ones(len(N))), "product")
    for name, true in truth.items():
        assert found.parameters[name] == pytest.approx(true, rel=1e-6, abs=1e-8 * level), name


# --- never worse than other solvers -----------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    ["squared", "huber", *(pytest.param(loss, marks=SLOW) for loss in ("log_squared", "log_huber"))],
)
@pytest.mark.parametrize(("noise", "seed"), [(2e-2, 2), pytest.param(2e-3, 1, marks=SLOW)])
def test_never_worse_than_scipy_on_noisy_data(law_surface, loss, noise, seed):
    cells, law, Q = law_surface.cells(noise, seed), law_surface.law, law_surface.Q
    found = fit(cells, law.name, loss, Q)
    other = scipy_minimum(cells, law, loss, found.values, Q)
    assert found.objective <= other * (1 + NEVER_WORSE)
    assert other <= found.objective * (1 + 1e-4), "scipy solves another problem: compare nothing"


@pytest.mark.parametrize(
    "loss",
    ["squared", "huber", *(pytest.param(loss, marks=SLOW) for loss in ("log_squared", "log_huber"))],
)
@pytest.mark.parametrize("suite", ["visual_reasoning", "ocr"])
@pytest.mark.parametrize("law", list(LAWS))
def test_never_worse_than_scipy_on_the_published_cells(published, suite, loss, law):
    cells = published(suite).cells
    found = fit(cells, law, loss)
    other = scipy_minimum(cells, LAWS.load(law), loss, found.values, 50.0, starts=4)
    assert found.objective <= other * (1 + NEVER_WORSE)
    assert other <= found.objective * (1 + 1e-4)


def l1_minimum_by_simplex(cells, law, near, Q):
    """Least absolute values: Nelder-Mead on all parameters, restarted, from many starts."""

    def objective(values):
        predicted = law.predict(dict(zip(law.parameters, values, strict=True)), cells.N, cells.V, Q)
        return objective_by_hand(cells, predicted, "l1")

    lowest = np.inf
    limits = list(zip(*bounds(law), strict=True))
    for start in random_starts(law, cells, near, 5, seed=3):
        values = start
        for _ in range(3):
            found = minimize(
                objective,
                values,
                method="Nelder-Mead",
                bounds=limits,
                options={"maxiter": 600, "xatol": 1e-10, "fatol": 1e-13},
            )
            values, lowest = found.x, min(lowest, found.fun)
    return lowest


@pytest.mark.filterwarnings("ignore:Initial guess:scipy.optimize.OptimizeWarning")
@pytest.mark.parametrize("name", ["zero_d", *(pytest.param(n, marks=SLOW) for n in L1_SURFACES)])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=SLOW)])
def test_l1_is_never_worse_than_nelder_mead(surfaces, name, seed):
    law_surface = surfaces[name]
    cells = law_surface.cells(5e-3, seed)
    found = fit(cells, law_surface.law_name, "l1", law_surface.Q)
    other = l1_minimum_by_simplex(cells, law_surface.law, found.values, law_surface.Q)
    assert found.objective <= other * (1 + 1e-7)


def l1_log_linear_by_linear_program(cells):
    """The exact least absolute deviations of c - a ln N - b ln V (HiGHS dual simplex)."""
    n = len(cells)
    design = np.stack([np.ones(n), -np.log(cells.N), -np.log(cells.V)], axis=1)
    return linprog(
        np.r_[np.zeros(3), cells.weight, cells.weight],
        A_eq=np.c_[design, np.eye(n), -np.eye(n)],
        b_eq=cells.Y,
        bounds=[(None, None)] * 3 + [(0, None)] * (2 * n),
        method="highs-ds",
    ).fun


@pytest.mark.parametrize("seed", range(4))
def test_l1_of_the_log_linear_law_is_the_linear_program(surfaces, seed):
    cells = surfaces["log_linear"].cells(1e-2, seed)
    found = fit(cells, "log_linear", "l1")
    assert found.objective == pytest.approx(l1_log_linear_by_linear_program(cells), rel=1e-8)


# --- what is returned is consistent -----------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_objective_is_the_one_of_the_parameters(law_surface, loss):
    cells = law_surface.cells(5e-3, 7)
    found = fit(cells, law_surface.law_name, loss, law_surface.Q)
    predicted = law_surface.law.predict(found.parameters, cells.N, cells.V, law_surface.Q)
    np.testing.assert_allclose(found.predicted(), predicted)
    again = objective_by_hand(cells, predicted, loss)
    assert found.objective == pytest.approx(again, rel=1e-9)
    assert 1 <= found.reached <= found.starts


def test_gradient_vanishes_at_the_fit(law_surface):
    cells = law_surface.cells(5e-3, 7)
    found = fit(cells, law_surface.law_name, "squared", law_surface.Q)
    law, residual = law_surface.law, cells.Y - found.predicted()
    log_t = np.log(law.tokens(cells.V, law_surface.Q))
    jacobian = law.jacobian(found.values[None], np.log(cells.N), log_t)[0]
    low, high = bounds(law)
    inside = (found.values > low) & (found.values < high)
    size = np.linalg.norm(jacobian, axis=0) * np.linalg.norm(residual)
    assert np.abs(jacobian.T @ residual / size)[inside] == pytest.approx(0, abs=1e-6)
    assert ((jacobian.T @ residual)[found.values <= low] <= 0).all(), "a bound holds it back"


def test_log_linear_is_ordinary_least_squares(surfaces):
    cells = surfaces["log_linear"].cells(1e-2, 3)
    design = np.stack([np.ones(len(cells)), -np.log(cells.N), -np.log(cells.V)], axis=1)
    expected = np.linalg.lstsq(design, cells.Y, rcond=None)[0]
    found = fit(cells, "log_linear")
    assert [found.parameters[n] for n in ("c", "a", "b")] == pytest.approx(list(expected), rel=1e-10)


def test_log_squared_of_the_zero_d_law_is_a_straight_line_of_logarithms(surfaces):
    cells = surfaces["zero_d"].cells(1e-2, 3)
    design = np.stack([np.ones(len(cells)), -np.log(cells.N), -np.log(cells.V)], axis=1)
    expected = np.linalg.lstsq(design, np.log(cells.Y), rcond=None)[0]
    found = fit(cells, "product_zero_d", "log_squared").parameters
    assert np.log(found["K"]) == pytest.approx(expected[0], rel=1e-8)
    assert [found["alpha"], found["beta"]] == pytest.approx(list(expected[1:]), rel=1e-8)


# --- what must not change the fit -------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-5, 1e9])
@pytest.mark.parametrize("loss", ["squared", pytest.param("log_huber", marks=SLOW)])
def test_the_unit_of_n_changes_the_coefficients_only(law_surface, unit, loss):
    cells, Q = law_surface.cells(5e-3, 4), law_surface.Q
    scaled = Cells(cells.N * unit, cells.V, cells.Y, cells.weight)
    one, other = fit(cells, law_surface.law_name, loss, Q), fit(scaled, law_surface.law_name, loss, Q)
    assert other.objective == pytest.approx(one.objective, rel=1e-9)
    np.testing.assert_allclose(other.predicted(), one.predicted(), rtol=1e-6)
    changed = {"K", "A", "c"}
    for name in set(one.parameters) - changed:
        assert other.parameters[name] == pytest.approx(one.parameters[name], rel=1e-5, abs=1e-9)
    if "K" in one.parameters:
        expected = one.parameters["K"] * unit ** one.parameters["alpha"]
        assert other.parameters["K"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "loss"),
    [("published_grid", "squared"), ("additive", "log_squared"), ("zero_d", "huber")],
)
@settings(max_examples=3)
@given(order=st.permutations(range(28)))
def test_the_order_of_the_rows_changes_nothing(surfaces, name, loss, order):
    cells, law = surfaces[name].cells(5e-3, 5), surfaces[name].law_name
    shuffled = Cells(cells.N[order], cells.V[order], cells.Y[order], cells.weight[order])
    one, other = fit(cells, law, loss), fit(shuffled, law, loss)
    assert other.objective == pytest.approx(one.objective, rel=1e-12)
    assert list(other.values) == pytest.approx(list(one.values), rel=1e-6, abs=1e-9)
    assert other.converged == one.converged


@pytest.mark.parametrize("loss", ["squared", "log_huber", pytest.param("l1", marks=SLOW)])
def test_a_row_of_weight_zero_counts_as_missing(law_surface, loss):
    cells, Q = law_surface.cells(5e-3, 6), law_surface.Q
    weight = np.ones(len(cells))
    weight[[0, 5, 17]] = 0.0
    spoilt = cells.Y.copy()
    spoilt[[0, 5, 17]] = 9.9
    kept = weight > 0
    less = Cells(cells.N[kept], cells.V[kept], cells.Y[kept], weight[kept])
    one = fit(Cells(cells.N, cells.V, spoilt, weight), law_surface.law_name, loss, Q)
    other = fit(less, law_surface.law_name, loss, Q)
    tight = 1e-7 if loss == "l1" else 1e-9
    assert one.objective == pytest.approx(other.objective, rel=tight)
    np.testing.assert_allclose(one.predicted()[kept], other.predicted(), rtol=1e-5)


@pytest.mark.parametrize("loss", ["squared", "log_huber", pytest.param("l1", marks=SLOW)])
def test_weight_three_is_three_rows(law_surface, loss):
    cells, Q = law_surface.cells(5e-3, 6), law_surface.Q
    times = np.ones(len(cells), dtype=int)
    times[[2, 11]] = 3
    rows = np.repeat(np.arange(len(cells)), times)
    repeated = Cells(cells.N[rows], cells.V[rows], cells.Y[rows], np.ones(len(rows)))
    one = fit(cells.reweighted(times.astype(float)), law_surface.law_name, loss, Q)
    other = fit(repeated, law_surface.law_name, loss, Q)
    tight = 1e-7 if loss == "l1" else 1e-9
    assert one.objective == pytest.approx(other.objective, rel=tight)
    np.testing.assert_allclose(one.predicted()[rows], other.predicted(), rtol=1e-5)


def test_scaling_all_weights_changes_the_objective_only(surfaces):
    cells = surfaces["large_floor"].cells(5e-3, 6)
    one, other = fit(cells, "product"), fit(cells.reweighted(cells.weight * 1e6), "product")
    assert other.objective == pytest.approx(1e6 * one.objective, rel=1e-9)
    np.testing.assert_allclose(other.values, one.values, rtol=1e-6)


def test_fitting_twice_gives_the_same_bits(surfaces):
    cells = surfaces["published_grid"].cells(5e-3, 5)
    assert (fit(cells, "product", "huber").values == fit(cells, "product", "huber").values).all()


# --- robustness -------------------------------------------------------------------------------


@pytest.mark.parametrize("robust", ["huber", "log_huber", "l1"])
def test_an_outlier_moves_robust_losses_less_than_squares(surfaces, robust):
    surface = surfaces["zero_d"]
    cells = surface.cells(1e-3, 8)
    Y = cells.Y.copy()
    Y[0] += 0.2
    spoilt = Cells(cells.N, cells.V, Y, cells.weight)
    off = {
        loss: abs(fit(spoilt, "product_zero_d", loss, delta=1e-3).parameters["alpha"] - 0.0709)
        for loss in ("squared", robust)
    }
    assert off[robust] < 0.1 * off["squared"]
    assert off[robust] < 0.002


def test_huber_with_a_wide_delta_is_half_the_squares(surfaces):
    cells = surfaces["published_grid"].cells(5e-3, 5)
    wide, squares = fit(cells, "product", "huber", delta=10.0), fit(cells, "product")
    assert wide.objective == pytest.approx(squares.objective / 2, rel=1e-10)


# --- refits -----------------------------------------------------------------------------------


def test_refit_of_other_errors_is_a_fit_of_its_own(law_surface):
    cells, Q = law_surface.cells(5e-3, 1), law_surface.Q
    others = [law_surface.cells(5e-3, seed) for seed in (2, 3, 4)]
    together = fit(cells, law_surface.law_name, "squared", Q).refit(
        y=np.stack([other.Y for other in others])
    )
    for row, other in zip(together, others, strict=True):
        alone = fit(other, law_surface.law_name, "squared", Q)
        named = dict(zip(law_surface.law.parameters, row, strict=True))
        predicted = law_surface.law.predict(named, cells.N, cells.V, Q)
        assert ((predicted - other.Y) ** 2).sum() == pytest.approx(alone.objective, rel=1e-6)


# --- what cannot be fitted --------------------------------------------------------------------


def grid(sizes, tokens):
    N, V = (a.ravel() for a in np.meshgrid(sizes, tokens, indexing="ij"))
    return Cells(N, V, 0.5 * N**-0.1 * V**-0.05, np.ones(len(N)))


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (grid([1.8], [1.0, 4, 16, 64]), ["one level of N", "1.8"]),
        (grid([0.5, 1.8, 4, 7], [16.0]), ["one level of V", "16"]),
        (grid([0.5, 1.8], [1.0, 4.0]), ["4 distinct cells", "5 parameters", "E, A, B"]),
    ],
)
def test_cells_that_determine_nothing_are_refused(cells, words):
    with pytest.raises(FitError) as refused:
        fit(cells, "additive")
    assert all(word in str(refused.value) for word in words)


def test_rows_without_weight_do_not_count_as_levels():
    cells = grid([0.5, 1.8], [1.0, 4, 16, 64])
    with pytest.raises(FitError, match="one level of N"):
        fit(cells.reweighted(np.where(cells.N == 0.5, 0.0, 1.0)), "product_zero_d")


@pytest.mark.parametrize("loss", ["log_squared", "log_huber"])
def test_log_losses_refuse_errors_that_have_no_logarithm(loss):
    cells = grid([0.5, 1.8, 4], [1.0, 4, 16])
    Y = cells.Y.copy()
    Y[3] = 0.0
    with pytest.raises(FitError, match="errors > 0"):
        fit(Cells(cells.N, cells.V, Y, cells.weight), "product", loss)


def test_no_visual_tokens_need_text_tokens_in_the_law():
    cells = grid([0.5, 1.8, 4], [1.0, 4, 16])
    without = Cells(cells.N, np.where(cells.V == 1, 0.0, cells.V), cells.Y, cells.weight)
    with pytest.raises(FitError, match="V > 0"):
        fit(without, "product")
    assert fit(without, "product_q_plus_v", Q=50.0).converged


def test_log_linear_law_with_a_log_loss_finds_a_start():
    Y = np.array([0.96, 0.41, 0.43, 0.16, 0.63, 0.59, 0.01, 0.3])
    N, V = np.repeat([0.5, 1.0], 4), np.tile([1.0, 4.0, 36.0, 144.0], 2)
    assert np.isfinite(fit(Cells(N, V, Y, np.ones(8)), "log_linear", "log_squared").objective)
