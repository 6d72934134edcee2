"""A cluster with a database of accounts, and one that forgets finished jobs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from cells import Cells
from lab import Lab, wait

Make = Callable[..., Cells]


def test_an_unknown_account_is_refused_before_anything_is_submitted(
    accounting_lab: Lab, make_cells: Make
) -> None:
    project = make_cells(accounting_lab, {"a": {"gpus": 0}})
    project.write_profile(site={"account": "nobody"}, groups=None)
    said = project.start().fail()
    assert "asks for account nobody" in said
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
    assert "It is submitted again later" in said
