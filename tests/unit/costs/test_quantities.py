"""Amounts as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoken.costs.quantities import SCALES, plain, quantity, scales


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (6.69e11, "FLOPs", "669 GFLOPs"),
        (6e11, "FLOPs", "600 GFLOPs"),
        (1.2e12, "FLOPs", "1.2 TFLOPs"),
        (9.9996e11, "FLOPs", "1 TFLOPs"),
        (9.9994e11, "FLOPs", "999.9 GFLOPs"),
        (12.0, "FLOPs", "12 FLOPs"),
        (0.0, "FLOPs", "0 FLOPs"),
        (3e22, "FLOPs", "30,000 EFLOPs"),
        (3.0, "ms", "3 ms"),
        (0.25, "ms", "250 µs"),
        (1530.0, "ms", "1.53 s"),
        (0.5, "GiB", "512 MiB"),
        (14.123456, "GiB", "14.12 GiB"),
        (2048.0, "GiB", "2 TiB"),
        (0.02, "J", "20 mJ"),
        (0.0123, "per 1,000 answers", "0.0123 per 1,000 answers"),
        (12345.0, "per 1,000 answers", "12,340 per 1,000 answers"),
    ],
)
def test_an_amount_has_the_unit_in_which_it_is_short(value, unit, shown):
    assert quantity(value, unit) == shown


@given(st.floats(1e-12, 1e24), st.sampled_from([*SCALES, "parsecs"]))
def test_an_amount_means_its_value_and_has_no_exponent(value, unit):
    number, name = quantity(value, unit).split(" ", 1)
    factor = next(scale.factor for scale in scales(unit) if scale.unit == name)
    assert "e" not in number
    assert math.isclose(float(number.replace(",", "")) * factor, value, rel_tol=6e-4)


def test_units_ascend_and_hold_the_unit_of_the_cost_models():
    for unit, known in SCALES.items():
        factors = [scale.factor for scale in known]
        assert factors == sorted(set(factors))
        assert [scale.unit for scale in known if scale.factor == 1] == [unit]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(576.0, "576"), (0.51354, "0.5135"), (1234567.0, "1,235,000"), (1e-5, "0.00001")],
)
def test_plain_numbers_have_four_digits(value, shown):
    assert plain(value) == shown
