"""A study from nothing to its summary through SLURM, with GPUs asked for: what a local run makes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from lab import Lab, wait
from projects import Folder

from project_copy import Project, copy_project
from smoke_study import SOURCES, STUDY, write_recipes

#: Two cells of one size, which no law is fitted to: each job is one more start of everything.
SMALL = STUDY | {
    "llms": ["miniature-16"],
    "training": {key: value for key, value in STUDY["training"].items() if key != "blind"},
    "fit": {"laws": []},
    "figures": [],
    "claims": [],
}
#: Without what a machine measures: seconds.
COMPARED = ("errors", "scores", "methods", "comparisons")


def copy_project_with(folder: Path) -> Path:
    folder.mkdir()
    copy_project(folder)
    write_recipes(folder)
    used = [record for record in SOURCES["llms"] if record["name"] in SMALL["llms"]]
    llms = [record | {"gpus": {"pretrain": 1, "finetune": 2, "predict": 1}} for record in used]
    content = {"run": ["smoke"], "studies": [SMALL], **SOURCES, "llms": llms}
    (folder / "smoke.yaml").write_text(yaml.safe_dump(content))
    return folder


def sources_that(project: Folder, word: str) -> list[dict[str, Any]]:
    """Return the sources that are in a state, as `paretoken status` says."""
    states = project.status("smoke", "smoke.yaml")["sources"].values()
    return [state for state in states if state["state"] == word]


def words_of(project: Folder) -> set[str]:
    """Return the states of all stages of all cells."""
    found = project.status("smoke", "smoke.yaml")["cells"]
    return {state["state"] for cell in found for state in cell["stages"].values()}


def test_a_study_on_the_cluster_makes_what_a_local_run_makes(
    lab: Lab, tmp_path: Path, warm: str
) -> None:
    local, remote = copy_project_with(tmp_path / "local"), copy_project_with(tmp_path / "remote")
    project = Folder(remote, lab)
    project.write_profile(jobs=6)
    with lab.closed():
        driver = project.start("--configfile", "smoke.yaml")
        waiting = wait(lambda: sources_that(project, "queued"), 240)
    assert all(re.fullmatch(r"SLURM job \d+ waits: \S+", source["reason"]) for source in waiting)
    done = Project(local, warm).snakemake("--configfile", "smoke.yaml")
    assert done.returncode == 0, done.stderr
    said = driver.end()
    for name in COMPARED:
        table = Path("results", "smoke", "tables", f"{name}.csv")
        assert (remote / table).read_text() == (local / table).read_text(), name
    assert (remote / "results/smoke/summary.md").exists()

    jobs = {job["name"]: job for job in lab.jobs() if str(remote) in job["folder"]}
    assert words_of(project) == {"done"}
    assert {job["state"] for job in jobs.values()} == {"COMPLETED"}
    assert jobs["finetune miniature-16 average_pool-4 s3"]["gpus"] == "gres:gpu:h100:2"
    assert jobs["pretrain miniature-16 average_pool-1 s3"]["gpus"] == "gres:gpu:h100:1"
    assert jobs["tokenize s3 pretrain world"]["gpus"] == "N/A"

    # Small jobs are submitted together: the scores of a cell; tables and pages of the study.
    steps = re.search(r"^(\d+) of \1 steps", said, flags=re.MULTILINE)
    assert steps is not None
    assert said.count("has been submitted with SLURM jobid") < int(steps[1]) * 2 / 3
    assert list(remote.glob("results/slurm-logs/group_*/*.log"))
