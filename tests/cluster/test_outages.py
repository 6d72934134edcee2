"""SLURM away, at the worst moments; Ctrl-C; questions that are never answered."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cells import Cells
from lab import Lab, wait

Make = Callable[..., Cells]
UNTIL_LET = "while [ ! -e results/toy/let ]; do sleep 0.2; done"
#: A command of SLURM's that fails as long as a file is there; else it is the real one.
FAILING = """#!/bin/bash
if [ -e {folder}/fail-{name} ]; then cat {folder}/fail-{name} >&2; exit 1; fi
exec {real} "$@"
"""


@pytest.fixture
def failing(lab: Lab, tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Return how to let a command fail with a message; an empty one lets it work again."""
    folder = tmp_path / "commands"
    folder.mkdir()
    for name in ("squeue", "sbatch", "sinfo"):
        script = folder / name
        script.write_text(FAILING.format(folder=folder, name=name, real=shutil.which(name)))
        script.chmod(0o755)
    lab.first_on_path = folder

    def fail(name: str, said: str) -> None:
        note = folder / f"fail-{name}"
        note.write_text(said) if said else note.unlink(missing_ok=True)

    yield fail
    lab.first_on_path = None


#: What a submission may be told for a while; the table of refusals has a unit test for each line.
PASSING = "sbatch: error: Batch job submission failed: Unexpected message received"


def test_refusals_that_pass_are_waited_for(
    lab: Lab, make_cells: Make, failing: Callable[[str, str], None]
) -> None:
    project = make_cells(lab, {"a": {"gpus": 0}, "b": {"gpus": 0}})
    project.write_profile(groups=None, retries=0)
    failing("squeue", "slurm_load_jobs error: Protocol authentication error")
    driver = project.start("-j2")
    driver.says(
        "Waiting for SLURM to answer: squeue: slurm_load_jobs error: Protocol authentication error"
    )
    failing("sbatch", PASSING)
    failing("squeue", "")
    driver.says(f"cell a: {PASSING}. It is submitted again in 1 s")
    driver.says("again in 2 s")
    failing("sbatch", "")
    driver.end()
    assert project.table() == ["a 1", "b 1"]
    assert {name: len(project.starts(name)) for name in "ab"} == {"a": 1, "b": 1}


#: An sbatch whose first two submissions are accepted and not answered: it times out, and it is killed.
FORGETFUL = """#!/bin/bash
case "$*" in *--test-only*) exec {real} "$@" ;; esac
{real} "$@" || exit 1
if [ ! -e {folder}/first ]; then
    touch {folder}/first; echo "sbatch: error: Socket timed out" >&2; exit 1
fi
if [ ! -e {folder}/second ]; then touch {folder}/second; kill -9 $$; fi
"""


def test_a_submission_whose_answer_is_lost_is_not_repeated(
    lab: Lab, make_cells: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "commands"
    folder.mkdir()
    (folder / "sbatch").write_text(FORGETFUL.format(folder=folder, real=shutil.which("sbatch")))
    (folder / "sbatch").chmod(0o755)
    cells = {name: {"gpus": 0} for name in "abc"}
    project = make_cells(lab, cells, "sleep 5")
    project.write_profile(groups=None, retries=0)
    lab.first_on_path = folder
    try:
        project.start("-j3").end()
    finally:
        lab.first_on_path = None
    assert project.table() == ["a 1", "b 1", "c 1"]
    assert {name: len(project.starts(name)) for name in cells} == dict.fromkeys(cells, 1)


def test_a_question_that_is_never_answered_ends_the_run_and_the_jobs_go_on(
    lab: Lab, make_cells: Make, failing: Callable[[str, str], None]
) -> None:
    project = make_cells(lab, {"a": {"gpus": 0}}, UNTIL_LET)
    driver = project.start()
    wait(lambda: project.starts("a"), 240)
    failing("squeue", "squeue: unrecognized option '--me'")
    said = driver.fail()
    assert "SLURM cannot be queried about its jobs: squeue: unrecognized option '--me'" in said
    assert "its jobs continue" in said
    said = project.start().fail()
    assert "SLURM's queue cannot be queried: squeue: unrecognized option '--me'" in said
    failing("squeue", "")
    (project.path / "results" / "toy" / "let").touch()
    project.start().end()
    assert len(project.starts("a")) == 1


def test_ctrl_c_cancels_what_runs_waits_and_is_being_submitted(lab: Lab, make_cells: Make) -> None:
    cells = {name: {"gpus": 4} for name in "abcdef"}
    project = make_cells(lab, cells, UNTIL_LET)
    driver = project.start("-j6")
    wait(lambda: any(project.starts(name) for name in cells), 240)
    driver.interrupt()
    said = driver.fail()
    assert "Traceback" not in said
    assert project.jobs_alive() == []


def test_ctrl_c_twice_while_slurm_is_away_lists_what_goes_on(lab: Lab, make_cells: Make) -> None:
    project = make_cells(lab, {"a": {"gpus": 0}}, UNTIL_LET)
    driver = project.start()
    wait(lambda: project.starts("a"), 240)
    (number,) = project.starts("a")
    lab.leave("slurmctld")
    try:
        driver.interrupt()
        driver.says("Jobs cannot be cancelled yet")
        driver.interrupt()
        said = driver.fail()
    finally:
        lab.restart("slurmctld")
    assert "Traceback" not in said
    assert f"{number} (cell a)" in said
    assert f"scancel {number}" in said
    wait(project.jobs_alive, 60)
    (project.path / "results" / "toy" / "let").touch()
    project.start().end()
    assert len(project.starts("a")) == 1


def test_ctrl_c_during_an_outage_cancels_when_slurm_is_back(lab: Lab, make_cells: Make) -> None:
    project = make_cells(lab, {"a": {"gpus": 0}}, UNTIL_LET)
    driver = project.start()
    wait(lambda: project.starts("a"), 240)
    lab.leave("slurmctld")
    driver.interrupt()
    driver.says("Jobs cannot be cancelled yet")
    lab.restart("slurmctld")
    assert "Traceback" not in driver.fail()
    assert project.jobs_alive() == []


def test_a_start_within_seconds_of_the_return_waits_for_the_nodes(lab: Lab, make_cells: Make) -> None:
    """Nodes are `unknown` or `down*` for some seconds, and SLURM calls what is possible impossible."""
    project = make_cells(lab, {"a": {"gpus": 4}})
    lab.kill("slurmctld")
    for node in ("gpu1", "gpu2"):
        lab.kill(f"slurmd.{node}")
    lab.restart("slurmctld")
    driver = project.start()
    driver.says("has been submitted with SLURM jobid")
    for node in ("gpu1", "gpu2"):
        lab.restart(f"slurmd.{node}")
    driver.end()
    assert project.table() == ["a 1"]


def test_a_retry_does_not_follow_a_dead_job_of_its_own(lab: Lab, make_cells: Make) -> None:
    """A job fails whose successor is submitted during an outage: the attempt counts, and is not lost."""
    first = "[ $name = bad ] && [ $times = 1 ] && { sleep 12; exit 1; }"
    project = make_cells(lab, {"bad": {"gpus": 0}, "late": {"gpus": 0}}, first)
    project.write_profile(groups=None, retries=1)
    driver = project.start("-j2")
    wait(lambda: project.starts("bad"), 240)
    lab.leave("slurmctld")
    driver.says("SLURM does not answer")
    lab.restart("slurmctld")
    said = driver.end()
    assert project.table() == ["bad 1", "late 1"]
    assert (len(project.starts("bad")), len(project.starts("late"))) == (2, 1)
    assert "of an earlier start" not in said
