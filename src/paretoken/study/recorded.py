"""Tables of studies that were trained once and are kept: ``results/measured/STUDY``.

``measured/STUDY`` under ``run:`` makes fits, figures and pages from them without training, in the same
folder. Plain `csv`, as in `measured`: no pandas and no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paretoken.config.runs import PREFIX
from paretoken.errors import UserError
from paretoken.io.csv_tables import number_in, table_rows
from paretoken.io.escape import shown
from paretoken.io.files import read_object, sha256, write_json, write_text
from paretoken.io.ranges import LARGEST_SEED, MOST_TOKENS
from paretoken.io.text_tables import counted
from paretoken.study.contract import COST_COLUMNS, ERROR_COLUMNS, SCORE_COLUMNS, TEXT_LENGTH_COLUMNS
from paretoken.study.grid import Cell
from paretoken.study.paths import results

RECORD = "record.json"
#: Tables of a record and their columns. The last is of studies with lengthened questions only.
TABLES = {
    "errors": ERROR_COLUMNS,
    "scores": SCORE_COLUMNS,
    "costs": COST_COLUMNS,
    "text_length": TEXT_LENGTH_COLUMNS,
}
#: What to do about a record of other cells.
AGAIN = "take the config of the recorded run, or train the study and record it again"
Facts = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Record:
    """Where recorded tables come from.

    Attributes:
        study: the name of the study.
        date: on which they were recorded, YYYY-MM-DD.
        command: that made them.
        facts: names and values, for people: seeds, machine, commit, versions, what it took.
        tables: name -> SHA-256 of the file.
    """

    study: str
    date: str
    command: str
    facts: Facts
    tables: Mapping[str, str]


def record_folder(study: str) -> Path:
    """Return where the tables of a study are recorded, relative to the project."""
    return results(PREFIX + study)


def save_record(folder: Path, record: Record, tables: Mapping[str, Path]) -> None:
    """Write tables and their record into a folder; the record comes last.

    Args:
        folder: to write.
        record: where the tables come from; their hashes are added.
        tables: the file of each table.

    Raises:
        UserError: the folder holds other tables already, or a table cannot be read or lacks a column.
    """
    hashes = {name: sha256(path) for name, path in tables.items()}
    for name, path in tables.items():
        table_rows(path, TABLES[name])
    if (folder / RECORD).exists():
        if dict(read_record(folder).tables) == hashes:
            return
        raise UserError(
            f"{folder} holds the tables of another run; choose another --out, or delete that folder"
        )
    for name, path in tables.items():
        write_text(folder / f"{name}.csv", path.read_text(encoding="utf-8"))
    content = asdict(record) | {"tables": hashes}
    write_json(folder / RECORD, content)


def read_record(folder: Path) -> Record:
    """Return the record of a folder.

    Raises:
        UserError: there is none, it is damaged, or a table is not the one that was recorded.
    """
    path = folder / RECORD
    content = read_object(path)
    try:
        texts = [content[key] for key in ("study", "date", "command")]
        facts = [(name, value) for name, value in content["facts"]]
        tables = dict(content["tables"])
        everything: list[Any] = [*texts, *(word for fact in facts for word in fact), *tables.values()]
        known = {"errors"} <= {*tables} <= {*TABLES}
        if not known or not all(isinstance(word, str) for word in everything):
            raise ValueError("a value has the wrong type, or a table is unknown")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not the record of a study ({shown(error)})") from error
    for name, expected in tables.items():
        if sha256(folder / f"{name}.csv") != expected:
            raise UserError(
                f"{folder / name}.csv is not the table that {path.name} is about (its SHA-256 differs); "
                "restore the file, for example with git"
            )
    study, date, command = texts
    return Record(study, date, command, facts, tables)


def require_cells(folder: Path, study: str, cells: Iterable[Cell], suites: Sequence[str]) -> Record:
    """Return a record, if its tables are of the cells and suites that the config names.

    Raises:
        UserError: the record is of another study, or a table lacks cells or has others.
    """
    if not (folder / RECORD).exists():
        raise UserError(
            f"{folder} holds no recorded tables; train the study {study}, then run `paretoken record "
            f"--study {study}`"
        )
    record = read_record(folder)
    if record.study != study:
        raise UserError(f"{folder} holds tables of the study {record.study}, not of {study}")
    require_tables({name: folder / f"{name}.csv" for name in record.tables}, study, cells, suites)
    return record


def require_tables(
    tables: Mapping[str, Path], study: str, cells: Iterable[Cell], suites: Sequence[str]
) -> None:
    """Check that tables are of the cells and suites that the config names.

    Args:
        tables: the file of each table.
        study: the name of the study.
        cells: all cells of its grid.
        suites: the names of its suites.

    Raises:
        UserError: a table cannot be read or lacks a column, or lacks cells or has others.
    """
    grid = {*cells}
    seeing = {cell for cell in grid if cell.tokens}  # questions are lengthened for these only
    for name, path in tables.items():
        rows = table_rows(path, TABLES[name])
        of_rows = [_cell(path, row) for row in rows]
        found, wanted = {*of_rows}, seeing if name == "text_length" else grid
        if found != wanted:
            raise UserError(
                f"{path} lacks {len(wanted - found)} of the {counted(len(wanted), 'cell')} of the study "
                f"{study}, and has {counted(len(found - wanted), 'other')}; {AGAIN}"
            )
        if name == "errors":
            pairs = {(cell, row["suite"]) for cell, row in zip(of_rows, rows, strict=True)}
            if pairs != {(cell, suite) for cell in grid for suite in suites}:
                wrong = f"does not have each cell with each of the suites {', '.join(suites)}"
                raise UserError(f"{path} {wrong}; {AGAIN}")


def _cell(path: Path, row: Mapping[str, str]) -> Cell:
    most = {"visual_tokens": MOST_TOKENS, "seed": LARGEST_SEED}
    tokens, seed = (
        int(number_in(str(path), row, name, least=0, most=limit, whole=True))
        for name, limit in most.items()
    )
    return Cell(row["llm"], row["compressor"], tokens, seed)
