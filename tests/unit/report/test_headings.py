"""The title of a study's page, and the words that it explains."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest

from paretoken.config.config import parse
from paretoken.config.study import Study
from paretoken.io.yaml_files import read_yaml
from paretoken.report.glossary import ANSWER_TERMS, EXPLORER_TERMS, VERDICT_TERMS
from paretoken.report.headings import PAPER, page_title, paper_words
from report_study import QUESTION, SUITES, finished_study


@pytest.fixture(scope="module")
def studies() -> dict[str, Study]:
    config = parse(read_yaml(Path(__file__).parents[3] / "config.yaml"))
    return {study.name: study for study in config.studies}


def test_a_reproduction_names_the_paper(studies):
    title = page_title(studies["published"], claims=True)
    assert title == f"{studies['published'].question} · A reproduction of {PAPER} · Paretoken"


def test_a_study_of_claims_names_the_paper_and_others_do_not(studies):
    assert paper_words(studies["miniature"], claims=True) == f"A test of claims of {PAPER}"
    assert page_title(studies["repetition"], claims=False) == (
        f"{studies['repetition'].question} · Paretoken"
    )


def test_no_title_is_the_folders_name(studies):
    for name, study in studies.items():
        assert not page_title(study, bool(study.claims)).startswith(name)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    claim = {"claim": "c", "statement": "Five times", "verdict": "holds", "because": "It does."}
    study = finished_study(
        tmp_path_factory.mktemp("headings"), suites=SUITES[:1], laws=["product"], claims=[claim]
    )
    assert study.report() == 0
    return unescape(study.page)


def test_the_page_is_called_by_its_question_and_the_paper(page):
    title = page[page.index("<title>") + 7 : page.index("</title>")]
    assert title == f"{QUESTION} · A test of claims of {PAPER} · Paretoken"
    assert f'<h1>{QUESTION} <span class="paper">A test of claims of {PAPER}</span></h1>' in page


def test_words_are_explained_before_what_uses_them(page):
    explorer, controls = page.index('id="explorer"'), page.index('id="x-controls"')
    assert all(page.index(term.meaning) < explorer for term in ANSWER_TERMS)
    assert all(explorer < page.index(term.meaning) < controls for term in EXPLORER_TERMS)
    assert all(page.index(term.meaning) < page.index("Five times") for term in VERDICT_TERMS)
