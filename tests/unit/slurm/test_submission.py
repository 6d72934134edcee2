"""What is submitted, postponed or followed, without a cluster."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stand_in import PROJECT, Job, Told, earlier_module, module, queue, queued

from paretoken.slurm.programs import Answer
from paretoken.slurm.submitted import Submitted
from snakemake_executor_plugin_paretoken_slurm import submission
from snakemake_executor_plugin_paretoken_slurm.earlier import Earlier
from snakemake_executor_plugin_paretoken_slurm.postponed import Postponed


def refuse(
    told: Told, monkeypatch: pytest.MonkeyPatch, complaint: str, temporary: bool, lost: bool = False
) -> None:
    answer = Answer(None, f"sbatch: error: {complaint}", temporary, lost)
    monkeypatch.setattr(submission, "_submit", lambda *_: (answer, ""))
    monkeypatch.setattr(submission, "ask_for", lambda *_: None)


def test_a_full_queue_uses_up_no_attempt_and_pauses_grow(
    told: Told, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(monkeypatch, [])
    told.postponed = Postponed(20)
    refuse(told, monkeypatch, "AssocMaxSubmitJobLimit", temporary=True)
    for _ in range(6):
        told.run_job(job)
    assert not told.errors
    assert told.postponed.due() == []
    pauses = [round(when - time.monotonic()) for when, _ in told.postponed._waiting]
    assert pauses == [20, 40, 80, 160, 300, 300]
    assert told.postponed.due(ended=2) == [job] * 2
    assert told.postponed.due(ended=9) == [job] * 4


def test_what_sbatch_refuses_for_good_fails_with_what_was_asked_for(
    told: Told, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    told._main_event_loop = None
    refuse(told, monkeypatch, "invalid partition", temporary=False)
    told.run_job(job)
    assert "cell a: requested nodes 1, CPUs per node 1, MB per node 900" in told.errors[0]
    assert "invalid partition" in told.errors[0]


def accept(told: Told, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    followed: list[Any] = []
    monkeypatch.setattr(submission, "_submit", lambda *_: (Answer("7"), "7"))
    monkeypatch.setattr(submission, "ask_for", lambda *_: None)
    monkeypatch.setattr(told, "_report_job_submission_threadsafe", followed.append)
    told.slurm_logdir = "logs"
    return followed


def test_a_job_that_cannot_be_noted_is_followed_all_the_same(
    told: Told, job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a full disk: to call it not submitted would have it run twice."""
    followed = accept(told, monkeypatch)
    told.launch = tmp_path / "absent"
    told.run_job(job)
    assert [info.external_jobid for info in followed] == ["7"]
    assert told.open == {"7": "cell a"}
    assert not told.errors


def test_a_lost_answer_is_looked_for_before_the_next_attempt(
    told: Told, job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    queue(monkeypatch, [queued(job, "RUNNING")])
    refuse(told, monkeypatch, "Socket timed out", temporary=True, lost=True)
    told.run_job(job)
    followed = accept(told, monkeypatch)
    monkeypatch.setattr(submission, "_submit", lambda *_: pytest.fail("submitted twice"))
    told.run_job(job)
    assert [info.external_jobid for info in followed] == ["7"]


def test_a_limit_that_allows_no_job_at_all_ends_the_job(
    told: Told, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    told._main_event_loop = None
    monkeypatch.setattr(submission, "ask_queue", lambda _: ([], Answer("")))
    refuse(told, monkeypatch, "AssocMaxSubmitJobLimit", temporary=True)
    for _ in range(submission.ALONE_TIMES):
        told.run_job(job)
        assert not told.errors
    told.run_job(job)
    assert "AssocMaxSubmitJobLimit" in told.errors[0]


def test_nothing_is_submitted_once_the_run_is_cancelled(
    told: Told, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "_submit", lambda *_: pytest.fail("submitted"))
    told.closing.set()
    told.run_job(job)


@pytest.fixture
def earlier() -> Earlier:
    executor = SimpleNamespace(own={}, logger=logging.getLogger("test"))
    return Earlier(PROJECT, None, 0, threading.Event(), executor)


def test_an_earlier_job_is_recognised_once(earlier: Earlier, job: Job) -> None:
    earlier.jobs = [queued(job, "RUNNING")]
    assert earlier.take(job) is not None
    assert earlier.take(job) is None, "if it fails, the next attempt is a new job"


def test_a_driver_follows_no_job_of_its_own(earlier: Earlier, job: Job) -> None:
    """It would count as the next attempt, which then is lost when the job turns out to have failed."""
    earlier.jobs = [queued(job, "RUNNING")]
    earlier._executor.own["7"] = "cell a"
    assert earlier.take(job) is None


@pytest.mark.parametrize(("seconds", "followed"), [(5, True), (-3600, False)])
def test_what_ended_before_the_start_is_not_followed(
    earlier: Earlier, job: Job, seconds: int, followed: bool
) -> None:
    end = datetime.now().replace(microsecond=0) + timedelta(seconds=seconds)
    earlier.jobs = [replace(queued(job, "COMPLETED"), end=end)]
    assert (earlier.take(job) is not None) is followed


def test_a_job_with_another_recipe_is_waited_for_and_then_done_again(
    told: Told, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error would have Snakemake record the new recipe for the old job's result."""
    told.earlier.jobs = [queued(job, "RUNNING")]
    Path(job.input[0]).touch()
    followed: list[Any] = []
    monkeypatch.setattr(told, "_report_job_submission_threadsafe", followed.append)
    monkeypatch.setattr(submission, "ask_for", lambda *_: None)
    told.slurm_logdir = "logs"
    told.run_job(job)
    (info,) = followed
    for state in ("RUNNING", "COMPLETED"):
        queue(monkeypatch, [queued(job, state)])
        assert told.follow(info) == ([info] if state == "RUNNING" else [])
    assert told.submitted == [job]
    assert not told.done
    assert not told.errors
    assert told.earlier.take(job) is None


@pytest.mark.parametrize(("state", "followed"), [("RUNNING", True), ("GONE", False), (None, False)])
def test_a_noted_job_is_followed_only_if_slurm_has_it(
    earlier: Earlier, job: Job, monkeypatch: pytest.MonkeyPatch, state: str | None, followed: bool
) -> None:
    """Nobody shows it: squeue may be blind, or SLURM has forgotten it."""
    earlier._missing = [Submitted("7", module.mark_of(job), "cell a", PROJECT)]
    monkeypatch.setattr(earlier_module, "state_of", lambda *_: state)
    earlier.confirm(["another.txt"])
    assert not earlier.jobs
    earlier.confirm(job.output)
    assert bool(earlier.alive) is followed
