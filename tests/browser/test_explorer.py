"""The explorer in a real browser: its numbers are those of `paretoken recommend`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser_pages import SCREENSHOTS, Problems
from paretoken.cli import main
from paretoken.io.text_tables import size_label, visual_tokens
from paretoken.registry import COST_MODELS

pytestmark = pytest.mark.slow
WIDTHS = {"desk": (1100, 900), "phone": (390, 844)}
#: Pixels between the margins of a printed A4 page.
A4 = 718
READY = "document.documentElement.dataset.explorer === 'ready'"


def opened(browser: Browser, path: Path, fragment: str = "", **options: Any) -> tuple[Page, Problems]:
    context = browser.new_context(offline=True, **options)
    page, problems = context.new_page(), Problems()
    problems.watch(page)
    page.goto(f"{path.as_uri()}{fragment}")
    page.wait_for_function(READY, timeout=60_000)
    return page, problems


@pytest.fixture
def page(browser, study) -> Iterator[Page]:
    found, problems = opened(browser, study.folder / "report.html")
    yield found
    found.context.close()
    assert problems == []


def slide(page: Page, name: str, position: float) -> None:
    """Move a slider to a share of its way, as a hand would: the page is told by an event."""
    page.locator(name).evaluate(
        """(slider, share) => {
            slider.value = Math.round(share * Number(slider.max));
            slider.dispatchEvent(new Event("input", {bubbles: true}));
        }""",
        position,
    )


def recommended(page: Page, study, capsys, monkeypatch) -> dict[str, Any]:
    """Run the command that the page shows, and return what it answers."""
    command = shlex.split(page.locator("#x-command").text_content() or "")
    assert command[0] == "paretoken"
    monkeypatch.chdir(study.root)
    capsys.readouterr()
    assert main([*command[1:], "--format", "json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def words(row: dict[str, float], unit: str) -> str:
    interval = (
        f"of the mean {row['error_low']:.4f} to {row['error_high']:.4f}, of a new measurement "
        f"{row['measured_low']:.4f} to {row['measured_high']:.4f}"
    )
    outside = "; outside the fitted range, an extrapolation" if row["extrapolated"] else ""
    return (
        f"{size_label(row['params_b'])} with {visual_tokens(row['visual_tokens'])}: expected error "
        f"{row['error']:.4f} (95\u00a0% intervals: {interval}), {row['cost']:.4g} {unit}"
        f"{outside}"
    )


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
    shown = page.locator("#x-best").text_content()
    each = COST_MODELS.load(answer["cost_model"]).each
    start = f"With {answer['budget']:.4g} {unit}{each} and {answer['text_tokens']:g} text tokens"
    assert shown == f"{start}, use {words(best, unit)}."
    following = page.locator("#x-next li").all_text_contents()
    assert following == [words(row, unit) + "; a tie" * bool(row["tie"]) for row in answer["runners_up"]]
    said = page.locator("#x-tie").text_content() or ""
    assert said.startswith(f"{answer['ties']} other affordable") is (answer["ties"] > 0)
    line = page.locator("#x-table tr.best td").all_text_contents()
    assert line[0] == size_label(best["params_b"])
    assert line[3] == f"{best['error']:.4f}"
    assert answer["law"] == law
    assert answer["suite"] == suite


def test_the_chart_shows_what_the_table_says(page):
    slide(page, "#x-budget", 0.6)
    # Vega describes each mark in words for screen readers.
    rows = page.locator("#x-table tr").count()
    assert rows == 4 * 7
    points = page.locator("#x-chart svg .mark-symbol.role-mark").first.locator("path")
    assert points.count() >= 1
    before = page.locator("#x-chart svg").inner_html()
    slide(page, "#x-budget", 0.2)
    page.wait_for_timeout(300)
    assert page.locator("#x-chart svg").inner_html() != before
    page.select_option("#x-cost", "memory")
    page.wait_for_timeout(300)
    assert page.locator("#x-unit").text_content() == "Cost (GiB)"


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
    again.context.close()
    assert problems == []


@pytest.mark.parametrize(
    "fragment",
    [
        "#budget=-5&q=abc&suite=%3Cscript%3E&law=none&cost=__proto__",
        "#budget=NaN&q=1e999&rows=sometimes",
        "#" + "x=" * 2000,
        "#budget=1e400&q=7.5",
        "#%%%",
    ],
)
def test_a_garbled_address_is_a_fresh_page(browser, study, page, fragment):
    fresh = page.locator("#x-best").text_content()
    garbled, problems = opened(browser, study.folder / "report.html", fragment)
    assert garbled.locator("#x-best").text_content() == fresh
    garbled.context.close()
    assert problems == []


def test_a_budget_that_buys_nothing_and_a_cost_that_is_not_known_are_said(browser, study):
    path = study.folder / "report.html"
    poor, first = opened(browser, path, "#budget=1&q=50")
    assert "No configuration costs 1 FLOPs or less" in (poor.locator("#x-best").text_content() or "")
    poor.context.close()
    unknown, second = opened(browser, path, "#cost=latency&q=200&budget=50")
    assert "The cost is not known with 200 text tokens" in (
        unknown.locator("#x-best").text_content() or ""
    )
    assert unknown.locator("#x-table tr").count() == 0
    unknown.context.close()
    assert first == second == []


def test_it_works_by_keyboard_alone(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#x-budget").focus()
    before = page.locator("#x-budget-value").text_content()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.locator("#x-budget-value").text_content() != before
    page.locator("#x-text").focus()
    page.keyboard.press("Home")
    assert page.locator("#x-text-value").text_content() == "0"
    assert page.locator("#x-text").get_attribute("aria-valuetext") == "0 text tokens"
    page.locator("summary", has_text="The same as a table").focus()
    page.keyboard.press("Enter")
    assert page.locator("#x-command").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_can_be_read_in_light_and_dark_and_on_a_phone(browser, study, tmp_path, scheme, width):
    wide, high = WIDTHS[width]
    options = {"color_scheme": scheme, "viewport": {"width": wide, "height": high}}
    page, problems = opened(browser, study.folder / "report.html", **options)
    assert page.evaluate("document.documentElement.scrollWidth") <= wide, "no sideways scrolling"
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert contrast(ink, paper) > 7
    label = page.locator("#x-chart svg .role-axis-label text").first
    assert contrast(label.evaluate("e => getComputedStyle(e).fill"), paper) > 7
    for n in range(4):  # lines of the chart, against the card that they are on
        colour = page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('--n{n}')")
        card = page.evaluate("getComputedStyle(document.querySelector('.explorer')).backgroundColor")
        assert contrast(colour.strip(), card) > 1.5
    shots = Path(SCREENSHOTS or tmp_path)
    shots.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=shots / f"explorer-{scheme}-{width}.png", full_page=True)
    page.context.close()
    assert problems == []


def test_it_prints_without_its_controls(browser, study, tmp_path):
    page, problems = opened(browser, study.folder / "report.html", color_scheme="dark")
    # A printer tells no script how wide its paper is: the chart stays as the window had it.
    page.add_init_script("addEventListener('resize', event => event.stopImmediatePropagation(), true)")
    page.reload()
    page.wait_for_function(READY)
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("#x-budget").is_visible()
    assert page.locator("#x-best").is_visible()
    assert not page.locator("summary:visible").count(), "what is closed is not printed"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.set_viewport_size({"width": A4, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= A4, "nothing is cut off"
    page.locator("summary", has_text="errors").evaluate("e => { e.parentElement.open = true }")
    assert page.locator("#fits details th", has_text="Seed").is_visible(), "what is open is"
    shots = Path(SCREENSHOTS or tmp_path)
    page.pdf(path=shots / "report.pdf")
    assert (shots / "report.pdf").stat().st_size > 10_000
    page.context.close()
    assert problems == []


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two CSS colours (WCAG 2.2)."""
    first, second = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (first + 0.05) / (second + 0.05)


def _luminance(colour: str) -> float:
    if colour.startswith("#"):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    else:
        parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
