"""`paretoken study`: a study's settings as a file, so that nothing downstream rereads the config."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pydantic import ValidationError

from paretoken.config import FrozenStudy
from paretoken.errors import UserError
from paretoken.files import write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", required=True, help="the study and its records, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="study.json to write")


def run(arguments: argparse.Namespace) -> None:
    """Check and write the settings."""
    try:
        frozen = FrozenStudy.model_validate(json.loads(arguments.json))
    except (json.JSONDecodeError, ValidationError) as error:
        raise UserError(f"--json is no study: {error}") from error
    write_json(arguments.out, frozen.model_dump(mode="json"))
