"""A copy of the project to run and to edit: workflow, configuration and source."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from smoke_study import write_smoke

ROOT = Path(__file__).parents[2]
COPIED = ("Snakefile", "config.yaml", "workflow", "profiles", "envs", "src", "constraints.txt")

#: A study of six cells and one law: everything that the full one has, in seconds.
SMALL = """
run: [small]
studies:
  - name: small
    question: Does a small study run?
    measured: workflow/reference/published_errors.csv
    vision: clip-vit-l-14-336
    llms: [qwen1.5-0.5b, qwen1.5-4b, qwen1.5-7b]
    compressors: [{name: tokenpacker, tokens: [1, 16, 576]}]
    suites: [{name: visual_reasoning, title: Visual reasoning, role: reasoning}]
    predict: [qwen1.5-14b]
    text_tokens: [0, 50]
    fit: {laws: [product], bootstrap: 20}
    figures: [fig1a]
    published: {values: workflow/reference/published_values.csv}
    claims: [five_times_faster, visual_alpha]
"""


@dataclass(frozen=True)
class Project:
    """A runnable copy of the project."""

    folder: Path

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the copy, with the copy's own source."""
        running = self.start(*arguments)
        output, complaint = running.communicate()
        return subprocess.CompletedProcess(running.args, running.returncode, output, complaint)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

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


def _copy(folder: Path) -> Project:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return Project(folder)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which nothing has run."""
    return _copy(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which the small study has run."""
    project = _copy(tmp_path_factory.mktemp("finished"))
    (project.folder / "small.yaml").write_text(SMALL)
    done = project.snakemake("--configfile", "small.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture(scope="module")
def smoke_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with the smoke study's config and recipes, in which nothing has run."""
    project = _copy(tmp_path_factory.mktemp("smoke"))
    write_smoke(project.folder)
    return project
