"""Percentages among shares are noticed, and tables on one scale are left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoken.study.error_scale import contradicts, mixed_scales

#: Errors as studies have them, all above 1 as a percentage.
SHARES = st.lists(st.floats(0.02, 1), min_size=2, max_size=12)


@given(SHARES, st.data())
def test_a_part_in_percent_is_noticed(shares: list[float], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(shares) - 1))
    mixed = [*shares[:count], *(100 * share for share in shares[count:])]
    # The errors in percent may be the smallest of all, and the others the largest.
    if max(shares) / min(shares) <= 3:
        found = mixed_scales(mixed)
        assert found is not None
        assert found[0] in shares
        assert found[1] > 1


@given(SHARES)
def test_shares_and_percentages_alone_are_on_one_scale(shares: list[float]) -> None:
    assert mixed_scales(shares) is None
    assert mixed_scales([0.0, *(100 * share for share in shares)]) is None


@given(st.lists(st.floats(0.33, 3.2), min_size=1, max_size=12))
def test_losses_around_1_are_on_one_scale(losses: list[float]) -> None:
    assert mixed_scales(losses) is None


@given(st.floats(0, 1), st.integers(2, 6))
def test_a_rounded_score_does_not_contradict_its_error(score: float, digits: int) -> None:
    assert not contradicts(round(score, digits), round(1 - score, digits))


@pytest.mark.parametrize(
    ("score", "error", "wrong"),
    [(0.9, 0.61, True), (0.61, 0.61, True), (0.39, 0.61, False), (39, 61, False), (1.5, 0.2, False)],
)
def test_a_score_and_its_error_add_up_to_1(score: float, error: float, wrong: bool) -> None:
    assert contradicts(score, error) == wrong
