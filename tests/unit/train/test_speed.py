from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from paretoken.config.devices import device
from paretoken.train import speed as speed_module
from paretoken.train.reporting import PlainLines
from paretoken.train.speed import Speed, StepWork, utilisation

WORK = StepWork(np.array([100, 200, 300, 400]), np.array([1e12, 2e12, 3e12, 4e12]))


def test_utilisation_is_a_share_of_the_peak_of_all_devices() -> None:
    # 4 H100 for 10 s at half their peak.
    assert utilisation(0.5 * 989.4e12 * 4 * 10, 10, 4, device("h100")) == pytest.approx(0.5)
    assert utilisation(1e12, 10, 1, None) is None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    now = SimpleNamespace(seconds=50.0)
    monkeypatch.setattr(time, "monotonic", lambda: now.seconds)
    return now


def start(work: StepWork, step: int = 0) -> Speed:
    speed = Speed(work, devices=2)
    anything: Any = None
    speed.on_train_begin(anything, SimpleNamespace(global_step=step), anything)  # type: ignore[arg-type]
    return speed


def test_laps_and_the_summary_count_the_steps_between_them(clock: Any) -> None:
    speed = start(WORK, step=1)  # continued from a checkpoint: the first step is not its own
    clock.seconds += 2
    assert speed.lap(2) == {"tokens_per_s": 100.0}
    clock.seconds += 7
    assert speed.lap(4) == {"tokens_per_s": 100.0}
    summary = speed.summary()
    assert summary["tokens_per_s"] == pytest.approx(900 / 9)
    assert summary["mfu"] is None
    assert summary["peak_tflops"] is None
    assert summary["devices"] == 2


def test_a_known_device_has_an_mfu(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    a100 = device("a100-80g")
    monkeypatch.setattr(speed_module, "this_device", lambda: ("NVIDIA A100-SXM4-80GB", a100))
    speed = start(WORK)
    clock.seconds += 1
    assert speed.lap(2)["mfu"] == pytest.approx(3 / (2 * 312))
    assert speed.summary()["device"] == "NVIDIA A100-SXM4-80GB"


def test_an_unknown_gpu_is_named_and_has_no_mfu(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_module.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(speed_module.torch.cuda, "get_device_name", lambda: "NVIDIA Z9")
    speed = start(WORK)
    clock.seconds += 1
    assert set(speed.lap(1)) == {"tokens_per_s"}
    assert speed.summary()["device"] == "NVIDIA Z9"


def test_lines_show_the_speed(capsys: pytest.CaptureFixture[str], clock: Any) -> None:
    lines, anything = PlainLines("finetune"), SimpleNamespace()
    state: Any = SimpleNamespace(global_step=0, max_steps=4, is_world_process_zero=True)
    lines.on_train_begin(anything, state, anything)  # type: ignore[arg-type]
    clock.seconds += 1
    state.global_step = 2
    logs = {"loss": 1.0, "learning_rate": 1e-3, "tokens_per_s": 1234.4, "mfu": 0.415}
    lines.on_log(anything, state, anything, logs)  # type: ignore[arg-type]
    assert "2.00 steps/s 1234 tokens/s MFU 41.5%, 0:00:01 left" in capsys.readouterr().err
