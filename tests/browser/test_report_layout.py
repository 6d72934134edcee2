"""The report's look: widths, light and dark, contrast, and paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from browser_pages import READY, SCREENSHOTS, contrast, opened, text_of
from report_study import QUESTION

pytestmark = pytest.mark.slow
WIDTHS = (390, 800, 1400)
#: Pixels between the margins of a printed A4 page.
A4 = 718
#: Least contrast of text (WCAG 2.2, AA).
LEAST = 4.5
#: Every text that is seen: its colour, and that of what lies behind it.
TEXTS = """() => {
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if (!/, 0\\)$|transparent/.test(colour)) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.textContent.trim();
        if (!text || element.closest("script, style, option") || !element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const drawn = element.closest("svg") ? style.fill : style.color;
        found.push([text.slice(0, 40), drawn, behind(element)]);
    }
    for (const control of document.querySelectorAll("select, input[type=text]")) {
        if (control.checkVisibility() && !control.disabled) {
            found.push([control.id, getComputedStyle(control).color, behind(control)]);
        }
    }
    return found;
}"""


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


def pale(page: Page) -> list[Any]:
    """Return the texts whose contrast is too low."""
    found = page.evaluate(TEXTS)
    assert len(found) > 100
    return [(text, one, other) for text, one, other in found if contrast(one, other) < LEAST]


def test_the_title_is_the_question_and_the_paper_not_the_folder(page):
    for text in (page.title(), text_of(page, "h1")):
        assert text.startswith(QUESTION)
        assert "Inference Optimal VLMs Need Fewer Visual Tokens and More Parameters" in text
        assert "demo" not in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_can_be_read_in_light_and_dark_at_each_width(browser, study, tmp_path, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    page, problems = opened(browser, study.folder / "report.html", **options)
    shots = Path(SCREENSHOTS or tmp_path)
    shots.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=shots / f"report-{scheme}-{width}.png", full_page=True)
    open_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "no sideways scrolling"
    # An entry that is wrong, and a notice, are read too.
    page.fill("#x-budget-entry", "abc")
    page.locator("#x-budget-entry").press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert pale(page) == []
    for n in range(4):  # lines of the chart, against the card that they are on
        colour = page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('--n{n}')")
        card = page.evaluate("getComputedStyle(document.querySelector('.explorer')).backgroundColor")
        assert contrast(colour.strip(), card) > 1.5
    page.context.close()
    assert problems == []


@pytest.mark.parametrize("width", WIDTHS)
def test_tables_scroll_by_themselves_and_are_whole_where_there_is_room(browser, study, width):
    options = {"viewport": {"width": width, "height": 900}}
    page, problems = opened(browser, study.folder / "report.html", **options)
    open_all(page)
    tables = page.evaluate(
        """() => [...document.querySelectorAll("table")].filter((e) => !e.closest("#vg-tooltip-element"))
            .map((table) => {
                const around = table.closest(".scroll");
                return [table.caption.textContent, getComputedStyle(around).overflowX,
                        around.tabIndex, around.scrollWidth - around.clientWidth];
            })"""
    )
    assert len(tables) > 5
    assert {overflow for _, overflow, _, _ in tables} == {"auto"}
    assert {index for _, _, index, _ in tables} == {0}, "the keyboard reaches them"
    if width == max(WIDTHS):
        assert [caption for caption, _, _, beyond in tables if beyond > 0] == []
    page.context.close()
    assert problems == []


def test_a_notice_does_not_widen_the_page(browser, study):
    options = {"viewport": {"width": min(WIDTHS), "height": 900}}
    fragment = f"#law={'x' * 300}&{'y' * 300}=1&budget={'9' * 200}"
    page, problems = opened(browser, study.folder / "report.html", fragment, **options)
    assert page.locator("#x-notice li").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= min(WIDTHS)
    page.context.close()
    assert problems == []


def test_verdicts_are_explained_above_the_claims(page):
    meanings = page.locator("#claims dl.verdicts")
    assert meanings.is_visible()
    named = [term.lower() for term in meanings.locator("dt").all_text_contents()]
    assert named == page.locator("#claims .verdict").all_text_contents()


def test_it_prints_without_its_controls(browser, study, tmp_path):
    page, problems = opened(browser, study.folder / "report.html", color_scheme="dark")
    # A printer tells no script how wide its paper is: the chart stays as the window had it.
    page.add_init_script("addEventListener('resize', event => event.stopImmediatePropagation(), true)")
    page.reload()
    page.wait_for_function(READY)
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("#x-budget").is_visible()
    assert page.locator("#x-best").is_visible()
    closed = page.locator("details:not(.words) > summary:visible")
    assert not closed.count(), "what is closed is not printed"
    words = page.locator("details.words dd")
    assert words.count() > 10
    assert all(each.evaluate("e => e.checkVisibility()") for each in words.all()), "words are explained"
    heights = words.evaluate_all("all => all.map((each) => each.getBoundingClientRect().height)")
    assert min(heights) > 5
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert pale(page) == []
    page.set_viewport_size({"width": A4, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= A4, "nothing is cut off"
    page.locator("summary", has_text="errors").evaluate("e => { e.parentElement.open = true }")
    assert page.locator("#fits details th", has_text="Seed").is_visible(), "what is open is"
    shots = Path(SCREENSHOTS or tmp_path)
    page.pdf(path=shots / "report.pdf")
    assert (shots / "report.pdf").stat().st_size > 10_000
    page.context.close()
    assert problems == []
