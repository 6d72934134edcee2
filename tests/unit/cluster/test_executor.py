"""The executor's decisions, without a cluster: what tests/cluster would wait minutes for."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paretoken.cluster.commands import Answer
from paretoken.cluster.queue import Queued
from paretoken.cluster.site import Site

pytest.importorskip("snakemake_executor_plugin_slurm")
from snakemake_executor_plugin_paretoken_slurm import earlier as earlier_module
from snakemake_executor_plugin_paretoken_slurm import executor as module
from snakemake_executor_plugin_paretoken_slurm import following, submission, waiting
from snakemake_executor_plugin_paretoken_slurm.earlier import Earlier
from snakemake_executor_plugin_paretoken_slurm.postponed import Postponed
from snakemake_executor_plugin_paretoken_slurm.silence import Silence
from snakemake_executor_plugin_paretoken_slurm.waiting import Waiting

PROJECT = Path("/home/project")


class Limiter:
    async def __aenter__(self) -> None: ...
    async def __aexit__(self, *_: object) -> None: ...


class Told(module.Executor):
    """An executor that notes what Snakemake is told, and what is submitted."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.errors: list[str] = []
        self.submitted: list[Any] = []
        self.logger = logging.getLogger("test")
        self._poll, self.site, self.taken = 0, Site(), {}
        self.own, self.open = {}, {}
        self.project = self.launch = PROJECT
        self.closing = threading.Event()
        self.postponed, self._silence = Postponed(0), Silence(self.logger)
        self._waiting = Waiting(self.site, self.logger)
        self.earlier = Earlier(PROJECT, None, 0, self.closing, self)
        self.status_rate_limiter = Limiter()
        self._job_submission_executor = SimpleNamespace(submit=lambda _, job: self.submitted.append(job))

    def report_job_success(self, info: Any) -> None:
        self.done.append(info)

    def report_job_error(self, info: Any, msg: str = "", **_: Any) -> None:
        self.errors.append(msg)

    def follow(self, *infos: Any) -> list[Any]:
        async def active() -> list[Any]:
            return [info async for info in self.check_active_jobs(list(infos))]

        return asyncio.run(active())


class Job(SimpleNamespace):
    def is_group(self) -> bool:
        return False


@pytest.fixture
def job(tmp_path: Path) -> Job:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("")
    return Job(
        rule=SimpleNamespace(name="cell"), wildcards_dict={"name": "a"}, output=["a.txt"],
        input=[str(recipe)], shellcmd="touch a.txt", log=[], group=None, name="cell", wildcards=["a"],
        jobid=1, resources={"mem_mb": 900, "nodes": 1,
        "cpus_per_task": 1, "runtime": 9},
    )  # fmt: skip


@pytest.fixture
def info(job: Job, tmp_path: Path) -> SimpleNamespace:
    aux = {"slurm_logfile": tmp_path / "7.log"}
    return SimpleNamespace(job=job, external_jobid="7", aux=aux)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr(following, "GRACE_S", 0.0)
    monkeypatch.setattr(module, "ask_accounts", lambda *_: {})
    return Told()


def queue(monkeypatch: pytest.MonkeyPatch, jobs: list[Queued] | None) -> None:
    answer = Answer(None, "Unable to contact slurm", temporary=True) if jobs is None else Answer("")
    for asking in (module, earlier_module):
        monkeypatch.setattr(asking, "ask_queue", lambda _: (jobs, answer))


def queued(job: Job, state: str) -> Queued:
    return Queued("7", state, None, PROJECT, module.mark_of(job), "None", "cell a")


def test_without_an_answer_all_go_on(told: Told, info: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    queue(monkeypatch, None)
    for _ in range(100):
        assert told.follow(info) == [info]
    assert not told.done
    assert not told.errors


def test_a_forgotten_job_is_judged_by_its_log(
    told: Told, info: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(monkeypatch, [])
    info.aux["slurm_logfile"].write_text("1 of 1 steps (100%) done\n")
    assert told.follow(info) == []
    assert told.done == [info]


def test_a_forgotten_job_without_a_trace_has_failed(
    told: Told, info: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(monkeypatch, [])
    assert told.follow(info) == []
    assert "SLURM no longer knows it" in told.errors[0]
    assert not told.done


def test_a_state_that_may_pass_is_waited_for(
    told: Told, info: Any, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "GRACE_S", 60.0)
    queue(monkeypatch, [queued(job, "NODE_FAIL")])
    assert told.follow(info) == [info]
    queue(monkeypatch, [queued(job, "PENDING")])
    assert told.follow(info) == [info]
    assert not told.submitted
    assert "since" not in info.aux


def test_what_is_taken_is_submitted_again_but_not_for_ever(
    told: Told, info: Any, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(monkeypatch, [queued(job, "PREEMPTED")])
    for _ in range(submission.TAKEN_AT_MOST + 1):
        assert told.follow(info) == []
    assert len(told.submitted) == submission.TAKEN_AT_MOST
    assert told.errors == ["cell a (SLURM job 7) failed: SLURM says PREEMPTED. "]


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
    assert "cell a: asked for nodes 1, CPUs per node 1, MB per node 900" in told.errors[0]
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


def test_a_limit_that_allows_no_job_at_all_is_no_reason_to_wait(
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


def test_a_reason_that_no_time_changes_must_last(
    told: Told, info: Any, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "limit_in_words", lambda *_: "too long")
    monkeypatch.setattr(following, "cancel", lambda *_: None)
    told.open["7"] = "cell a"
    pending = replace(queued(job, "PENDING"), reason="PartitionTimeLimit")
    for reason in ("PartitionTimeLimit", "PartitionTimeLimit", "Priority", *["PartitionTimeLimit"] * 2):
        queue(monkeypatch, [replace(pending, reason=reason)])
        assert told.follow(info) == [info]
    assert told.follow(info) == []
    assert "SLURM never runs what asks for" in told.errors[0]


def test_a_job_that_ends_makes_room_for_one(told: Told, job: Job, info: Any, monkeypatch: Any) -> None:
    told.postponed = Postponed(20)
    for number in range(5):
        told.postponed.add(job, str(number))
    queue(monkeypatch, [queued(job, "COMPLETED")])
    told.follow(info)
    assert told.submitted == [job]


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
