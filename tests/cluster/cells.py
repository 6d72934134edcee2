"""A workflow of cells that do what a test wants, and a table of them: no models, seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import Lab
from projects import Folder

#: `cell.sh NAME` decides what a cell does; `starts` says that it began, and `ends` that it ended.
SNAKEFILE = """
from pathlib import Path
from paretoken.jobs.driver import take_over

configfile: "config.yaml"

if not workflow.dryrun and workflow.is_main_process:
    DRIVER_LOCK = take_over(Path(".snakemake"))

rule table:
    input: expand("results/toy/cells/{name}.txt", name=config["cells"])
    output: "results/toy/table.txt"
    log: "results/toy/logs/table.log"
    localrule: True
    shell: "cat {input} > {output}"

rule cell:
    output: "results/toy/cells/{name}.txt"
    log: "results/toy/logs/{name}.log"
    resources:
        gpus=lambda wildcards: config["cells"][wildcards.name].get("gpus", 1),
        cpus=lambda wildcards: config["cells"][wildcards.name].get("cpus", 1),
        slurm_partition=lambda wildcards: config["cells"][wildcards.name].get("partition", ""),
        mem_mb=lambda wildcards, attempt: attempt * config["cells"][wildcards.name].get("mem_mb", 700),
        runtime=lambda wildcards, attempt: attempt * config["cells"][wildcards.name].get("runtime", 10),
    params:
        value=lambda wildcards: config["cells"][wildcards.name].get("value", 1),
    shell: "bash cell.sh {wildcards.name} {params.value} {output} > {log} 2>&1"
"""
CELL = """
name=$1 value=$2 out=$3 notes=results/toy/notes/$1
mkdir -p results/toy/notes
echo "$SLURM_JOB_ID $(date +%s.%N)" >> $notes.starts
times=$(wc -l < $notes.starts)
{commands}
mkdir -p "$(dirname "$out")"  # a driver that ends removes folders that are empty
echo "$name $value" > $out
echo "$SLURM_JOB_ID $(date +%s.%N)" >> $notes.ends
"""


class Cells(Folder):
    """A project of such cells."""

    def __init__(self, path: Path, lab: Lab, cells: Mapping[str, Any], commands: str) -> None:
        super().__init__(path, lab)
        path.mkdir(parents=True)
        (path / "Snakefile").write_text(SNAKEFILE)
        self.write_cells(cells)
        self.write_commands(commands)
        self.write_profile(groups=None)

    def write_cells(self, cells: Mapping[str, Any]) -> None:
        """Write which cells there are, and what they ask for."""
        import yaml

        (self.path / "config.yaml").write_text(yaml.safe_dump({"cells": dict(cells)}))

    def write_commands(self, commands: str) -> None:
        """Write what a cell does: shell lines, with ``$name`` and ``$times`` (1 at its first start)."""
        (self.path / "cell.sh").write_text(CELL.replace("{commands}", commands))

    def table(self) -> list[str]:
        """Return the lines of the table."""
        return (self.path / "results" / "toy" / "table.txt").read_text().splitlines()

    def starts(self, name: str) -> list[str]:
        """Return the numbers of the SLURM jobs that began a cell."""
        return self._notes(f"{name}.starts")

    def ends(self, name: str) -> list[str]:
        """Return the numbers of the SLURM jobs that ended a cell."""
        return self._notes(f"{name}.ends")

    def note(self, name: str) -> str:
        """Return what a cell wrote into its own note."""
        return (self.path / "results" / "toy" / "notes" / name).read_text()

    def jobs_alive(self) -> list[str]:
        """Return the numbers of this project's jobs that wait or run."""
        alive = ("PENDING", "RUNNING", "CONFIGURING", "SUSPENDED")
        jobs = [job for job in self.lab.jobs() if job["folder"].startswith(str(self.path))]
        return [job["id"] for job in jobs if job["state"] in alive]

    def log(self, name: str) -> str:
        """Return the log of a cell's rule."""
        return (self.path / "results" / "toy" / "logs" / f"{name}.log").read_text()

    def _notes(self, name: str) -> list[str]:
        path = self.path / "results" / "toy" / "notes" / name
        return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []
