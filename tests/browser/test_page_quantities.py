"""Amounts in the page are those that Python writes; ticks of the cost's axis are round and few."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from paretoken.costs.quantities import SCALES, quantity, scales
from paretoken.report.inline import asset

pytestmark = pytest.mark.slow
UNITS = (*SCALES, "per 1,000 answers")


@pytest.fixture(scope="module")
def functions(browser: Browser) -> Iterator[Page]:
    """A blank page with the functions of quantities.js."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.add_script_tag(content=asset("quantities.js"))
    yield page
    context.close()


def call(page: Page, name: str, *arguments: Any) -> Any:
    return page.evaluate(f"{name}({', '.join(map(json.dumps, arguments))})")


def scales_of(unit: str) -> list[dict[str, Any]]:
    return [asdict(scale) for scale in scales(unit)]


@pytest.mark.parametrize("unit", UNITS)
def test_the_page_writes_amounts_as_python_does(functions, unit):
    values = [m * 10.0**e for e in range(-6, 16) for m in (1, 1.2344, 2.5, 9.9994, 9.9997)]
    shown = functions.evaluate(
        f"{json.dumps(values)}.map((value) => quantity(value, {json.dumps(scales_of(unit))}))"
    )
    assert shown == [quantity(value, unit) for value in values]


@pytest.mark.parametrize(
    ("low", "high", "unit", "most", "expected"),
    [
        (5.1e10, 8.7e12, "FLOPs", 9, [1e11, 2e11, 5e11, 1e12, 2e12, 5e12]),
        (5.1e10, 8.7e12, "FLOPs", 4, [1e11, 3e11, 1e12, 3e12]),
        (1e9, 1e15, "FLOPs", 4, [1e9, 1e11, 1e13, 1e15]),
        (9.0, 110.0, "ms", 6, [10, 20, 50, 100]),
        (700.0, 4000.0, "ms", 6, [1000, 2000]),
        (0.5, 4.0, "GiB", 6, [0.5 * 1000 / 1024 * 1.024, 1, 2]),
        (11.0, 14.0, "ms", 6, [11, 12, 13, 14]),
        (0.02, 0.9, "per 1,000 answers", 6, [0.02, 0.05, 0.1, 0.2, 0.5]),
    ],
)
def test_ticks_are_round_in_their_unit(functions, low, high, unit, most, expected):
    ticks = call(functions, "costTicks", low, high, scales_of(unit), most)
    assert len(ticks) <= most
    if unit == "GiB":  # 500 MiB is just below the range
        expected = expected[1:]
    assert ticks == pytest.approx(expected)


def test_one_cost_has_one_tick(functions):
    assert call(functions, "costTicks", 5.0, 5.0, scales_of("ms"), 6) == [5.0]


@pytest.mark.parametrize(
    ("text", "number"),
    [("600", 600), (" 1.5 ", 1.5), (".5", 0.5), ("6e11", 6e11), ("1,200.5", 1200.5), ("-3", -3)],
)
def test_typed_numbers_are_read(functions, text, number):
    assert call(functions, "typedNumber", text) == number


@pytest.mark.parametrize(
    "text", ["", " ", "abc", "1,5", "12,34", "0x10", "1 000", "1e", "NaN", "Infinity"]
)
def test_text_that_is_not_a_number_is_not_read(functions, text):
    assert functions.evaluate(f"Number.isNaN(typedNumber({json.dumps(text)}))")
