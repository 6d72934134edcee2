"""The Snakefile that `benchmarks/dry_run.py` compares planning with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bare_snakefile import jobs_of, write_bare
from project_copy import Jobs, Project

RULES = 40


@pytest.mark.parametrize("sources", [True, False])
def test_it_plans_the_same_jobs(fresh: Project, tmp_path: Path, sources: bool) -> None:
    real = fresh.dry_run("--config", "run=[published]")
    write_bare(tmp_path, real.text, RULES, sources)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run"]
    environment = os.environ | {"PYTHONPATH": str(fresh.folder / "src")}  # its own has empty files
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    bare = Jobs(done.stdout)
    assert bare.rules == real.rules
    assert bare.wildcards("tokens") == real.wildcards("tokens")
    assert (tmp_path / "Snakefile").read_text().count("\nrule ") == RULES
    inputs = [sum(len(job.inputs) for job in jobs_of(text)) for text in (real.text, bare.text)]
    assert (inputs[1] >= 0.9 * inputs[0]) == sources
