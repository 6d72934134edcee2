"""Which jobs each start of a folder has submitted: what SLURM's queue does not show is asked for.

A launch folder (see `paretoken.slurm.freeze`) has a line for each job that was submitted from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: In a launch folder.
FILE = ".submitted.tsv"


@dataclass(frozen=True)
class Submitted:
    """A job that some start has submitted: its number, mark and name, and its launch folder."""

    number: str
    mark: str
    name: str
    launch: Path


def note(job: Submitted) -> None:
    """Add a job to what its launch folder says."""
    with (job.launch / FILE).open("a", encoding="utf-8") as stream:
        stream.write("\t".join((job.number, job.mark, " ".join(job.name.split()))) + "\n")


def noted(launches: Path) -> Iterable[Submitted]:
    """Yield the jobs that the launch folders of a project tell of; a line cut short tells of none."""
    for folder in sorted(launches.glob("*")) if launches.is_dir() else []:
        try:
            lines = (folder / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            words = line.split("\t")
            if len(words) == 3 and words[0].isdecimal():
                yield Submitted(words[0], words[1], words[2], folder)
