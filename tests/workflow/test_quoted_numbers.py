"""Numbers that README and docs quote are those that the workflow computes from recorded tables."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from project_copy import ROOT, Project, copy_project

QUOTED = yaml.safe_load((ROOT / "docs" / "numbers.yaml").read_text())
SHOWN = yaml.safe_load((ROOT / "docs" / "figures.yaml").read_text())
#: What needs no number of a run, or is drawn by hand.
NOT_DRAWN = {"explorer.png"}


def value_in(results: Path, file: str, *keys: str) -> Any:
    """Return a value of a JSON file, or of a column in the rows of a CSV that have some values."""
    path = results / file
    if path.suffix == ".json":
        found = json.loads(path.read_text())
        for key in keys:
            found = found[key]
        return found
    table, (column, *wanted) = pd.read_csv(path), keys
    for name, _, value in (each.partition("=") for each in wanted):
        table = table[table[name].astype(str) == value]
    if column.startswith("mean "):
        assert len(table) > 1, (file, keys)
        return table[column.removeprefix("mean ")].mean()
    assert len(table) == 1, (file, keys)
    return table[column].iloc[0]


def as_one_line(text: str) -> str:
    return " ".join(text.split())


def stated(entry: dict[str, Any], results: Path) -> str:
    """Return a statement with its values; "4.3 %", as pages write it, not "4.3%"."""
    text = entry["text"].format(*(value_in(results, *value) for value in entry["values"]))
    return re.sub(r"(?<=\d)%", " %", text)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Project:
    """A copy in which everything that is quoted or shown was computed from recorded tables."""
    project = copy_project(tmp_path_factory.mktemp("quoted"), warm)
    shutil.copytree(
        ROOT / "results" / "measured",
        project.folder / "results" / "measured",
        ignore=lambda folder, names: (
            [n for n in names if Path(folder, n).suffix == ""]
            if Path(folder).parent.name == "measured"
            else []
        ),
    )
    shutil.copytree(ROOT / "docs", project.folder / "docs")
    quoted = [f"results/{value[0]}" for entry in QUOTED for value in entry["values"]]
    wanted = dict.fromkeys([*(entry["from"] for entry in SHOWN), *quoted])
    done = project.snakemake(*(name for name in wanted if not (project.folder / name).exists()))
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.mark.slow
def test_numbers_on_pages_are_those_that_are_computed(computed: Project) -> None:
    pages = {entry["page"]: as_one_line((ROOT / entry["page"]).read_text()) for entry in QUOTED}
    sentences = [(entry["page"], stated(entry, computed.folder / "results")) for entry in QUOTED]
    assert [found for found in sentences if as_one_line(found[1]) not in pages[found[0]]] == []


@pytest.mark.slow
def test_figures_on_pages_can_be_redrawn(computed: Project) -> None:
    for entry in SHOWN:
        assert (computed.folder / entry["from"]).stat().st_size > 10_000
    pictures = {path.name for path in (ROOT / "docs").glob("*.png")}
    assert pictures == {entry["figure"] for entry in SHOWN} | NOT_DRAWN


def test_a_page_with_another_number_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "fit.json").write_text('{"a": {"b": 0.1234}}')
    (tmp_path / "table.csv").write_text("name,value\nx,1.5\ny,2.5\n")
    entry = {
        "text": "{0:.1%} and {1:.2f}",
        "values": [["fit.json", "a", "b"], ["table.csv", "value", "name=y"]],
    }
    assert stated(entry, tmp_path) == "12.3 % and 2.50"
    assert value_in(tmp_path, "table.csv", "mean value") == 2.0
    with pytest.raises(AssertionError):
        value_in(tmp_path, "table.csv", "value")  # of which row?
    with pytest.raises(AssertionError):
        value_in(tmp_path, "table.csv", "mean value", "name=x")
