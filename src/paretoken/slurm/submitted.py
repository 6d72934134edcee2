"""Records of submitted jobs, by which a later driver finds those that SLURM's queue does not show.

A launch folder (see `paretoken.slurm.freeze`) has a file with a line for each job submitted from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: The file in a launch folder.
FILE = ".submitted.tsv"


@dataclass(frozen=True)
class Submitted:
    """A submitted job: its number, mark and name, and its launch folder."""

    number: str
    mark: str
    name: str
    launch: Path


def record_submission(job: Submitted) -> None:
    """Append a job to the record in its launch folder."""
    with (job.launch / FILE).open("a", encoding="utf-8") as stream:
        stream.write("\t".join((job.number, job.mark, " ".join(job.name.split()))) + "\n")


def read_submissions(launches: Path) -> Iterable[Submitted]:
    """Yield the jobs that the launch folders of a project record; truncated lines are skipped."""
    for folder in sorted(launches.glob("*")) if launches.is_dir() else []:
        try:
            lines = (folder / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            words = line.split("\t")
            if len(words) == 3 and words[0].isdecimal():
                yield Submitted(words[0], words[1], words[2], folder)
