"""The explorer in a real browser: its numbers are those of `paretoken recommend`."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from playwright.sync_api import Page

from browser_pages import slide, text_of
from paretoken.cli import main
from paretoken.costs.quantities import quantity
from paretoken.io.text_tables import size_label, visual_tokens
from paretoken.registry import COST_MODELS

pytestmark = pytest.mark.slow


def recommended(page: Page, study, capsys, monkeypatch) -> dict[str, Any]:
    """Run the command that the page shows, and return what it answers."""
    command = shlex.split(page.locator("#x-command").text_content() or "")
    assert command[0] == "paretoken"
    monkeypatch.chdir(study.root)
    capsys.readouterr()
    assert main([*command[1:], "--format", "json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def named(row: dict[str, float]) -> str:
    return f"{size_label(row['params_b'])} model with {visual_tokens(row['visual_tokens'])}"


def expected(row: dict[str, float], unit: str) -> str:
    interval = (
        f"95\u00a0% interval of the mean: {row['error_low']:.4f} to {row['error_high']:.4f}; of a new "
        f"measurement: {row['measured_low']:.4f} to {row['measured_high']:.4f}"
    )
    outside = (
        " It lies outside the range that the law was fitted to: an extrapolation."
        if row["extrapolated"]
        else ""
    )
    cost = quantity(row["cost"], unit)
    return f"an expected error of {row['error']:.4f} ({interval}) and costs {cost}.{outside}"


@pytest.mark.parametrize(
    ("cost", "suite", "law", "text", "budget"),
    [
        ("flops_2nt", "scenes", "product", 0.2, 0.5),
        ("flops_2nt-cached_text", "digits", "product", 0.9, 0.4),
        ("flops_exact", "scenes", "additive", 0.0, 0.55),
        ("flops_exact-32", "digits", "product_q_plus_v", 0.35, 0.8),
        ("memory", "scenes", "product", 0.25, 0.6),
        ("latency", "digits", "additive", 0.1, 0.3),
        ("latency-256", "scenes", "product", 0.3, 0.9),
        ("price", "scenes", "product_q_plus_v", 0.05, 0.7),
    ],
)
def test_its_numbers_are_those_of_recommend(
    page, study, capsys, monkeypatch, cost, suite, law, text, budget
):
    page.select_option("#x-suite", suite)
    page.select_option("#x-law", law)
    page.select_option("#x-cost", cost)
    slide(page, "#x-text", text)
    slide(page, "#x-budget", budget)
    answer = recommended(page, study, capsys, monkeypatch)
    best, unit = answer["recommended"], answer["unit"]
    each = COST_MODELS.load(answer["cost_model"]).each
    start = f"With {quantity(answer['budget'], unit)}{each} and {answer['text_tokens']:g} text tokens"
    assert text_of(page, "#x-best") == f"{start}, use the {named(best)}. It has {expected(best, unit)}"
    tie = " The data do not distinguish its error from the recommendation's (a tie)."
    assert page.locator("#x-next li").all_text_contents() == [
        f"The {named(row)} has {expected(row, unit)}{tie * bool(row['tie'])}"
        for row in answer["runners_up"]
    ]
    said = f"The data do not distinguish {answer['ties']} other affordable"
    assert text_of(page, "#x-tie").startswith(said) is (answer["ties"] > 0)
    line = page.locator("#x-table tr.best td").all_text_contents()
    assert line[0] == size_label(best["params_b"])
    assert line[3] == f"{best['error']:.4f}"
    assert answer["law"] == law
    assert answer["suite"] == suite


def test_the_chart_shows_what_the_table_says(page):
    slide(page, "#x-budget", 0.6)
    rows = page.locator("#x-table tr").count()
    assert rows == 4 * 7
    points = page.locator("#x-chart svg .mark-symbol.role-mark").first.locator("path")
    assert points.count() >= 1
    budget = page.locator("#x-chart svg .mark-rule.role-mark line[stroke-dasharray]").first
    before = budget.evaluate("line => line.parentElement.innerHTML")
    slide(page, "#x-budget", 0.2)
    page.wait_for_function(
        """before => document.querySelector("#x-chart svg .mark-rule line[stroke-dasharray]")
            .parentElement.innerHTML !== before""",
        arg=before,
    )
    page.select_option("#x-cost", "memory")
    assert all(cost.endswith("iB") for cost in costs_of(page))


def costs_of(page: Page) -> list[str]:
    """Return the costs of the table."""
    return page.locator("#x-table td:nth-child(3)").all_text_contents()


def axis_titles(page: Page) -> list[str]:
    return page.locator("#x-chart svg .role-axis-title text").all_text_contents()


def test_both_axes_have_titles_and_the_units_of_the_text(page):
    assert axis_titles(page) == ["Cost per question (FLOPs)", "Error (1 − mean score)"]
    labels = page.locator("#x-chart svg .role-axis-label").first.locator("text").all_text_contents()
    assert len(labels) >= 3
    assert all(label.split()[1] in {"GFLOPs", "TFLOPs"} for label in labels), labels
    page.select_option("#x-cost", "latency")
    page.wait_for_function(
        """() => document.querySelector("#x-chart svg .role-axis-title text").textContent
            === "Cost per question (ms)" """
    )
    page.select_option("#x-cost", "price")
    page.wait_for_function(
        """() => document.querySelector("#x-chart svg .role-axis-title text").textContent
            === "Cost (per 1,000 answers)" """
    )
    shown = page.locator("#x-chart svg .role-axis-label").first.locator("text").all_text_contents()
    assert shown
    assert not [label for label in shown if "undefined" in label]


def test_no_amount_is_written_with_an_exponent(page):
    for cost in page.locator("#x-cost option").evaluate_all("all => all.map(each => each.value)"):
        page.select_option("#x-cost", cost)
        explorer = page.locator(".explorer").evaluate(
            "e => { e.querySelector('details').open = true; "
            "const text = e.cloneNode(true); text.querySelector('#x-command').remove(); "
            "return text.textContent + e.querySelector('#x-budget-entry').value }"
        )
        assert "e+" not in explorer
        assert "undefined" not in explorer
        assert "NaN" not in explorer


def test_flagged_cells_in_or_out_is_another_fit(page, study, capsys, monkeypatch):
    page.select_option("#x-rows", "unflagged")
    answer = recommended(page, study, capsys, monkeypatch)
    assert "product-unflagged.json" in (page.locator("#x-command").text_content() or "")
    assert f"{answer['recommended']['error']:.4f}" in (page.locator("#x-best").text_content() or "")


def test_a_fit_that_does_not_exist_cannot_be_chosen(page):
    page.select_option("#x-rows", "unflagged")
    page.select_option("#x-law", "additive")
    assert page.locator("#x-rows").input_value() == "all"
    assert page.locator("#x-rows option[value=unflagged]").is_disabled()


def test_it_works_by_keyboard_alone(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#x-budget").focus()
    before = page.input_value("#x-budget-entry")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.input_value("#x-budget-entry") != before
    page.locator("#x-text").focus()
    page.keyboard.press("Home")
    assert page.input_value("#x-text-entry") == "0"
    assert page.locator("#x-text").get_attribute("aria-valuetext") == "0 text tokens"
    page.locator("summary", has_text="configurations as a table").focus()
    page.keyboard.press("Enter")
    assert page.locator("#x-command").is_visible()
    page.locator("summary", has_text="symbols and terms").focus()
    page.keyboard.press("Enter")
    assert page.get_by_text("with the lowest error at a given cost").is_visible()
