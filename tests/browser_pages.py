"""What the browser's tests share: pages that are opened and watched, sliders, and contrast."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

#: A folder in which screenshots are kept to be looked at; by default none are.
SCREENSHOTS = os.environ.get("PARETOKEN_SCREENSHOTS")
READY = "document.documentElement.dataset.explorer === 'ready'"


class Problems(list[str]):
    """What a page complained of: errors, and requests for anything but itself."""

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("console", lambda m: self.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("request", lambda request: self._outside(request.url))

    def _outside(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.append(url)


def opened(browser: Browser, path: Path, fragment: str = "", **options: Any) -> tuple[Page, Problems]:
    """Open a report without the network, and wait until its explorer is drawn."""
    context = browser.new_context(offline=True, **options)
    page, problems = context.new_page(), Problems()
    problems.watch(page)
    page.goto(f"{path.as_uri()}{fragment}")
    page.wait_for_function(READY, timeout=60_000)
    return page, problems


def slide(page: Page, name: str, position: float) -> None:
    """Move a slider to a share of its way, as a hand would: the page is told by an event."""
    page.locator(name).evaluate(
        """(slider, share) => {
            slider.value = Math.round(share * Number(slider.max));
            slider.dispatchEvent(new Event("input", {bubbles: true}));
        }""",
        position,
    )


def enter(page: Page, name: str, text: str) -> None:
    """Type into an entry, and leave it."""
    page.fill(name, text)
    page.locator(name).press("Enter")


def text_of(page: Page, name: str) -> str:
    """Return the text of an element."""
    return page.locator(name).text_content() or ""


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
