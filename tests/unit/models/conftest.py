from __future__ import annotations

from pathlib import Path

import pytest
import torch

import tiny


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    tiny.save_llm(folder / "qwen2")
    tiny.save_llm(folder / "llama", kind="llama", tied=False)
    tiny.save_vision(folder / "vision")
    return folder


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
