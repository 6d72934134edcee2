"""Tied and fixed parameters, and the error of guessing: fitted against independent solutions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares, minimize_scalar

from paretoken.analysis.cells import CellData
from paretoken.analysis.estimate import estimate
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.losses import make_loss
from paretoken.cli import main
from paretoken.config.constraints import LAW_FACTS, NOTHING, read_constraints
from paretoken.errors import FitError, UserError
from paretoken.registry import LAWS

SQUARED = make_loss("squared")


def law_with(name, ties=(), fixes=(), chance=None):
    return LAWS.load(name).constrained(read_constraints(name, ties, fixes, chance))


def record_of(cells, law="product", ties=(), fixes=(), chance=None, **options):
    constraints = read_constraints(law, ties, fixes, chance)
    options = {"bootstrap": 0} | options
    return fit_record(CellData(cells, {}, []), FitOptions(law=law, constraints=constraints, **options))


@pytest.fixture(scope="module")
def cells(surfaces):
    return surfaces["ocr_like"].cells(5e-3)


def test_a_floor_fixed_at_zero_is_the_law_without_a_floor(cells):
    fixed = record_of(cells, fixes=["D=0"], bootstrap=30)
    without = record_of(cells, "product_zero_d", bootstrap=30)
    assert fixed["parameters"] == pytest.approx(without["parameters"] | {"D": 0}, rel=1e-6)
    for key in ("objective", "rmse", "alpha_over_beta"):
        assert fixed[key] == pytest.approx(without[key], rel=1e-6)
    assert fixed["information"] == pytest.approx(without["information"], rel=1e-9)
    assert fixed["status"] == without["status"] == "converged"
    assert set(fixed["profile"]) == set(without["profile"]) == {"alpha", "beta"}
    for name in ("alpha", "beta"):
        assert fixed["profile"][name]["interval"] == pytest.approx(
            without["profile"][name]["interval"], rel=1e-4
        )
        assert fixed["intervals"][name]["residual"] == pytest.approx(
            without["intervals"][name]["residual"], rel=1e-4
        )
    held = [r["holdout"]["leave_largest_n_out"]["law"] for r in (fixed, without)]
    assert held[0] == pytest.approx(held[1], rel=1e-5)
    assert fixed["noise"] == pytest.approx(without["noise"], rel=1e-4)


@pytest.mark.parametrize(
    "fixed", [{"alpha": 0.077}, {"beta": 0.05}, {"D": 0.1}, {"alpha": 0.05, "D": 0.2}]
)
def test_fixed_parameters_stay_and_the_rest_is_best(cells, fixed):
    law = law_with("product", fixes=[f"{name}={value}" for name, value in fixed.items()])
    fitted = estimate(cells, law, SQUARED)
    assert {name: fitted.parameters[name] for name in fixed} == fixed
    free = [name for name in law.parameters if name not in fixed]

    def residuals(x):
        p = dict(zip(free, x, strict=True)) | fixed
        return p["K"] * cells.N ** -p["alpha"] * cells.V ** -p["beta"] + p["D"] - cells.Y

    start = {"K": 0.7, "D": 0.1, "alpha": 0.05, "beta": 0.05}
    bounds = ([0.0] * len(free), [np.inf] * len(free))
    best = least_squares(residuals, [start[n] for n in free], bounds=bounds, xtol=1e-14, ftol=1e-14)
    assert fitted.objective == pytest.approx(2 * best.cost, rel=1e-6)


def test_tied_exponents_are_equal_and_best(cells):
    law = law_with("product_zero_d", ["alpha=beta"])
    fitted = estimate(cells, law, SQUARED)
    assert fitted.parameters["alpha"] == fitted.parameters["beta"]

    def squares(exponent):
        power = (cells.N * cells.V) ** -exponent
        return float(((cells.Y - power * (power @ cells.Y) / (power @ power)) ** 2).sum())

    best = minimize_scalar(squares, bounds=(0, 1), method="bounded", options={"xatol": 1e-12})
    assert fitted.objective == pytest.approx(best.fun, rel=1e-8)
    assert fitted.parameters["alpha"] == pytest.approx(best.x, rel=1e-5)


def test_tied_slopes_of_a_straight_law_are_a_regression(cells):
    fitted = estimate(cells, law_with("log_linear", ["a=b"]), SQUARED)
    design = np.stack([np.ones(len(cells)), -np.log(cells.N * cells.V)], axis=1)
    c, slope = np.linalg.lstsq(design, cells.Y, rcond=None)[0]
    assert fitted.parameters == pytest.approx({"c": c, "a": slope, "b": slope}, rel=1e-8)


@pytest.mark.parametrize("law", [name for name in LAWS if LAW_FACTS[name].slopes])
@pytest.mark.parametrize("loss", ["squared", "log_huber"])
def test_ties_hold_in_every_law_draw_and_profile(surfaces, law, loss):
    one, other = LAW_FACTS[law].slopes
    record = record_of(
        surfaces["ocr_like"].cells(5e-3), law, [f"{other}={one}"], loss=loss, bootstrap=20
    )
    assert record["parameters"][one] == record["parameters"][other]
    assert record["information"]["k"] == len(record["parameters"])
    first, second = (list(record["parameters"]).index(name) for name in (one, other))
    draws = np.array(record["draws"])
    assert (draws[:, first] == draws[:, second]).all()
    assert np.ptp(draws[:, first]) > 0
    assert other not in record["profile"]
    assert record["profile"][one][other] == pytest.approx(record["profile"][one]["value"], rel=1e-9)
    assert record["constraints"]["tied"] == [one, other]


@pytest.mark.parametrize("name", [name for name in LAWS if LAW_FACTS[name].slopes])
def test_fixed_parameters_hold_in_every_draw_and_profile(surfaces, name):
    facts = LAW_FACTS[name]
    fixes = [f"{slope}=0.04" for slope in facts.slopes[:1]] + [f"{facts.floor}=0.1"] * bool(facts.floor)
    record = record_of(surfaces["ocr_like"].cells(5e-3), name, fixes=fixes, bootstrap=20)
    for text in fixes:
        parameter, value = text.split("=")
        position = list(record["parameters"]).index(parameter)
        assert {row[position] for row in record["draws"]} == {float(value)}
        assert parameter not in record["profile"]
        assert parameter not in record["intervals"], "what is given has no interval"
    assert not any("at its bound" in w and w.startswith(facts.slopes[0]) for w in record["warnings"])


def test_both_exponents_may_be_fixed(cells):
    record = record_of(cells, fixes=["alpha=0.04", "beta=0.06", "D=0"])
    power = cells.N**-0.04 * cells.V**-0.06
    assert record["parameters"]["K"] == pytest.approx(power @ cells.Y / (power @ power), rel=1e-9)
    assert record["information"]["k"] == 2


def test_fits_with_constraints_are_read_back(cells):
    record = json.loads(json.dumps(record_of(cells, "product", ["alpha=beta"], ["D=0.1"], 0.9)))
    fit = FittedLaw.from_record(record)
    assert fit.law.constraints == read_constraints("product", ["alpha=beta"], ["D=0.1"], 0.9)
    assert fit.law.formula == record["formula"]
    direct = estimate(cells, fit.law, SQUARED).predicted()
    np.testing.assert_allclose(fit.predict(cells.N, cells.V), direct, rtol=1e-9)


@pytest.mark.parametrize(
    ("law", "ties", "fixes", "chance", "words"),
    [
        ("product", ["alpha=gamma"], [], None, "'gamma' cannot be tied"),
        ("product", ["alpha=alpha"], [], None, "to itself"),
        ("product", ["alpha"], [], None, "alpha=beta"),
        ("product", ["alpha=D"], [], None, "alpha and beta can be tied"),
        ("product", [], ["K=1"], None, "D, alpha and beta can be fixed"),
        ("product", [], ["E=1"], None, "D, alpha and beta can be fixed"),
        ("product", [], ["D=-1"], None, "must be 0 or more"),
        ("product", [], ["alpha=5"], None, "between 0 and 4"),
        ("product", [], ["alpha=nan"], None, "is not a number"),
        ("product", [], ["alpha=x"], None, "is not a number"),
        ("product", [], ["alpha="], None, "NAME=VALUE"),
        ("product", [], ["D=0", "D=0.1"], None, "two values"),
        ("product", ["alpha=beta"], ["alpha=0.1", "beta=0.2"], None, "one value"),
        ("constant", [], ["c=1"], None, "no parameter that can"),
        ("constant", ["a=b"], [], None, "no parameter that can"),
        ("additive", [], [], 0.5, "choose one of product"),
        ("product", [], [], -0.5, "greater than 0"),
        ("product", [], ["D=0.5"], 0.5, "must be less than"),
    ],
)
def test_impossible_constraints_are_refused_with_a_message(law, ties, fixes, chance, words):
    with pytest.raises(UserError, match=words):
        read_constraints(law, ties, fixes, chance)


def test_a_tied_parameter_that_is_fixed_fixes_the_other():
    constraints = read_constraints("product", ["beta=alpha"], ["beta=0.1"])
    assert dict(constraints.fixed) == {"alpha": 0.1, "beta": 0.1}
    assert constraints.tied is None
    assert read_constraints("product", ["beta=alpha"]) == read_constraints("product", ["alpha=beta"])
    assert read_constraints("product") == NOTHING


def test_the_command_takes_and_refuses_constraints(tmp_path, cells, capsys):
    rows = [f"{n},{v},{y}" for n, v, y in zip(cells.N, cells.V, cells.Y, strict=True)]
    table, out = tmp_path / "cells.csv", tmp_path / "fit.json"
    table.write_text("\n".join(["params_b,visual_tokens,error", *rows]))
    start = ["fit", "--table", str(table), "--out", str(out), "--bootstrap", "0", "--no-comparison"]
    assert main([*start, "--tie", "alpha=beta", "--fix", "D=0"]) == 0
    assert "with alpha = beta, D = 0" in capsys.readouterr().out
    record = json.loads(out.read_text())
    known = {"tied": ["alpha", "beta"], "fixed": {"D": 0.0}, "chance": None}
    assert {name: record["constraints"][name] for name in known} == known
    assert record["parameters"]["D"] == 0
    assert main([*start, "--fix", "gamma=1"]) == 2
    assert "D, alpha and beta can be fixed" in capsys.readouterr().err
    assert main([*start, "--method", "grid", "--fix", "D=0"]) == 2


@given(
    K=st.floats(0.05, 3),
    D=st.floats(0, 0.6),
    alpha=st.floats(0, 1),
    beta=st.floats(0, 1),
    chance=st.floats(0.7, 1),
)
def test_derivatives_up_to_chance_agree_with_differences(K, D, alpha, beta, chance):
    law = law_with("product", chance=chance)
    log_n, log_t = np.array([-1.0, 0.2, 1.5]), np.array([-2.0, 0.4, 2.5])
    values = np.array([[K, D, alpha, beta]])
    exact = law.jacobian(values, log_n, log_t)[0]
    for position in range(4):
        up, down = values.copy(), values.copy()
        up[0, position] += 1e-6
        down[0, position] -= 1e-6
        slope = (law.evaluate(up, log_n, log_t) - law.evaluate(down, log_n, log_t))[0] / 2e-6
        np.testing.assert_allclose(exact[:, position], slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["product", "product_zero_d", "product_q_plus_v"])
def test_a_law_that_ends_at_chance_is_recovered(surfaces, name):
    law = law_with(name, chance=0.75)
    truth = {"K": 1.5, "D": 0.1, "alpha": 0.4, "beta": 0.3}
    truth = {key: truth[key] for key in law.parameters}
    clean = surfaces["ocr_like"].cells()
    cells = clean.__class__(clean.N, clean.V, law.predict(truth, clean.N, clean.V, 5.0), clean.weight)
    assert cells.Y.max() < 0.75
    assert cells.Y.max() > 0.5
    assert estimate(cells, law, SQUARED, 5.0).parameters == pytest.approx(truth, rel=1e-5)


def test_far_below_chance_the_law_is_the_plain_one(cells):
    plain, far = (estimate(cells, law_with("product_zero_d", chance=c), SQUARED) for c in (None, 1e7))
    assert far.parameters == pytest.approx(plain.parameters, rel=1e-5)


def test_no_prediction_exceeds_chance(surfaces):
    record = record_of(surfaces["ocr_like"].cells(5e-3), chance=0.95, bootstrap=20)
    fit = FittedLaw.from_record(record)
    N = np.array([1e-9, 1e-3, 1.0])
    assert (fit.predict(N, 1.0) <= 0.95).all()
    assert (np.diff(fit.predict(N, 1.0)) < 0).all()
    assert (fit.draw_errors(N, 1.0) <= 0.95).all()


def test_errors_beyond_chance_are_refused(cells):
    with pytest.raises(FitError, match="error of guessing"):
        estimate(cells, law_with("product", chance=0.1), SQUARED)
