from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import hub_server
import tiny


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny repositories: llm (one file), sharded, bin, vision and data."""
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("sources")
    tiny.save_llm(folder / "llm")
    tiny.save_vision(folder / "vision")
    model = AutoModelForCausalLM.from_pretrained(folder / "llm")
    tiny.save_llm(folder / "sharded")
    (folder / "sharded" / "model.safetensors").unlink()
    model.save_pretrained(folder / "sharded", max_shard_size="15KB")
    tiny.save_llm(folder / "bin")
    (folder / "bin" / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "bin" / "pytorch_model.bin")
    (folder / "llm" / "modeling_evil.py").write_text("raise SystemExit('ran')")
    (folder / "llm" / "original").mkdir()
    (folder / "llm" / "original" / "consolidated.00.pth").write_bytes(b"x" * 1000)
    (folder / "llm" / "pytorch_model.bin").write_bytes(b"the same weights again")
    (folder / "data").mkdir()
    (folder / "data" / "train.json").write_text(json.dumps([{"id": "1"}]))
    (folder / "data" / "images.zip").write_bytes(b"z" * 5000)
    (folder / "data" / "load.py").write_text("raise SystemExit('ran')")
    return folder


@pytest.fixture
def hub(sources: Path) -> Iterator[hub_server.Hub]:
    models = {f"me/{name}": sources / name for name in ("llm", "sharded", "bin", "vision")}
    with hub_server.serving(hub_server.Hub(models, {"me/data": sources / "data"})) as made:
        yield made


@pytest.fixture(autouse=True)
def cache(hub: hub_server.Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of this test's own."""
    folder = tmp_path / "home" / "hub"
    hub_server.use(hub, folder, monkeypatch)
    return folder
