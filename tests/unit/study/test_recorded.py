"""Tables that are kept of a trained study: written once, and believed only as they were written."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from paretoken.cli import main
from paretoken.config.config import load
from paretoken.errors import UserError
from paretoken.feasibility.examine import blocking, examine
from paretoken.study.grid import Cell, cells
from paretoken.study.recorded import RECORD, TABLES, Record, read_record, require_cells, save_record
from project_copy import ROOT

CELLS = [Cell(llm, "none", tokens, seed) for llm in ("a", "b") for tokens in (0, 4) for seed in (1, 2)]
SUITES = ("reasoning", "ocr")


def rows(name: str) -> list[dict[str, Any]]:
    """Return rows of a table, with something in every column."""
    found = []
    for cell in CELLS:
        names = ("llm", "compressor", "visual_tokens", "seed")
        own = dict(zip(names, (cell.llm, cell.compressor, cell.tokens, cell.seed), strict=True))
        if name == "errors":
            found += [own | {"suite": suite} for suite in SUITES]
        elif name != "text_length" or cell.tokens:
            found.append(own)
    return [dict.fromkeys(TABLES[name], "0.5") | {"study": "own"} | row for row in found]


def write_table(path: Path, found: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, found[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


def tables(folder: Path, **changed: list[dict[str, Any]]) -> dict[str, Path]:
    paths = {name: folder / f"{name}.csv" for name in TABLES}
    for name, path in paths.items():
        write_table(path, changed.get(name, rows(name)))
    return paths


def record(study: str = "own") -> Record:
    return Record(study, "2026-11-30", "snakemake", [("Seeds of cells", "1, 2")], {})


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    save_record(folder, record(), tables(tmp_path / "made"))
    return folder


def test_what_was_kept_is_what_comes_back(kept: Path, tmp_path: Path) -> None:
    found = require_cells(kept, "own", CELLS, SUITES)
    assert (found.study, found.date, found.command) == ("own", "2026-11-30", "snakemake")
    assert [tuple(fact) for fact in found.facts] == [("Seeds of cells", "1, 2")]
    assert {*found.tables} == {*TABLES}
    for name in TABLES:
        assert (kept / f"{name}.csv").read_bytes() == (tmp_path / "made" / f"{name}.csv").read_bytes()


def test_other_tables_never_overwrite_a_record(kept: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    save_record(kept, record(), tables(tmp_path / "again"))  # the same tables: nothing to do
    other = [row | {"error": "0.25"} for row in rows("errors")]
    with pytest.raises(UserError, match="holds the tables of another run"):
        save_record(kept, record(), tables(tmp_path / "other", errors=other))
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_a_column_is_not_recorded(tmp_path: Path, name: str) -> None:
    last = TABLES[name][-1]
    lacking = [{key: value for key, value in row.items() if key != last} for row in rows(name)]
    with pytest.raises(UserError, match=last):
        save_record(tmp_path / "kept", record(), tables(tmp_path / "made", **{name: lacking}))
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_was_edited_or_removed_is_noticed(kept: Path, name: str) -> None:
    path = kept / f"{name}.csv"
    content = path.read_text()
    path.write_text(content.replace("0.5", "0.4", 1))
    with pytest.raises(UserError, match=f"{name}.csv is not the table that record.json is about"):
        read_record(kept)
    path.unlink()
    with pytest.raises(UserError, match=f"{name}.csv"):
        read_record(kept)


def test_a_damaged_record_is_refused(kept: Path) -> None:
    path = kept / RECORD
    good = json.loads(path.read_text())
    for key in good:
        for value in (None, 5, [], {}, [["x"]], [[1, 2]], {"other": "x"}, {"errors": 5}, True):
            path.write_text(json.dumps(good | {key: value}))
            if key == "facts" and value in ([], {}):
                read_record(kept)
                continue
            with pytest.raises(UserError):
                read_record(kept)
        path.write_text(json.dumps({name: value for name, value in good.items() if name != key}))
        with pytest.raises(UserError, match="is not the record of a study"):
            read_record(kept)
    for text in ("", "[]", "{"):
        path.write_text(text)
        with pytest.raises(UserError):
            read_record(kept)


def test_tables_of_other_cells_suites_or_studies_are_refused(kept: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lacks 0 of the 7 cells of the study own, and has 1 other;"):
        require_cells(kept, "own", CELLS[:-1], SUITES)
    with pytest.raises(UserError, match="lacks 1 of the 9 cells"):
        require_cells(kept, "own", [*CELLS, Cell("c", "none", 4, 1)], SUITES)
    with pytest.raises(UserError, match="each of the suites reasoning, ocr, third"):
        require_cells(kept, "own", CELLS, [*SUITES, "third"])
    with pytest.raises(UserError, match="tables of the study own, not of other"):
        require_cells(kept, "other", CELLS, SUITES)
    with pytest.raises(UserError, match="paretoken record --study own"):
        require_cells(tmp_path / "nowhere", "own", CELLS, SUITES)
    for name in TABLES:
        folder = tmp_path / f"without-{name}"
        save_record(folder, record(), tables(tmp_path / f"made-{name}", **{name: rows(name)[:-1]}))
        with pytest.raises(UserError, match=f"{name}.csv"):
            require_cells(folder, "own", CELLS, SUITES)


def test_an_invalid_count_of_tokens_is_refused(tmp_path: Path) -> None:
    wrong = [row | {"visual_tokens": "4.5"} for row in rows("costs")]
    save_record(tmp_path / "kept", record(), tables(tmp_path / "made", costs=wrong))
    with pytest.raises(UserError, match="visual_tokens"):
        require_cells(tmp_path / "kept", "own", CELLS, SUITES)


def test_a_study_without_a_record_stops_the_run_that_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("config.yaml", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    config = load(Path("config.yaml"))
    asked = config.model_copy(update={"run": ["measured/miniature"]})
    (found,) = blocking(asked, examine(asked))
    assert "results/measured/miniature holds no recorded tables" in str(found)
    assert not blocking(config, examine(config))
    assert main(["record", "--study", "published"]) == 2
    assert "published trains no models" in capsys.readouterr().err
    assert main(["record", "--study", "miniature"]) == 2
    assert "results/miniature/tables/errors.csv" in capsys.readouterr().err


def test_tables_of_other_cells_are_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("config.yaml", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    tables(Path("results", "miniature", "tables"))
    assert main(["record", "--study", "miniature"]) == 2
    assert "of the 21 cells of the study miniature" in capsys.readouterr().err
    assert not Path("results", "measured").exists()


def test_the_records_of_this_repository_are_those_of_its_config() -> None:
    config = load(ROOT / "config.yaml")
    kept = [path.parent for path in (ROOT / "results" / "measured").glob(f"*/{RECORD}")]
    assert kept
    for folder in kept:
        study = config.study(folder.name)
        suites = [suite.name for suite in study.suites]
        require_cells(folder, study.name, cells(study), suites)
