"""What a page in the browser complains of."""

from __future__ import annotations

import os

from playwright.sync_api import Page

#: A folder in which screenshots are kept to be looked at; by default none are.
SCREENSHOTS = os.environ.get("PARETOKEN_SCREENSHOTS")


class Problems(list[str]):
    """What a page complained of: errors, and requests for anything but itself."""

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("console", lambda m: self.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("request", lambda request: self._outside(request.url))

    def _outside(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.append(url)
