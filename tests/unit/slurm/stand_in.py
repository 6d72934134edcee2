"""An executor without a cluster, and jobs for it."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paretoken.slurm.programs import Answer
from paretoken.slurm.queue import Queued
from paretoken.slurm.site import Site

pytest.importorskip("snakemake_executor_plugin_slurm")
from snakemake_executor_plugin_paretoken_slurm import earlier as earlier_module
from snakemake_executor_plugin_paretoken_slurm import executor as module
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
        self.own, self.open, self._surplus = {}, {}, set()
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


def queue(monkeypatch: pytest.MonkeyPatch, jobs: list[Queued] | None) -> None:
    answer = Answer(None, "Unable to contact slurm", temporary=True) if jobs is None else Answer("")
    for asking in (module, earlier_module):
        monkeypatch.setattr(asking, "ask_queue", lambda _: (jobs, answer))


def queued(job: Job, state: str) -> Queued:
    return Queued("7", state, None, PROJECT, module.mark_of(job), "None", "cell a")
