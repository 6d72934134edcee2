"""Every figure and claim out of its habitat: `check` says what it lacks, or it works.

Each shipped study is changed in one place and asks for every figure and every claim. What has no problem
must run on made-up results, and what has one must really fail (or end as untestable), so that nothing is
refused without need.
"""

from __future__ import annotations

import warnings

import pytest

from feasible_studies import (
    STUDIES,
    Change,
    alone,
    changes,
    everything,
    found,
    lacking,
    results_of,
    shipped,
    study_of,
)
from paretoken.analysis.claims.ledger import ledger
from paretoken.analysis.claims.verdicts import Verdict
from paretoken.analysis.study_results import StudyResults
from paretoken.config.config import Config
from paretoken.config.needs import FIGURE_NEEDS, Needs
from paretoken.errors import UserError
from paretoken.feasibility.findings import Kind
from paretoken.figures.style import styled
from paretoken.registry import CLAIMS, FIGURES

CASES = [
    pytest.param(name, change, id=f"{name}: {what}")
    for name in STUDIES
    if name != "miniature_long"  # the miniature with more cells
    for what, change in changes(study_of(shipped(), name))
]


#: Fitting and drawing take seconds: every third change is tried, with all claims, and with one figure
#: out of so many, another one than its neighbours. With 1 and 1 everything is tried: half an hour.
EVERY, STRIDE = 3, 5
PLACES = range(0, len(CASES), EVERY)


def asking_for_everything(name: str, change: Change) -> Config | None:
    """Return a study's config with a change, and with every figure and claim; None if it is refused."""

    def changed(study: dict) -> None:
        change(study)
        everything(study)

    try:
        return alone(name, changed)
    except UserError:  # such as a measured study without a law: nothing is left to check
        return None


def fittable(config: Config) -> bool:
    """Return whether the laws of the study can be fitted."""
    return not any(f.place.endswith("fit.laws") for f in found(config))


def works(name: str, results: StudyResults) -> bool:
    """Return whether a figure can be drawn, or a claim has a verdict; any other error is a crash."""
    try:
        if name in CLAIMS:
            row = ledger(results, [name]).iloc[0]
            unmeasured = name == "largest_within_two_percent"
            return unmeasured or row["verdict"] != Verdict.UNTESTABLE
        with styled(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            FIGURES.load(name).draw(results)
    except UserError:
        return False
    return True


def mismatches(config: Config, names: list[str]) -> dict[str, str]:
    """Return the figures and claims that `check` and the real thing disagree on."""
    results = results_of(config)
    problems = lacking(found(config))
    untestable = lacking(found(config, Kind.WARNING))
    wrong = {}
    for name in names:
        runs = works(name, results)
        if name not in problems and not runs and name not in untestable:
            wrong[name] = "fails, and check accepts it"
        if name in problems and runs:
            wrong[name] = "works, and check refuses it"
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=[CASES[place].id for place in PLACES])
def test_claims_and_figures_work_or_are_refused(place: int) -> None:
    config = asking_for_everything(*CASES[place].values)
    if config is not None and fittable(config):
        some = list(FIGURES)[place % STRIDE :: STRIDE]
        assert mismatches(config, [*CLAIMS, *some]) == {}


@pytest.mark.parametrize("name", ["published", "table1"])
def test_everything_at_once_works_or_is_refused(name: str) -> None:
    config = asking_for_everything(name, lambda study: None)
    assert config is not None
    assert mismatches(config, [*FIGURES, *CLAIMS]) == {}


@pytest.mark.parametrize("name", STUDIES)
def test_shipped_studies_have_no_problem(name: str) -> None:
    assert found(alone(name)) == []


def test_a_wrong_declaration_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    config = asking_for_everything("published", lambda study: study["suites"].pop(1))
    assert config is not None
    monkeypatch.setitem(FIGURE_NEEDS, "fig4", Needs())
    monkeypatch.setitem(FIGURE_NEEDS, "fig1a", Needs(roles=("control",)))
    assert mismatches(config, ["fig1a", "fig1b", "fig4"]) == {
        "fig1a": "works, and check refuses it",
        "fig4": "fails, and check accepts it",
    }
