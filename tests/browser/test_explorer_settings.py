"""The explorer's entries, its settings in the address, and the budget's unit with another cost."""

from __future__ import annotations

import re

import pytest

from browser_pages import enter, opened, slide, text_of

pytestmark = pytest.mark.slow


def test_an_entry_is_in_step_with_its_slider(page):
    slide(page, "#x-text", 0.5)
    Q = page.input_value("#x-text-entry")
    assert f"and {Q} text tokens" in text_of(page, "#x-best")
    slide(page, "#x-budget", 0.4)
    shown = f"{page.input_value('#x-budget-entry')} {page.input_value('#x-budget-unit')}"
    assert text_of(page, "#x-best").startswith(f"With {shown} per question")
    enter(page, "#x-text-entry", "25")
    assert page.locator("#x-text").get_attribute("aria-valuetext") == "25 text tokens"
    before = page.input_value("#x-budget")
    enter(page, "#x-budget-entry", "600")
    assert page.input_value("#x-budget") != before
    assert page.locator("#x-budget").get_attribute("aria-valuetext") == "600 GFLOPs"
    assert text_of(page, "#x-best").startswith("With 600 GFLOPs per question and 25 text tokens")
    page.select_option("#x-budget-unit", "TFLOPs")
    assert page.input_value("#x-budget-entry") == "0.6"
    enter(page, "#x-budget-entry", "1.2")
    assert text_of(page, "#x-best").startswith("With 1.2 TFLOPs per question")
    assert "--budget 1200000000000 " in text_of(page, "#x-command")


@pytest.mark.parametrize("name", ["text", "budget"])
@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("abc", "is not a number"),
        ("", "is not a number"),
        ("1e", "is not a number"),
        ("Infinity", "is not a number"),
        ("-5", "is outside the range"),
        ("9999999", "is outside the range"),
        ("1e300", "is outside the range"),
    ],
)
def test_an_entry_says_what_is_allowed(page, name, typed, why):
    best = text_of(page, "#x-best")
    wrong = page.locator(f"#x-{name}-wrong")
    assert not wrong.is_visible()
    enter(page, f"#x-{name}-entry", typed)
    said = wrong.text_content() or ""
    assert f"“{typed}”" in said
    assert why in said
    assert re.search(r"Enter a \w+ from [\d.]+( \w+)? to [\d.]+( \w+)?\.$", said), said
    assert text_of(page, f"#x-{name}-allowed") in said
    assert wrong.is_visible()
    assert page.locator(f"#x-{name}-entry").get_attribute("aria-invalid") == "true"
    assert text_of(page, "#x-best") == best, "what was shown stays"
    slide(page, f"#x-{name}", 0.3)
    assert not wrong.is_visible()
    assert page.locator(f"#x-{name}-entry").get_attribute("aria-invalid") == "false"


def test_an_entry_takes_thousands_and_another_unit_for_what_was_wrong(page):
    enter(page, "#x-budget-entry", "1,200")
    assert text_of(page, "#x-best").startswith("With 1.2 TFLOPs")
    enter(page, "#x-budget-entry", "800")
    page.select_option("#x-budget-unit", "TFLOPs")
    enter(page, "#x-budget-entry", "500")
    assert "“500” TFLOPs is outside the range" in text_of(page, "#x-budget-wrong")
    page.select_option("#x-budget-unit", "GFLOPs")
    assert text_of(page, "#x-best").startswith("With 500 GFLOPs")


def test_text_tokens_without_results_become_the_nearest_with_a_notice(page):
    enter(page, "#x-text-entry", "37")
    assert page.input_value("#x-text-entry") == "35"
    assert "no results for 37 text tokens" in text_of(page, "#x-notice")
    assert "nearest number, 35" in text_of(page, "#x-notice")


def test_the_address_keeps_the_choice(browser, study, page):
    page.select_option("#x-suite", "digits")
    page.select_option("#x-cost", "latency")
    slide(page, "#x-text", 0.2)
    slide(page, "#x-budget", 0.35)
    fragment, best = page.evaluate("location.hash"), page.locator("#x-best").text_content()
    again, problems = opened(browser, study.folder / "report.html", fragment)
    assert again.locator("#x-best").text_content() == best
    assert again.evaluate("location.hash") == fragment
    assert again.locator("#x-cost").input_value() == "latency"
    assert not again.locator("#x-notice li").count(), "nothing had to be changed"
    again.context.close()
    assert problems == []


