"""kill -9 at any moment, then the same command again: the same bits as without a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

import tiny
from paretoken.cli import main
from processes import line_of, running
from warm import killable

pytestmark = pytest.mark.slow

TOKENS = 4
STEPS = 200
#: The killer may be late, on a busy machine: after the line that it waits for a run says at most as many
#: lines as two pipes of this size hold, 110, and waits until somebody reads them.
LAST_KILL, PIPE = 80, 4096


def command(world: Path, stage: str, out: Path, adapter: Path | None) -> list[str]:
    line = ["-m", "paretoken", "train", "--stage", stage,
            "--recipe", world / f"{stage}.yaml", "--llm", world / "llm", "--vision", world / "vision",
            "--tokenized", world / "tokens", "--features", world / "features",
            "--compressor", "tokenpacker", "--tokens", TOKENS, "--seed", 3, "--out", out]  # fmt: skip
    return [str(part) for part in line + (["--adapter", adapter] if adapter else [])]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run(python: str, line: list[str]) -> str:
    done = subprocess.run(
        [python, *line], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def kill_after(python: str, line: list[str], marker: str, delay: float) -> str:
    """Start the command, wait for a line that contains ``marker``, then ``delay``, then kill -9."""
    said = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "pipesize": PIPE}
    with (
        killable() as (known, kill),
        running([python, *line], env=environment() | known, **said) as process,
    ):
        assert process.stderr is not None
        seen = ""
        while marker not in seen:
            text = line_of(process, process.stderr)
            assert text, f"it never said {marker}: {seen}"
            seen += text
        time.sleep(delay)
        kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL, seen
    return seen


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.save_prepared_world(tmp_path_factory.mktemp("world"))
    tiny.save_recipes(folder, steps=STEPS, log_every=1, save_every=4)
    return folder


@pytest.fixture(scope="module")
def uninterrupted(world: Path, warm: str) -> dict[str, Path]:
    adapter = world / "whole" / "pretrain" / "adapter"
    for stage, previous in (("pretrain", None), ("finetune", adapter)):
        run(warm, command(world, stage, world / "whole" / stage, previous))
    return {
        "pretrain": adapter / "adapter.safetensors",
        "finetune": world / "whole" / "finetune" / "model" / "model.safetensors",
    }


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_kills_at_random_steps_change_no_bit(
    stage: str, world: Path, uninterrupted: dict[str, Path], warm: str
) -> None:
    chance = random.Random(f"{stage} {os.environ.get('PARETOKEN_KILL_SEED', '0')}")
    out = world / "killed" / stage
    adapter = uninterrupted["pretrain"].parent if stage == "finetune" else None
    line = command(world, stage, out, adapter)
    steps = sorted(chance.sample(range(2, LAST_KILL), 3))
    for step in steps:
        kill_after(warm, line, f"step {step}/{STEPS}", delay=chance.random() * 0.1)
        assert not (out / "run.json").exists()
    output = run(warm, line)
    assert "continues at step" in output
    name = uninterrupted[stage].relative_to(world / "whole" / stage)
    assert (out / name).read_bytes() == uninterrupted[stage].read_bytes()
    record = json.loads((out / "run.json").read_text())
    whole = json.loads((world / "whole" / stage / "run.json").read_text())
    assert record["tokens"] == whole["tokens"]
    assert [step for step, _ in record["loss"]] == list(range(1, STEPS + 1))
    assert record["loss"] == whole["loss"]


def test_damaged_and_half_written_checkpoints_are_skipped(
    world: Path, uninterrupted: dict[str, Path], warm: str
) -> None:
    out = world / "damaged"
    line = command(world, "pretrain", out, None)
    kill_after(warm, line, f"step 14/{STEPS}", delay=0.0)
    folder = out / "checkpoints"
    newest = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    weights = newest / "trained.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    (folder / ".partial-saving" / "checkpoint-16").mkdir(parents=True)
    output = run(warm, line)
    assert "trained.safetensors is missing or truncated" in output
    assert f"continues at step {int(newest.name.split('-')[1]) - 4}" in output
    result = out / "adapter" / "adapter.safetensors"
    assert result.read_bytes() == uninterrupted["pretrain"].read_bytes()
    assert not folder.exists()  # a finished run needs them no more


def test_a_finished_run_is_not_repeated_and_not_overwritten(
    world: Path, uninterrupted: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out = world / "whole" / "pretrain"
    before = (out / "run.json").stat().st_mtime_ns
    _, _, *words = command(world, "pretrain", out, None)
    assert main(words) == 0
    assert "nothing to do" in "".join(capsys.readouterr())
    assert (out / "run.json").stat().st_mtime_ns == before
    assert main([*words, "--set", "steps=5"]) == 2
    assert "other settings" in capsys.readouterr().err
