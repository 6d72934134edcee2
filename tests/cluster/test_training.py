"""Training on the cluster: on two nodes as on one machine, and on after a warning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lab import Lab, wait
from projects import Folder

import tiny
from in_process import paretoken

SNAKEFILE = """
rule stage:
    output: "results/toy/{name}/run.json"
    log: "results/toy/logs/{name}.log"
    params: out=subpath(output[0], parent=True)
    resources: gpus=2, cpus=2, mem_mb=3000, runtime=10
    shell:
        "paretoken launch --gpus {resources.gpus} --logs {log} -- COMMAND "
        "--out {params.out} >> {log} 2>&1"
"""
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
CLOSE: dict[str, Any] = {"atol": 2e-4, "rtol": 2e-4}


def train(world: Path, steps: int) -> list[str]:
    return [
        "train", "--stage", "pretrain", "--recipe", f"{world}/pretrain.yaml", "--llm", f"{world}/llm",
        "--vision", f"{world}/vision", "--tokenized", f"{world}/tokens", "--images", f"{world}/images",
        "--compressor", "tokenpacker", "--tokens", "4", "--seed", "3", "--set", f"steps={steps}",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.save_world(tmp_path_factory.mktemp("world"))
    tiny.save_recipes(folder, log_every=1, save_every=1000, micro_batch=1, steps=12)
    for line in (["tokenize", "--data", folder / "train.jsonl", "--llm", folder / "llm", "--out",
                  folder / "tokens"], [*train(folder, 12), "--out", folder / "alone"]):  # fmt: skip
        paretoken(*line)
    return folder


@pytest.fixture
def project(lab: Lab, tmp_path: Path) -> Callable[..., Folder]:
    def make(world: Path, steps: int, **site: Any) -> Folder:
        made = Folder(tmp_path, lab)
        line = " ".join(train(world, steps))
        (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("COMMAND", line))
        made.write_profile(site=site, groups=None, retries=0)
        return made

    return make


def text_of(log: Path) -> str:
    """Return what is in a log; each start puts a new one in its place."""
    try:
        return log.read_text()
    except FileNotFoundError:
        return ""


def losses(folder: Path) -> torch.Tensor:
    return torch.tensor(json.loads((folder / "run.json").read_text())["loss"])


def test_two_nodes_train_as_one_process_does(world: Path, project: Callable[..., Folder]) -> None:
    made = project(world, 12, gpu={"partition": "gpu", "per_node": 1})
    made.start("results/toy/a/run.json").end()
    results = made.path / "results" / "toy"
    record = json.loads((results / "a" / "run.json").read_text())
    assert record["batch"]["devices"] == 2
    torch.testing.assert_close(losses(results / "a"), losses(world / "alone"), **CLOSE)
    log = (results / "logs" / "a.log").read_text()
    assert "launch: SLURM job" in log
    assert "2 nodes" in log
    assert (results / "logs" / "a-rank1.log").exists(), "one log for each process"
    assert log.count("step 12/12") == 1


def test_two_processes_on_one_node_are_stopped_by_a_warning_and_go_on(
    world: Path, project: Callable[..., Folder]
) -> None:
    """What SLURM sends before the time limit: the job writes a checkpoint, and is started again."""
    steps = 1000
    made = project(world, steps)
    driver = made.start("results/toy/a/run.json")
    log = made.path / "results" / "toy" / "logs" / "a.log"
    wait(lambda: "step 10/" in text_of(log), 240)
    job = made.lab.job("stage a", "RUNNING")
    made.lab.run("scancel", "--signal=USR1", job["id"])
    note = made.path / "results" / "toy" / "a" / "stopped"
    wait(note.exists, 240)
    assert list(note.parent.glob("checkpoints/checkpoint-*/manifest.json"))
    step = int(note.read_text().split()[1])
    wait(lambda: f"continues at step {step} of {steps}" in text_of(log), 240)
    again = made.lab.job("stage a", "RUNNING")
    assert again["id"] == job["id"], "SLURM started the same job again: no attempt was used up"
    made.lab.run("scancel", job["id"])
    driver.fail()


def test_a_node_that_gives_other_gpus_is_reported_before_training(
    world: Path, project: Callable[..., Folder]
) -> None:
    made = project(world, 12)
    snakefile = made.path / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("--gpus {resources.gpus}", "--gpus 4"))
    said = made.start("results/toy/a/run.json").fail()
    assert "4 GPUs were requested and SLURM allocated 2" in said