def test_a_link_to_a_section_leaves_the_choice_alone(page):
    page.select_option("#x-suite", "digits")
    best = text_of(page, "#x-best")
    page.locator("nav a", has_text="Claims").click()
    page.wait_for_function("location.hash === '#claims'")
    assert text_of(page, "#x-best") == best
    assert page.input_value("#x-suite") == "digits"


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("#law=none", ["the law “none”", "shows “product"]),
        ("#suite=%3Cscript%3E", ["the suite “<script>”", "shows “Scenes”"]),
        (
            "#cost=__proto__&budget=5",
            ["the cost “__proto__”", "“5” of the address belongs to that cost"],
        ),
        ("#rows=sometimes", ["the use of flagged cells “sometimes”"]),
        ("#q=abc", ["“abc” text tokens, which is not a number", "shows 50 text tokens"]),
        ("#q=", ["“” text tokens, which is not a number"]),
        ("#budget=NaN", ["the budget “NaN”, which is not a number"]),
        ("#budget=1e400&q=1e999", ["the budget “1e400”", "“1e999” text tokens"]),
        ("#" + "x=" * 2000, ["settings that this page does not know: “x”"]),
    ],
)
def test_an_address_with_values_that_do_not_exist_says_so(browser, study, page, fragment, said):
    fresh = text_of(page, "#x-best")
    garbled, problems = opened(browser, study.folder / "report.html", fragment)
    notice = garbled.locator("#x-notice")
    assert notice.is_visible()
    for part in said:
        assert part in (notice.text_content() or "")
    assert text_of(garbled, "#x-best") == fresh, "as on a fresh page"
    garbled.context.close()
    assert problems == []


@pytest.mark.parametrize(
    ("fragment", "said", "shown"),
    [
        ("#q=37", "the nearest number, 35", "and 35 text tokens"),
        ("#q=7.4", "the nearest number, 5", "and 5 text tokens"),
        ("#q=100000", "the nearest number, 200", "and 200 text tokens"),
        ("#q=-1", "the nearest number, 0", "and 0 text tokens"),
        ("#budget=1", "uses the nearest of these, 51 GFLOPs", "With 51 GFLOPs"),
        ("#budget=-5", "uses the nearest of these, 51 GFLOPs", "With 51 GFLOPs"),
        ("#budget=1e30", "uses the nearest of these, 8.77 TFLOPs", "With 8.77 TFLOPs"),
        (
            "#law=additive&rows=unflagged",
            "does not have the fit of the law “additive” without flagged cells for Scenes",
            "",
        ),
    ],
)
def test_the_nearest_of_what_an_address_asks_for_is_shown(browser, study, fragment, said, shown):
    page, problems = opened(browser, study.folder / "report.html", fragment)
    assert said in text_of(page, "#x-notice")
    assert shown in text_of(page, "#x-best")
    page.context.close()
    assert problems == []


def test_an_empty_address_is_a_fresh_page(browser, study, page):
    fresh = text_of(page, "#x-best")
    other, problems = opened(browser, study.folder / "report.html", "#%%%")
    assert text_of(other, "#x-best") == fresh
    assert not other.locator("#x-notice li").count()
    other.context.close()
    assert problems == []


def test_an_unknown_cost_is_reported(browser, study):
    page, problems = opened(browser, study.folder / "report.html", "#cost=latency&q=200&budget=50")
    assert "The cost is not known with 200 text tokens" in text_of(page, "#x-best")
    assert page.locator("#x-table tr").count() == 0
    assert page.locator("#x-budget-entry").is_disabled()
    enter(page, "#x-text-entry", "50")
    assert text_of(page, "#x-best").startswith("With 50 ms per question and 50 text tokens")
    page.context.close()
    assert problems == []


def test_another_cost_converts_the_budget_and_says_so(page):
    enter(page, "#x-budget-entry", "600")
    page.select_option("#x-cost", "latency")
    said = text_of(page, "#x-notice")
    assert "The unit of the budget changed from FLOPs to ms." in said
    assert "The budget was 600 GFLOPs and is now" in said
    found = re.search(r"is now ([\d.]+ ms)\. This is what the recommended configuration, the", said)
    assert found, said
    assert text_of(page, "#x-best").startswith(f"With {found[1]} per question")
    assert page.input_value("#x-budget-unit") == "ms"
    assert f"{page.input_value('#x-budget-entry')} ms" == found[1]
    page.select_option("#x-cost", "memory")
    assert "changed from ms to GiB" in text_of(page, "#x-notice")
    slide(page, "#x-budget", 0.5)
    assert not page.locator("#x-notice li").count()


def test_another_cost_in_the_same_unit_keeps_the_budget(page):
    enter(page, "#x-budget-entry", "900")
    page.select_option("#x-cost", "flops_exact")
    assert "The budget is still 900 GFLOPs" in text_of(page, "#x-notice")
    assert text_of(page, "#x-best").startswith("With 900 GFLOPs")


def test_a_budget_that_other_text_tokens_make_impossible_is_reported_and_remembered(page):
    enter(page, "#x-text-entry", "0")
    enter(page, "#x-budget-entry", "2")
    assert text_of(page, "#x-best").startswith("With 2 GFLOPs")
    enter(page, "#x-text-entry", "50")
    assert "The budget of 2 GFLOPs is less than the cheapest configuration costs" in text_of(
        page, "#x-notice"
    )
    assert text_of(page, "#x-best").startswith("With 51 GFLOPs")
    enter(page, "#x-text-entry", "0")
    assert text_of(page, "#x-best").startswith("With 2 GFLOPs")
    assert not page.locator("#x-notice li").count()
