"""What the executor decides about jobs, without a cluster: tests/cluster would wait minutes for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stand_in import Job, Told, module, queue, queued

from snakemake_executor_plugin_paretoken_slurm import following, submission, waiting
from snakemake_executor_plugin_paretoken_slurm.postponed import Postponed


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


def test_a_preempted_job_is_submitted_again_but_not_for_ever(
    told: Told, info: Any, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(monkeypatch, [queued(job, "PREEMPTED")])
    for _ in range(submission.TAKEN_AT_MOST + 1):
        assert told.follow(info) == []
    assert len(told.submitted) == submission.TAKEN_AT_MOST
    assert told.errors == ["cell a (SLURM job 7) failed: its state in SLURM is PREEMPTED. "]


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
    assert "SLURM never runs jobs that request" in told.errors[0]


def test_a_job_that_ends_makes_room_for_one(told: Told, job: Job, info: Any, monkeypatch: Any) -> None:
    told.postponed = Postponed(20)
    for number in range(5):
        told.postponed.add(job, str(number))
    queue(monkeypatch, [queued(job, "COMPLETED")])
    told.follow(info)
    assert told.submitted == [job]


def test_a_job_that_squeue_does_not_show_is_asked_for_by_its_number(
    told: Told, info: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(monkeypatch, [])
    for state, goes_on in (("RUNNING", True), (None, True), ("PENDING", True), ("GONE", False)):
        monkeypatch.setattr(following, "state_of", lambda *_, state=state: state)
        assert bool(told.follow(info)) is goes_on, state
    assert "SLURM no longer knows it" in told.errors[0]


def test_what_was_accepted_twice_is_cancelled_once_it_is_sure(
    told: Told, job: Job, info: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled: list[Any] = []
    monkeypatch.setattr(module, "cancel", lambda numbers, _: cancelled.extend(numbers))
    told.own["7"] = told.open["7"] = "cell a"
    own = queued(job, "RUNNING")
    others = [
        replace(own, number="8"),
        replace(own, number="9", mark="(null)"),
        replace(own, number="10", folder=Path("/home/other")),
    ]
    queue(monkeypatch, [own, *others])
    told.follow(info)
    assert not cancelled
    told.follow(info)
    assert cancelled == ["8"]
