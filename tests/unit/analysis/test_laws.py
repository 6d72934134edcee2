"""Each law against its formula, its gradient against finite differences, its change of units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoken.registry import LAWS

EXPONENT = st.floats(0.001, 2.0)
LINEAR = st.floats(0.01, 5.0)
SHIFT = st.floats(-5.0, 5.0)

RNG = np.random.default_rng(1)
LOG_N, LOG_T = RNG.normal(size=9), RNG.normal(size=9)


def random_values(law, draw):
    linear = [draw(LINEAR) for _ in law.linear]
    return np.array([[*linear, *(draw(EXPONENT) for _ in law.exponents)]])


def test_every_registered_law_has_a_surface(surfaces):
    assert {s.law_name for s in surfaces.values()} == set(LAWS)


def test_prediction_is_the_formula(surface):
    for N in (surface.sizes[0], surface.sizes[-1]):
        for V in (surface.tokens[0], surface.tokens[3]):
            predicted = surface.law.predict(surface.parameters, N, V, surface.Q)
            assert predicted == pytest.approx(surface.formula(N, V), rel=1e-13)


def test_prediction_broadcasts_sizes_against_tokens(surface):
    N, V = np.array(surface.sizes)[:, None], np.array(surface.tokens)[None, :]
    predicted = surface.law.predict(surface.parameters, N, V, surface.Q)
    assert predicted.shape == (len(surface.sizes), len(surface.tokens))
    assert predicted == pytest.approx(surface.formula(N, V), rel=1e-13)


def test_text_tokens_matter_to_q_plus_v_only(law_surface):
    law, p = law_surface.law, law_surface.parameters
    moved = float(law.predict(p, 4.0, 16.0, 0.0) - law.predict(p, 4.0, 16.0, 50.0))
    assert (moved != 0) == (law.name == "product_q_plus_v")


def test_q_plus_v_without_text_is_the_product_law(surfaces):
    p = surfaces["q_plus_v"].parameters
    N, V = np.array([0.5, 7.0]), np.array([1.0, 576.0])
    without = LAWS.load("product_q_plus_v").predict(p, N, V, 0.0)
    assert without == pytest.approx(LAWS.load("product").predict(p, N, V))


@pytest.mark.parametrize("name", list(LAWS))
@given(data=st.data())
def test_gradient_agrees_with_finite_differences(name, data):
    law = LAWS.load(name)
    values = random_values(law, data.draw)
    exact = law.jacobian(values, LOG_N, LOG_T)[0]
    assert exact.shape == (len(LOG_N), len(law.parameters))
    for position in range(len(law.parameters)):
        step = 1e-6
        up, down = values.copy(), values.copy()
        up[0, position] += step
        down[0, position] -= step
        slope = (law.evaluate(up, LOG_N, LOG_T) - law.evaluate(down, LOG_N, LOG_T))[0] / (2 * step)
        size = 1 + np.abs(slope).max() + np.abs(law.evaluate(values, LOG_N, LOG_T)).max()
        np.testing.assert_allclose(exact[:, position], slope, rtol=1e-6, atol=1e-8 * size)


@pytest.mark.parametrize("name", list(LAWS))
@given(data=st.data(), n0=SHIFT, t0=SHIFT)
def test_centring_changes_the_parameters_and_not_the_predictions(name, data, n0, t0):
    law = LAWS.load(name)
    centred = random_values(law, data.draw)
    plain = law.uncenter(centred, n0, t0)
    np.testing.assert_allclose(
        law.evaluate(plain, LOG_N, LOG_T), law.evaluate(centred, LOG_N - n0, LOG_T - t0), rtol=1e-9
    )
    np.testing.assert_allclose(law.center(plain, n0, t0), centred, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", list(LAWS))
def test_centring_leaves_its_argument_alone(name):
    law = LAWS.load(name)
    values = np.full((1, len(law.parameters)), 0.5)
    law.uncenter(values, 1.0, 2.0)
    assert (values == 0.5).all()


@pytest.mark.parametrize("name", list(LAWS))
def test_many_problems_are_evaluated_as_one_by_one(name):
    law = LAWS.load(name)
    values = RNG.uniform(0.1, 1.0, (5, len(law.parameters)))
    together = law.evaluate(values, LOG_N, LOG_T)
    assert together.shape == (5, len(LOG_N))
    for row, expected in zip(values, together, strict=True):
        np.testing.assert_allclose(law.evaluate(row[None], LOG_N, LOG_T)[0], expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "values", "ratio"),
    [
        ("product", [0.5, 0.1, 0.08, 0.02], 4.0),
        ("product_zero_d", [0.5, 0.08, 0.02], 4.0),
        ("additive", [0.1, 0.2, 0.3, 0.08, 0.02], 4.0),
        ("log_linear", [0.59, 0.04, 0.008], 5.0),
        ("product", [0.5, 0.1, 0.08, 0.0], np.inf),
        ("log_linear", [0.59, 0.04, -0.008], np.inf),
    ],
)
def test_ratio_of_exponents(name, values, ratio):
    assert LAWS.load(name).exponent_ratio(np.array([values]))[0] == pytest.approx(ratio)
