"""A text is a number to a check exactly where it is one to the jobs, which read tables with pandas."""

from __future__ import annotations

import io
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoken.errors import UserError
from paretoken.io.numerals import number_of
from paretoken.study.measured import is_number
from paretoken.study.table_files import read_text_table

#: What numbers are made of, and what only `float` takes for a part of one.
PARTS = ("0", "6", "12", ".", "e", "E", "+", "-", "_", "٦", "１", "inf", "nan", "%", ",", "x", " ")
TEXTS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map("".join).map(str.strip)


@given(TEXTS)
def test_a_number_is_what_pandas_reads_as_a_finite_one(text: str) -> None:
    typed = pd.read_csv(io.StringIO(f'a,b\n"{text}",x\n0.5,x\n'))["a"]
    read = typed.iloc[0] if typed.dtype.kind in "fiu" else math.nan
    number = number_of(text)
    assert math.isfinite(number) == math.isfinite(read)
    assert not math.isfinite(number) or number == read


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_what_python_writes_is_read(number: float) -> None:
    assert number_of(repr(number)) == number
    assert is_number(repr(number), number)


@pytest.mark.parametrize("text", ["0.6_1", "٠.٦", "１", "inf", "nan", "", "0x1", "1,5", "61 %"])
def test_a_table_with_another_text_is_refused_by_the_fit(write, text: str) -> None:
    table = read_text_table(write(f'error\n"{text}"\n0.5\n'), may_be_empty=True)
    rows = table.rows if text else table.rows.reindex([2, 3], fill_value="")
    with pytest.raises(UserError, match="is not a finite number"):
        table.numbers(rows, "error")
