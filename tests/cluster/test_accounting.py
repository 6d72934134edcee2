"""A cluster with a database of accounts, and one that forgets finished jobs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from cells import Cells
from lab import Lab, wait

Make = Callable[..., Cells]


def test_an_unknown_account_is_refused_before_anything_is_submitted(
    accounting_lab: Lab, make_cells: Make
) -> None:
    project = make_cells(accounting_lab, {"a": {"gpus": 0}})
    project.write_profile(site={"account": "nobody"}, groups=None)
    said = project.start().fail()
    assert "requests account nobody" in said
    assert "Invalid account" in said
    assert not project.starts("a")


def test_jobs_that_slurm_forgot_are_looked_up_in_the_accounts(
    accounting_lab: Lab, make_cells: Make
) -> None:
    """The driver sleeps, as a login node's may, until squeue does not list its ended jobs any more."""
    commands = "[ $name = bad ] && [ $times = 1 ] && exit 1"
    project = make_cells(accounting_lab, {"good": {"gpus": 1}, "bad": {"gpus": 0}}, commands)
    project.write_profile(site={"account": "lab"}, groups=None)
    driver = project.start("-j2")
    wait(lambda: project.starts("good") and project.starts("bad"), 240)
    os.kill(driver.process.pid, signal.SIGSTOP)
    try:
        numbers = [*project.starts("good"), *project.starts("bad")]
        wait(lambda: not {job["id"] for job in accounting_lab.jobs()} & {*numbers}, 120)
    finally:
        os.kill(driver.process.pid, signal.SIGCONT)
    said = driver.end()
    assert project.table() == ["bad 1", "good 1"]
    assert (len(project.starts("good")), len(project.starts("bad"))) == (1, 2)
    assert "cell bad" in said
    assert "its command failed" in said


def test_a_limit_of_submitted_jobs_costs_no_attempt(accounting_lab: Lab, make_cells: Make) -> None:
    """The profile's `jobs` is above what the site allows: jobs wait in the driver."""
    project = make_cells(accounting_lab, {name: {"gpus": 0} for name in "abc"}, "sleep 3")
    project.write_profile(site={"account": "lab"}, groups=None, retries=0)
    limit = ["sacctmgr", "--immediate", "modify", "user", "root", "set"]
    accounting_lab.run(*limit, "maxsubmitjobs=1")
    try:
        said = project.start("-j3").end()
    finally:
        accounting_lab.run(*limit, "maxsubmitjobs=-1")
    assert project.table() == ["a 1", "b 1", "c 1"]
    assert {name: len(project.starts(name)) for name in "abc"} == dict.fromkeys("abc", 1)
    assert "It is submitted again in" in said


def test_permanent_limits_end_a_job_and_temporary_ones_are_waited_for(
    accounting_lab: Lab, make_cells: Make
) -> None:
    """Without `DenyOnLimit`, SLURM takes what exceeds a limit, and lets it wait for ever."""
    accounting_lab.run("sacctmgr", "-i", "add", "qos", "short", "set", "maxwall=5")
    accounting_lab.run("sacctmgr", "-i", "add", "qos", "narrow", "set", "grptres=cpu=1")
    accounting_lab.run("sacctmgr", "-i", "modify", "user", "root", "set", "qos=normal,short,narrow")
    cells = {"long": {"gpus": 1}, "a": {"gpus": 0}, "b": {"gpus": 0}}
    project = make_cells(accounting_lab, cells, "sleep 2; scontrol show job $SLURM_JOB_ID > $notes.job")
    site = {
        "account": "lab",
        "clusters": "lab",
        "gpu": {"partition": "gpu", "qos": "short"},
        "cpu": {"partition": "cpu", "qos": "narrow"},
    }
    project.write_profile(site=site, groups=None, retries=0)
    said = project.start("-j3").fail()
    assert "cell long: SLURM never runs jobs that request account lab, partition gpu" in said
    assert "QOS short" in said
    assert "QOSMaxWallDurationPerJobLimit: the QOS's largest Wall Duration of a job" in said
    assert "(MaxWall=00:05:00 of QOS short)" in said
    assert "waits for QOSGrpCpuLimit: the QOS's joint CPU" in said
    assert (len(project.ends("a")), len(project.ends("b"))) == (1, 1)
    assert "QOS=narrow" in project.note("a.job")
    assert not [job for job in accounting_lab.jobs("cell long") if job["state"] == "PENDING"]


def test_accounting_is_asked_about_a_job_that_squeue_does_not_show(
    accounting_lab: Lab, make_cells: Make, tmp_path: Path
) -> None:
    """Some sites let squeue show less than there is: here it shows nothing of a running job."""
    until = "while [ ! -e results/toy/let ]; do sleep 0.2; done"
    project = make_cells(accounting_lab, {"a": {"gpus": 0}}, until)
    project.write_profile(site={"account": "lab"}, groups=None, retries=0)
    driver = project.start()
    wait(lambda: project.starts("a"), 240)
    (number,) = project.starts("a")
    wait(lambda: "RUNNING" in accounting_lab.run("sacct", "-n", "-X", "-j", number, "-o", "State"), 60)
    driver.kill()
    blind = tmp_path / "commands"
    blind.mkdir()
    (blind / "squeue").write_text("#!/bin/sh\nexit 0\n")
    (blind / "squeue").chmod(0o755)
    (launch,) = (project.path / ".snakemake" / "launches").iterdir()
    accounting_lab.first_on_path = blind
    try:
        again = project.start()
        again.says(f"cell a: SLURM job {number} of an earlier start (running) is followed")
        assert launch.exists(), "the running job's folder"
        (project.path / "results" / "toy" / "let").touch()
        again.end()
    finally:
        accounting_lab.first_on_path = None
    assert project.starts("a") == [number]
