"""`paretoken study`: write a study's settings to a file, so that later steps do not read the config."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from paretoken.config.settings import checked
from paretoken.config.study import FrozenStudy
from paretoken.errors import UserError
from paretoken.io.files import write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--settings", required=True, metavar="JSON", help="the study and its records, as JSON"
    )
    parser.add_argument("--out", type=Path, required=True, help="study.json to write")


def run(arguments: argparse.Namespace) -> None:
    """Validate and write the settings."""
    try:
        raw = json.loads(arguments.settings)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(
            f"--settings is not JSON: {error}; give a study as JSON, as the workflow does"
        ) from error
    frozen = checked(raw, FrozenStudy, "--settings is not a study")
    write_json(arguments.out, frozen.model_dump(mode="json"))
