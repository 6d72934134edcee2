"""Ids of rows, however programs write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoken.data.conversations import BadRowError
from paretoken.errors import UserError
from paretoken.evaluate.ids import id_text, require_unique, usable_keys

NUMBERS = st.integers(-(2**53), 2**53)
TEXTS = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1).filter(
    lambda text: not text.endswith(".0")
)


def written(value: int) -> list[Any]:
    """Return what JSON, Parquet and pandas make of a whole number on their way."""
    return [value, float(value), str(value), f" {value}", f"{value}\n", f"{value}.0"]


@given(NUMBERS)
def test_one_number_is_one_id_however_it_is_written(number: int) -> None:
    assert {id_text(form, "id") for form in written(number)} == {str(number)}


@given(st.lists(st.one_of(NUMBERS, TEXTS), unique_by=str, min_size=2), st.data())
def test_ids_are_unique_until_one_appears_again(values: list[Any], data: st.DataObject) -> None:
    rows = [{"id": value} for value in values]
    assert require_unique(rows, ("id",), "file") == [(str(value),) for value in values]
    place = data.draw(st.integers(0, len(values) - 1))
    again = values[place]
    forms = written(again) if isinstance(again, int) else [again, f" {again} "]
    with pytest.raises(UserError, match=r"1 of \d+ ids? appears more than once"):
        require_unique([*rows, {"id": data.draw(st.sampled_from(forms))}], ("id",), "file")


def test_large_numbers_are_distinguished() -> None:
    rows = [{"id": 2**63 + number} for number in range(3)]
    assert len(set(require_unique(rows, ("id",), "file"))) == 3


@pytest.mark.parametrize(
    "value", [None, float("nan"), "", "  ", [], ["1"], {"a": 1}, True, b"1", 0.5, float("inf")]
)
def test_invalid_ids_are_refused_with_their_row(value: Any) -> None:
    with pytest.raises(BadRowError, match="its id is"):
        id_text(value, "id")
    with pytest.raises(UserError, match="file, row 2: its id is"):
        require_unique([{"id": 1}, {"id": value}], ("id",), "file")


def test_a_pair_counts_as_a_whole() -> None:
    rows = [{"category": c, "id": i} for c in ("random", "popular") for i in (1, 2)]
    key = ("category", "id")
    assert len(require_unique(rows, key, "file")) == 4
    with pytest.raises(UserError, match="category 'popular', id '1': rows 3, 5"):
        require_unique([*rows, rows[2]], key, "file")


def test_the_first_key_that_rows_have_counts_and_a_row_without_it_is_named() -> None:
    keys = (("question_id",), ("id",))
    assert usable_keys([{"id": 1}], keys) == [("id",)]
    assert usable_keys([{"id": 1, "question_id": 2, "_id": 0}], keys) == [("_id",), ("question_id",)]
    assert usable_keys([{"answer": 1}], keys) == []
    rows = [{"id": 1}, {"answer": 1}]
    with pytest.raises(UserError, match="row 2: its id is missing"):
        require_unique(rows, usable_keys(rows, keys)[0], "file")
