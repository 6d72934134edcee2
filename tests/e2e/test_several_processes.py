"""Two processes on a CPU, plain and under DeepSpeed: the same training as one process does."""

from __future__ import annotations

import json
import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import tiny
from in_process import paretoken
from paretoken.cli import main
from paretoken.commands import launch
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.questions import Question
from processes import line_of, running
from warm import killable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning"),
]

REPOSITORY = Path(__file__).parents[2]
needs_deepspeed = pytest.mark.skipif(
    find_spec("deepspeed") is None,
    reason="DeepSpeed is not installed: pip install -c constraints.txt 'paretoken[deepspeed]'",
)
MODES = [
    pytest.param(None, id="ddp"),
    pytest.param("zero2", id="zero2", marks=needs_deepspeed),
    pytest.param("zero3", id="zero3", marks=needs_deepspeed),
]

#: Steps of a training: enough that all devices see images and texts, and so many that a kill after
#: step 7 comes long before the end.
SHORT, LONG = 6, 12
#: The training that is killed.
KILLED = ("finetune", "tokenpacker")
#: Sums over devices have another order than sums over micro batches.
CLOSE: dict[str, Any] = {"atol": 2e-4, "rtol": 2e-4}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.save_world(tmp_path_factory.mktemp("world"))
    # Enough text without image that one device has a micro batch of nothing else while the other
    # has images: devices that skip the projector then would wait for each other for ever.
    text = [{"id": f"t{i}", "conversations": [{"from": "human", "value": "what is it ?"},
                                              {"from": "gpt", "value": "it is grey"}]}
            for i in range(24)]  # fmt: skip
    with (folder / "train.jsonl").open("a") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in text)
    tiny.save_recipes(folder, log_every=1, save_every=4, micro_batch=1, steps=SHORT)
    (folder / "deepspeed").symlink_to(REPOSITORY / "workflow" / "recipes" / "deepspeed")
    paretoken(
        *("tokenize", "--data", folder / "train.jsonl", "--llm", folder / "llm"),
        *("--out", folder / "tokens"),
    )
    train_alone(folder, "tokenpacker")
    return folder


def home(compressor: str) -> str:
    """Return where one process alone trained a compressor."""
    return f"alone-{compressor}"


def train(
    world: Path, stage: str, out: Path, zero: str | None = None, compressor: str = "tokenpacker"
) -> list[Any]:
    line = ["train", "--stage", stage, "--recipe", world / f"{stage}.yaml", "--llm", world / "llm",
            "--vision", world / "vision", "--tokenized", world / "tokens", "--images", world / "images",
            "--compressor", compressor, "--tokens", 4, "--seed", 3, "--out", out]  # fmt: skip
    line += ["--set", f"deepspeed=deepspeed/{zero}.json"] if zero else []
    line += ["--set", f"steps={LONG}"] if (stage, compressor) == KILLED else []
    return line + (
        ["--adapter", world / home(compressor) / "pretrain/adapter"] if stage == "finetune" else []
    )


def train_alone(world: Path, compressor: str) -> None:
    for stage in ("pretrain", "finetune"):
        paretoken(*train(world, stage, world / home(compressor) / stage, compressor=compressor))


def torchrun(python: str, processes: int, folder: Path, line: list[Any]) -> list[Any]:
    worker = Path(__file__).with_name("torchrun_worker.py")
    return [python, "-m", "torch.distributed.run", "--standalone",
            "--nproc-per-node", processes, worker, folder, *line]  # fmt: skip


def environment() -> dict[str, str]:
    # A compiler that cannot run: nothing may be compiled.
    return {**os.environ, "OMP_NUM_THREADS": "1", "CXX": "/bin/false", "CC": "/bin/false"}


def start(line: list[Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in line], capture_output=True, text=True, env=environment(), check=False
    )


def run(line: list[Any]) -> str:
    done = start(line)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def kill_all_after(line: list[Any], marker: str) -> None:
    """Start processes, wait for a line that contains ``marker``, then kill -9 all of them at once."""
    text = [str(part) for part in line]
    said = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with (
        killable() as (known, kill),
        running(text, env=environment() | known, start_new_session=True, **said) as launcher,
    ):
        assert launcher.stderr is not None
        seen = ""
        while marker not in seen:
            part = line_of(launcher, launcher.stderr)
            assert part, f"it never said {marker}: {seen}"
            seen += part
        kill()
        launcher.stderr.read()


