"""A real browser: Debian's chromium, driven by Playwright; without the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from browser_pages import opened
from report_study import Finished, finished_study, latency_table

#: One claim per verdict.
CLAIMS = [
    {
        "claim": f"claim_{place}",
        "statement": "At equal cost a larger model with one visual token is best",
        "where": "Section 3",
        "computed": "alpha / beta",
        "value": 4.7,
        "low": 3.9,
        "high": 5.2,
        "verdict": verdict,
        "because": "The interval lies where it lies, and the sentence goes on for a while.",
    }
    for place, verdict in enumerate(["holds", "fails", "undecided", "cannot be tested"])
]
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the browser's path; without one, fail in CI and skip elsewhere."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        message = "no chromium on the PATH; on Debian: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Yield the browser to the tests of one file, during which Playwright's event loop runs here.

    Tests of other files would find that loop, and `asyncio.run` raises an error beside it.
    """
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Return a study with its report: two suites, three laws, every cost model but energy."""
    finished = finished_study(
        tmp_path_factory.mktemp("browser"), claims=CLAIMS, flag="changed_between_commits"
    )
    latency_table(finished.root / "latency.csv")
    here = Path.cwd()
    os.chdir(finished.root)
    try:  # as in the workflow, where paths are relative to the project
        relative = Finished(Path("results/demo"))
        assert relative.report("--latency", "latency.csv", "--price-per-hour", "2.5") == 0
    finally:
        os.chdir(here)
    return finished


@pytest.fixture
def page(browser: Browser, study: Finished) -> Iterator[Page]:
    """Yield the report as a fresh page, which must not complain."""
    found, problems = opened(browser, study.folder / "report.html")
    yield found
    found.context.close()
    assert problems == []
