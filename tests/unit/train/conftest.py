from __future__ import annotations

from pathlib import Path

import pytest
import torch

import tiny


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with features and tokens, which no test may change."""
    torch.set_num_threads(1)
    return tiny.save_prepared_world(tmp_path_factory.mktemp("tiny_world"), "--aspect", "crop")
