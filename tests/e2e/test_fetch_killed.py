"""`paretoken fetch` as a process: environment variables, a kill in the middle, progress in a log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hub_server
import tiny
from processes import LIMIT_S, running


def command(out: Path, *options: str) -> list[str]:
    base = [sys.executable, "-m", "paretoken", "fetch", "--source", "me/llm", "--kind", "llm"]
    return [*base, "--out", str(out), *options]


@pytest.mark.slow
def test_a_killed_fetch_goes_on_and_keeps_whole_files(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    tiny.save_llm(tmp_path / "llm")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "llm")
    (tmp_path / "llm" / "model.safetensors").unlink()
    model.save_pretrained(tmp_path / "llm", max_shard_size="15KB")
    shards = sorted(path.name for path in (tmp_path / "llm").glob("model-*.safetensors"))
    hub = hub_server.Hub({"me/llm": tmp_path / "llm"}, slow={shards[-1]: 2 * LIMIT_S})
    with hub_server.serving(hub):
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
        environment.pop("HF_HUB_OFFLINE", None)
        blobs = tmp_path / "home" / "hub" / "models--me--llm" / "snapshots"
        with running(command(tmp_path / "out"), env=environment) as process:
            deadline = time.monotonic() + LIMIT_S
            while not all(list(blobs.rglob(name)) for name in shards[:-1]):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.1)
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "out").exists()
        hub.slow.clear()
        hub.requests.clear()
        done = subprocess.run(
            command(tmp_path / "out"), env=environment, capture_output=True, text=True, check=True
        )
        assert [name for name in hub.downloads if name in shards] == [shards[-1]]
        assert "MB" in done.stderr  # progress, as plain lines
        assert "\r" not in done.stderr
        offline = subprocess.run(
            command(tmp_path / "again"),
            env={**environment, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert hub_server.COMMIT in offline.stdout
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert set(shards) < set(record["files"])
    refused = subprocess.run(
        command(tmp_path / "other"),
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "empty")},
    )
    assert refused.returncode == 2
    assert "HF_HUB_OFFLINE is set" in refused.stderr
    assert "Traceback" not in refused.stderr
