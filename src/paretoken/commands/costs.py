"""`paretoken costs`: gather parameters, FLOPs and latency of a trained study's cells in one table."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.errors import UserError
from paretoken.io.csv_files import Row
from paretoken.io.escape import shown
from paretoken.io.files import read_json
from paretoken.io.text_tables import counted
from paretoken.study.cell_costs import cost_row
from paretoken.study.contract import COST_COLUMNS
from paretoken.study.grid import Cell
from paretoken.study.measured import write_cell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--study-file", type=Path, required=True, help="study.json of the study: names and sizes"
    )
    parser.add_argument(
        "--cells",
        type=Path,
        nargs="+",
        required=True,
        help="folder of each cell: .../runs/LLM/COMPRESSOR-V/sSEED",
    )
    parser.add_argument("--out", type=Path, required=True, help="tables/costs.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Read the records of the cells, in the order of the grid, and write the table."""
    try:
        frozen = read_json(arguments.study_file)
        name, sizes = frozen["study"]["name"], {llm["name"]: llm["params_b"] for llm in frozen["llms"]}
        side, rows = int(frozen["vision"]["grid"]), list[Row]()
        # Models of a generated world are timed on the machine on which they answer.
        timed = bool((frozen.get("data") or {}).get("world"))
        numbers = [*sizes.values(), side]
        if not isinstance(name, str) or not all(isinstance(n, int | float) and n > 0 for n in numbers):
            raise ValueError("the name must be a text, and sizes must be numbers greater than 0")
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        complaint = (
            f"{arguments.study_file} is not a study of this version; make it with `paretoken study`"
        )
        raise UserError(f"{complaint} ({shown(error)})") from error
    for folder in arguments.cells:
        cell = Cell.of(folder)
        if cell.llm not in sizes:
            raise UserError(
                f"{folder}: {cell.llm} is not an llm of study {name}; give cells of one study"
            )
        trained = folder.parents[2] / Path(*cell.trained(side).folder(name).parts[-3:])
        rows.append(cost_row(name, cell, sizes[cell.llm], folder, trained, timed))
    write_cell(arguments.out, rows, COST_COLUMNS)
    print(f"costs of {counted(len(rows), 'cell')}")