def record(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "run.json").read_text())
    return content


@pytest.mark.parametrize("zero", MODES)
def test_two_processes_survive_kills_and_train_as_one_does(
    world: Path, tmp_path: Path, warm: str, zero: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    out, alone = tmp_path / "out", world / home("tokenpacker") / "finetune"
    line = train(world, "finetune", out, zero)
    kill_all_after(torchrun(warm, 2, tmp_path, line), f"step 7/{LONG}")
    assert list(out.glob("checkpoints/checkpoint-*/manifest.json"))
    assert not (out / "run.json").exists()
    if zero is not None:
        paretoken(*line, code=2)
        assert "split over 2 devices and cannot be resumed on 1" in capsys.readouterr().err
        output = run(torchrun(warm, 2, tmp_path, line))
    else:  # nothing is split: one process can go on where two were
        paretoken(*line)
        output = "".join(capsys.readouterr())
    # From the checkpoint of step 4, or 8 if the kill came late; one process speaks for all.
    assert len(re.findall(rf"continues at step [48] of {LONG}", output)) == 1
    losses = record(out)["loss"]
    assert [step for step, _ in losses] == list(range(1, LONG + 1))
    torch.testing.assert_close(torch.tensor(losses), torch.tensor(record(alone)["loss"]), **CLOSE)
    stored = load_file(out / "model" / "model.safetensors")
    expected = load_file(alone / "model" / "model.safetensors")
    assert stored.keys() == expected.keys()
    for name, tensor in expected.items():
        if name.startswith("vision_encoder."):
            assert torch.equal(stored[name], tensor)
        torch.testing.assert_close(stored[name], tensor, atol=5e-3, rtol=1e-2)  # Adam's first steps
    if zero is not None:
        held = torch.load(tmp_path / "consolidated.pt")
        assert all(torch.equal(held[name], tensor) for name, tensor in stored.items())
        assert record(out)["zero_stage"] == int(zero[-1])
    assert not (out / "checkpoints").exists()
    asked = [Question("1", "0.png", "what colour is it ?", ("red",))]
    predictor = open_predictor(out / "model", images=world / "images")
    assert isinstance(predictor.answer(asked)[0].text, str)


@pytest.mark.parametrize("zero", [MODES[0], MODES[2]])
def test_stage_one_leaves_the_frozen_parts_alone_bit_by_bit(
    world: Path, tmp_path: Path, warm: str, zero: str | None
) -> None:
    out = tmp_path / "out"
    run(torchrun(warm, 2, tmp_path, [*train(world, "pretrain", out, zero), "--set", "packing=true"]))
    held = torch.load(tmp_path / "frozen.pt")
    source = load_file(world / "llm" / "model.safetensors")
    frozen = {n.removeprefix("language_model."): t for n, t in held.items() if n.startswith("lang")}
    assert {n: t.shape for n, t in frozen.items()} == {n: t.shape for n, t in source.items()}
    assert all(torch.equal(frozen[name], tensor) for name, tensor in source.items())
    encoder = load_file(world / "vision" / "model.safetensors")
    assert sum(n.startswith("vision_encoder.") for n in held) == len(encoder)
    alone = world / home("tokenpacker") / "pretrain"  # padded; packing changes no loss
    torch.testing.assert_close(
        torch.tensor(record(out)["loss"]), torch.tensor(record(alone)["loss"]), **CLOSE
    )
    expected = load_file(alone / "adapter" / "adapter.safetensors")
    stored = load_file(out / "adapter" / "adapter.safetensors")
    assert stored.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(stored[name], tensor, atol=5e-3, rtol=1e-2)


@pytest.mark.parametrize("zero", [MODES[0], MODES[2]])
def test_a_compressor_that_reads_the_question_trains_as_on_one_device(
    world: Path, tmp_path: Path, warm: str, zero: str | None
) -> None:
    """Each device embeds its own questions, or none, with a language model that may be split."""
    if not (world / home("quecc")).exists():
        train_alone(world, "quecc")
    for stage in ("pretrain", "finetune"):
        alone, out = world / home("quecc") / stage, tmp_path / stage
        run(torchrun(warm, 2, tmp_path, train(world, stage, out, zero, "quecc")))
        torch.testing.assert_close(
            torch.tensor(record(out)["loss"]), torch.tensor(record(alone)["loss"]), **CLOSE
        )
        weights = "adapter/adapter" if stage == "pretrain" else "model/model"
        expected = load_file(alone / f"{weights}.safetensors")
        stored = load_file(out / f"{weights}.safetensors")
        assert stored.keys() == expected.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(stored[name], tensor, atol=5e-3, rtol=1e-2)
    asked = [Question("1", "0.png", "what colour is it ?", ("red",))]
    predictor = open_predictor(tmp_path / "finetune" / "model", images=world / "images")
    assert isinstance(predictor.answer(asked)[0].text, str)


def test_a_failing_process_ends_all(
    world: Path, tmp_path: Path, warm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILING_RANK", "1")
    done = start(torchrun(warm, 2, tmp_path, train(world, "pretrain", tmp_path / "out")))
    assert done.returncode != 0
    assert "this process fails at step 3" in done.stderr
    assert f"step 4/{SHORT}" not in done.stderr  # the other one did not go on alone
    assert not (tmp_path / "out" / "run.json").exists()


def launched(
    monkeypatch: pytest.MonkeyPatch, python: str, folder: Path, line: list[Any], **variables: str
) -> int:
    """Run `paretoken launch` as if this machine had two GPUs; return its exit code."""

    def two(command: list[str], processes: int, found: None = None) -> list[str]:
        return [str(part) for part in torchrun(python, processes, folder, command)]

    monkeypatch.setattr(launch, "gpus_here", lambda: 2)
    monkeypatch.setattr(launch, "launch_line", two)
    for name, value in (environment() | variables).items():
        monkeypatch.setenv(name, value)
    return main([str(word) for word in ["launch", "--gpus", 2, "--", *line]])


@pytest.mark.parametrize("zero", MODES)
def test_memory_that_runs_out_halves_the_micro_batch_and_changes_no_result(
    world: Path,
    tmp_path: Path,
    warm: str,
    zero: str | None,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In one of two processes: at the first step, and in the middle, after the checkpoint of step 4."""
    out, alone = tmp_path / "out", world / home("tokenpacker") / "finetune"
    line = [*train(world, "finetune", out, zero), "--set", "micro_batch=4"]
    assert launched(monkeypatch, warm, tmp_path, line, OUT_OF_MEMORY="1 0 2 0 6 1") == 0
    said = capfd.readouterr()
    assert "ran out with micro batches of 4; restart 1 of at most 5" in said.out
    assert "ran out with micro batches of 2; restart 2 of at most 5" in said.out
    assert said.err.count("and `paretoken launch` starts it again by itself") == 2
    assert re.findall(r"continues at step \d+", said.err) == ["continues at step 4"]
    found = record(out)
    assert found["memory_ran_out_with"] == [4, 2]
    assert (found["batch"]["micro_batch"], found["batch"]["devices"]) == (1, 2)
    assert [step for step, _ in found["loss"]] == list(range(1, LONG + 1))
    torch.testing.assert_close(torch.tensor(found["loss"]), torch.tensor(record(alone)["loss"]), **CLOSE)
    stored = load_file(out / "model" / "model.safetensors")
    for name, tensor in load_file(alone / "model" / "model.safetensors").items():
        torch.testing.assert_close(stored[name], tensor, atol=5e-3, rtol=1e-2)
    assert not (out / "checkpoints").exists()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"OUT_OF_MEMORY": "1 2 0"}, "ran out with one conversation at a time"),
        ({"FAILING_RANK": "1", "FAILURE": "kill"}, "SIGKILL"),
        ({"FAILING_RANK": "1", "FAILURE": "memory"}, "MemoryError"),
    ],
)
def test_other_failures_start_nothing_again(
    world: Path,
    tmp_path: Path,
    warm: str,
    variables: dict[str, str],
    words: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = [*train(world, "pretrain", tmp_path / "out"), "--set", "micro_batch=1"]
    assert launched(monkeypatch, warm, tmp_path, line, **variables) != 0
    said = capfd.readouterr()
    assert words in said.err
    assert "restart" not in said.out
    assert not (tmp_path / "out" / "checkpoints" / "micro_batch.json").exists()
