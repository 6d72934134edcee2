"""What beats what: said where intervals and effects say so, and hardly ever about noise."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import binom

from paretoken.analysis.cells import Cells
from paretoken.analysis.effects import effects
from paretoken.analysis.estimate import estimate
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.intervals import Uncertainty, matching_method, v_star
from paretoken.analysis.losses import make_loss
from paretoken.analysis.noise import measure_noise
from paretoken.analysis.recommend import recommend
from paretoken.analysis.resample import draw
from paretoken.analysis.trade import Side, trade, trade_warnings
from paretoken.config.constraints import read_constraints
from paretoken.registry import LAWS
from paretoken.report.sentences import optimum, verdict

SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0), (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
SHOWN = {"falls": True, "words": "The error falls."}
ABSENT = {"falls": False, "words": "The data show no significant effect of V (p = 0.4)."}


def record(low, high, ratio=2.0, N=SHOWN, V=SHOWN, draws=((1.0, 0.0, 1.0, 1.0),)):
    return {
        "law": "product",
        "alpha_over_beta": ratio,
        "v_star": {"50": 10.0},
        "draws": draws,
        "intervals": {"alpha_over_beta": {"low": low, "high": high}},
        "effects": {"N": N, "V": V},
    }


@pytest.mark.parametrize(
    ("found", "side"),
    [
        (record(1.2, 5.0), Side.LARGER),
        (record(1.2, None), Side.LARGER),
        (record(None, None), Side.LARGER),
        (record(0.2, 0.9), Side.TOKENS),
        (record(0.2, 1.0), Side.TOKENS),
        (record(0.9, 5.0), Side.OPEN),
        (record(0.2, None), Side.OPEN),
        (record(1.2, 5.0, N=ABSENT), Side.OPEN),
        (record(1.2, 5.0, V=ABSENT), Side.LARGER),
        (record(0.2, 0.9, V=ABSENT), Side.OPEN),
        (record(1.2, 5.0, draws=()), Side.OPEN),
    ],
)
def test_a_side_needs_its_interval_and_its_effect(found, side):
    result = trade(found)
    assert result.side is side
    assert bool(result.because) is (side is Side.OPEN)


def test_the_reason_is_reported():
    assert trade(record(0.9, 5.0)).because == "the interval of alpha / beta includes 1"
    assert "no significant effect of V (p = 0.4)" in trade(record(0.2, 0.9, V=ABSENT)).because
    assert trade(record(1.2, 5.0, draws=())).because == "there is no interval of alpha / beta"
    bare = record(1.2, 5.0) | {"effects": None}
    assert trade(bare).side is Side.OPEN


@pytest.mark.parametrize(
    ("law", "ties", "fixes", "side"),
    [
        ("product", ["alpha=beta"], [], Side.OPEN),
        ("product", [], ["alpha=0.1", "beta=0.02"], Side.OPEN),
        ("log_linear", ["a=b"], [], Side.OPEN),
        ("product", [], ["D=0"], Side.LARGER),
    ],
)
def test_what_was_assumed_of_the_ratio_is_not_found(published, law, ties, fixes, side):
    constraints = read_constraints(law, ties, fixes)
    found = trade(fit_record(published(), FitOptions(law=law, constraints=constraints, bootstrap=60)))
    assert found.side is side
    assert ("the fit assumes" in found.because) == (side is Side.OPEN)


def test_that_tokens_pay_throughout_is_a_warning_where_it_is_sure(published):
    ocr = fit_record(published("ocr"), FitOptions(bootstrap=100))
    assert any("alpha <= beta" in s and "no interior optimum" in s for s in ocr["warnings"])
    reasoning = fit_record(published(), FitOptions(bootstrap=100))
    assert not any("alpha <= beta" in s for s in reasoning["warnings"])
    unsure = ocr | {"intervals": {"alpha_over_beta": {"low": 0.4, "high": 1.1}}}
    assert trade_warnings(unsure) == []
    assert not any(
        "alpha <= beta" in s for s in fit_record(published("ocr"), FitOptions(bootstrap=0))["warnings"]
    )


def flat(N, V):
    return 0.5 + 0 * N


@cache
def noisy(truth, noise, seed):
    """Return the fit of a grid of cells around a known surface, without what no sentence rests on."""
    N, V = (a.ravel() for a in np.meshgrid(SIZES, TOKENS, indexing="ij"))
    Y = truth(N, V) + np.random.default_rng(seed).normal(0, noise, len(N))
    cells = Cells(N, V, Y, np.ones(len(N)))
    fitted = estimate(cells, LAWS.load("product"), make_loss("squared", 1e-3), 50.0)
    measured = measure_noise(fitted)
    doubt = Uncertainty(fitted, measured, [draw(fitted, matching_method(measured), 100, seed)])
    ratio = float(fitted.law.exponent_ratio(fitted.values[None])[0])
    found = {
        "law": "product", "loss": "squared", "parameters": fitted.parameters, "rmse": 0.0,
        "alpha_over_beta": ratio if np.isfinite(ratio) else None, "possible_errors": [0.0, 1.0],
        "v_star": v_star(fitted, (0, 50)), "intervals": doubt.intervals((0, 50)),
        "effects": {name: e.as_record() for name, e in effects(fitted, measured.shared).items()},
        "draws": doubt.kept_draws(), "noise_draws": doubt.kept_noise(),
        "data": {"levels": {"N": list(SIZES), "V": list(TOKENS)}},
    }  # fmt: skip
    absent = [effect["words"] for effect in found["effects"].values() if not effect["falls"]]
    return FittedLaw.from_record(found | {"warnings": trade_warnings(found), "cautions": absent})


def claims(fit):
    """Return whether any sentence says that one of the two is better, or how many tokens are best."""
    warned = " ".join(fit.record["warnings"])
    said = verdict(fit) + optimum(fit, 50)
    return "beat" in warned or " beats " in said or " beat a" in said or "best at any" in said


@pytest.mark.slow
@pytest.mark.parametrize("truth", [flat, lambda N, V: 0.56 * (N * V) ** -0.05], ids=["noise", "equal"])
def test_nothing_is_reported_as_better_where_nothing_is(truth):
    """Errors of pure noise, and exponents that are equal: at equal cost neither is better."""
    said = sum(claims(noisy(truth, 0.02, seed)) for seed in range(60))
    assert said <= binom.ppf(1 - 1e-3, 60, 0.05)


@pytest.mark.slow
def test_pure_noise_recommends_with_ties_and_says_that_there_is_no_effect():
    tied = warned = 0
    for seed in range(60):
        answer = recommend(noisy(flat, 0.02, seed), 1e12, 50.0, SIZES, TOKENS)
        tied += bool(answer["ties"])
        warned += any("no significant effect of" in sentence for sentence in answer["cautions"])
    assert tied >= binom.ppf(1e-3, 60, 0.9)
    assert warned >= binom.ppf(1e-3, 60, 0.95)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "beta", "side"), [(0.075, 0.016, Side.LARGER), (0.03, 0.09, Side.TOKENS)]
)
def test_a_clear_difference_is_reported(alpha, beta, side):
    found = [
        trade(noisy(lambda N, V: 0.56 * N**-alpha * V**-beta + 0.03, 0.004, seed).record).side
        for seed in range(20)
    ]
    assert found.count(side) >= binom.ppf(1e-3, 20, 0.9)
