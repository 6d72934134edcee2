"""`paretoken check`: check that every study can be run, or write the config's schema for editors."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from paretoken.config.config import json_schema, load
from paretoken.feasibility.examine import examine, problems_of, raise_for_findings
from paretoken.feasibility.findings import Kind
from paretoken.io.files import write_text
from paretoken.io.text_tables import counted
from paretoken.study.grid import cells


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="the config file")
    parser.add_argument(
        "--write-schema", type=Path, metavar="FILE", help="write the JSON schema of the config instead"
    )


def run(arguments: argparse.Namespace) -> None:
    """Check the config and print warnings and its studies; or write the schema."""
    if arguments.write_schema:
        write_text(arguments.write_schema, schema_text())
        return
    config = load(arguments.config)
    findings = examine(config)
    for warning in dict.fromkeys(str(f) for f in findings if f.kind == Kind.WARNING):
        print(f"warning: {warning}", file=sys.stderr)
    raise_for_findings(problems_of(findings), str(arguments.config))
    for study in config.studies:
        runs = "runs" if study.name in config.run else "not under `run:`"
        laws = ", ".join(study.fit.laws) or "no law: compares methods"
        grid, suites = counted(len(cells(study)), "cell"), counted(len(study.suites), "suite")
        print(f"{study.name} ({runs}): {grid} x {suites}; {laws}")


def schema_text() -> str:
    """Return the content of workflow/schemas/config.schema.json."""
    return json.dumps(json_schema(), indent=2) + "\n"
