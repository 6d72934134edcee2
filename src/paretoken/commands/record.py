"""`paretoken record`: save the tables of a trained study, so that it need not be trained again."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from paretoken.config.config import load
from paretoken.errors import UserError
from paretoken.io.text_tables import counted
from paretoken.report.provenance import read_runs, training_facts
from paretoken.study.grid import cells
from paretoken.study.paths import results, trained_folder
from paretoken.study.recorded import TABLES, Record, record_folder, require_tables, save_record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--study", required=True, metavar="NAME", help="name of the study in the config")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="the config file")
    parser.add_argument(
        "--made-by", help="command line that trained the study; else the usual one of Snakemake"
    )
    parser.add_argument(
        "--note", help="further information on the run, such as other work on the machine"
    )
    parser.add_argument("--out", type=Path, help="folder to write; else results/measured/STUDY")


def run(arguments: argparse.Namespace) -> None:
    """Write the tables with their provenance; other tables are never overwritten."""
    a = arguments
    frozen = load(a.config).freeze(a.study)
    study = frozen.study
    if study.training is None:
        raise UserError(
            f"--study: {a.study} trains no models: its errors are in {study.measured}; give a study "
            "that trains models"
        )
    folder = results(study.name) / "tables"
    names = [name for name in TABLES if name != "text_length" or study.training.lengthened]
    tables = {name: folder / f"{name}.csv" for name in names}
    missing = [str(path) for path in tables.values() if not path.exists()]
    if missing:
        raise UserError(f"missing tables: {', '.join(missing)}; let the study finish (`snakemake`)")
    grid = cells(study)
    runs = read_runs(list(dict.fromkeys(trained_folder(frozen, cell) for cell in grid)))
    facts = [("Seeds of cells", ", ".join(map(str, study.seeds))), *training_facts(runs)]
    facts += [("Note", a.note)] if a.note else []
    command = a.made_by or f"snakemake --cores all --config 'run=[{study.name}]'"
    out = a.out or record_folder(study.name)
    date = datetime.now(UTC).date().isoformat()
    require_tables(tables, study.name, grid, [suite.name for suite in study.suites])
    save_record(out, Record(study.name, date, command, facts, {}), tables)
    print(f"{out}: {', '.join(tables)} of {counted(len(grid), 'cell')}")
