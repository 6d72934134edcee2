"""An executor that notes what it is told, a job, and what is known of it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

if find_spec("snakemake_executor_plugin_slurm") is not None:
    from stand_in import Job, Told, module

    from snakemake_executor_plugin_paretoken_slurm import following

    @pytest.fixture
    def job(tmp_path: Path) -> Job:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text("")
        return Job(
            rule=SimpleNamespace(name="cell"), wildcards_dict={"name": "a"}, output=["a.txt"],
            input=[str(recipe)], shellcmd="touch a.txt", log=[], group=None, name="cell",
            wildcards=["a"],
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
        monkeypatch.setattr(following, "state_of", lambda *_: "GONE")
        monkeypatch.setattr(module, "ask_accounts", lambda *_: {})
        return Told()
