"""Percentages in a measured table: a problem among shares, a warning where all errors are above 1."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import pytest

from feasible_studies import ROOT, alone, found
from paretoken.feasibility.findings import Kind

Row = dict[str, str]
TABLE = ROOT / "workflow/reference/published_errors.csv"
LLMS = ("qwen1.5-0.5b", "qwen1.5-1.8b", "qwen1.5-4b", "qwen1.5-7b")
SUITES = ("visual_reasoning", "ocr")


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def rows() -> list[Row]:
    with TABLE.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def told(path: Path, changed: list[Row], *kinds: Kind) -> list[str]:
    """Return what `check` says of the published study with another table."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, changed[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(changed)
    config = alone("published", lambda study: study.update(measured=str(path)))
    return [str(finding) for finding in found(config, *kinds) if finding.place.endswith(".measured")]


def in_percent(of: Callable[[Row], bool], columns: tuple[str, ...] = ("error",)) -> list[Row]:
    """Return the published table with some rows in percent."""
    changed = rows()
    for row in filter(of, changed):
        row.update({name: f"{100 * float(row[name]):g}" for name in columns if row[name]})
    return changed


def mixtures() -> Iterator[tuple[str, Callable[[Row], bool]]]:
    """Yield ways to have percentages among the shares of one suite."""
    for llm in ("qwen1.5-0.5b", "qwen1.5-7b"):
        yield f"{llm} in percent", lambda row, llm=llm: row["llm"] == llm
    for tokens in combinations(("1", "36", "576"), 2):
        yield f"V = {tokens}", lambda row, tokens=tokens: row["visual_tokens"] in tokens
    first = rows()[0]
    yield "one cell", lambda row: row == first
    yield "all but one cell", lambda row: row != first and row["suite"] == first["suite"]


@pytest.mark.parametrize(("what", "of"), list(mixtures()))
@pytest.mark.parametrize("columns", [("error",), ("error", "score")], ids=["errors", "scores, too"])
def test_percentages_among_shares_are_a_problem(
    tmp_path: Path, what: str, of: Callable[[Row], bool], columns: tuple[str, ...]
) -> None:
    lines = told(tmp_path / "table.csv", in_percent(of, columns))
    assert any("suite = visual_reasoning: errors are both shares" in line for line in lines), what


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_in_percent_is_a_warning(tmp_path: Path, suite: str) -> None:
    changed = in_percent(lambda row: row["suite"] == suite, ("error", "score"))
    assert told(tmp_path / "table.csv", changed) == []
    (line,) = told(tmp_path / "table.csv", changed, Kind.WARNING)
    assert f"the errors of suite {suite} are" in line
    assert "divide percentages by 100" in line


@pytest.mark.parametrize("factor", [0.5, 3])
def test_losses_around_1_are_accepted(tmp_path: Path, factor: float) -> None:
    changed = rows()
    for row in changed:
        row.update(error=f"{factor * float(row['error']):g}" if row["error"] else "", score="")
    assert told(tmp_path / "table.csv", changed) == []
    assert told(tmp_path / "table.csv", rows(), Kind.WARNING) == []


@pytest.mark.parametrize("column", ["error", "score"])
def test_an_error_that_contradicts_its_score_is_a_problem(tmp_path: Path, column: str) -> None:
    used = [p for p, row in enumerate(rows()) if row["llm"] in LLMS and row["suite"] in SUITES]
    for place in [p for p in used if rows()[p]["error"]][::7]:
        changed = rows()
        changed[place][column] = "0.95"
        lines = told(tmp_path / "table.csv", changed)
        assert any("an error is 1 - score" in line for line in lines), changed[place]
