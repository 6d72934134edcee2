"""A copy of the project to run and to edit: workflow, configuration and source."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("Snakefile", "config.yaml", "workflow", "profiles", "envs", "src", "constraints.txt")


@dataclass(frozen=True)
class Project:
    """A runnable copy of the project."""

    folder: Path
    #: What Snakemake, and what its jobs run: this one, or one that starts warm.
    python: str = sys.executable

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the copy, with the copy's own source."""
        running = self.start(*arguments)
        output, complaint = running.communicate()
        return subprocess.CompletedProcess(running.args, running.returncode, output, complaint)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake in a process group of its own."""
        return subprocess.Popen(
            [self.python, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @contextmanager
    def with_added(self, path: str, line: str) -> Iterator[None]:
        """Have one more line at the end of a file, for a while."""
        file = self.folder / path
        original = file.read_text()
        file.write_text(f"{original}{line}\n")
        try:
            yield
        finally:
            file.write_text(original)

    def dry_run(self, *arguments: str) -> Jobs:
        """Return the jobs that would run."""
        done = self.snakemake("--dry-run", *arguments)
        assert done.returncode == 0, done.stderr
        return Jobs(done.stdout)


@dataclass(frozen=True)
class Jobs:
    """The jobs of a dry run, read from its output."""

    text: str

    @property
    def rules(self) -> Counter[str]:
        """How often each rule would run."""
        return Counter(re.findall(r"^(?:local)?rule (\w+):$", self.text, flags=re.MULTILINE))

    def wildcards(self, name: str) -> Counter[str]:
        """How often each value of a wildcard occurs among the cells."""
        cells = re.findall(r"^    wildcards: (.*compressor=.*)$", self.text, flags=re.MULTILINE)
        return Counter(dict(pair.split("=") for pair in c.split(", "))[name] for c in cells)


def copy_project(folder: Path, python: str = sys.executable) -> Project:
    """Copy the project into a folder, to be run by a Python."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return Project(folder, python)
