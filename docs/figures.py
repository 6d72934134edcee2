"""Redraw the figures that README and docs show, from tables that are in the repository: `make figures`.

What is shown and where it comes from: figures.yaml. All tables, fits and reports of these studies are
made beside the figures; numbers.yaml lists the numbers that pages quote.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent


def main() -> int:
    """Analyse all tables in the repository, and copy figures; return Snakemake's exit code."""
    shown = yaml.safe_load((FOLDER / "figures.yaml").read_text(encoding="utf-8"))
    recorded = sorted((FOLDER.parent / "results" / "measured").glob("*/record.json"))
    studies = ",".join(["published", *(f"measured/{path.parent.name}" for path in recorded)])
    command = [sys.executable, "-m", "snakemake", *sys.argv[1:], "--config", f"run=[{studies}]"]
    code = subprocess.run(command, cwd=FOLDER.parent, check=False).returncode
    for entry in shown if code == 0 else []:
        shutil.copyfile(FOLDER.parent / entry["from"], FOLDER / entry["figure"])
        print(f"docs/{entry['figure']} is {entry['from']}")
    return code


if __name__ == "__main__":
    sys.exit(main())
