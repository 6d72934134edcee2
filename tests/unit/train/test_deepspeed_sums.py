"""Sums of gradients over micro batches do not depend on how the global batch is split."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from paretoken.io.files import read_json

RECIPES = Path(__file__).parents[3] / "workflow" / "recipes" / "deepspeed"
WORKER = Path(__file__).with_name("deepspeed_worker.py")


def error_of(stage: int, summed: str) -> float:
    line = [sys.executable, str(WORKER), str(RECIPES / f"zero{stage}.json"), summed]
    # A compiler that cannot run: nothing may be compiled.
    environment = {**os.environ, "CXX": "/bin/false", "CC": "/bin/false"}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = [text for text in done.stdout.splitlines() if text.startswith("error ")]
    return float(found.split()[1])


@pytest.mark.slow
@pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
@pytest.mark.parametrize("stage", [2, 3])
def test_only_sums_in_fp32_are_exact(stage: int) -> None:
    named = read_json(RECIPES / f"zero{stage}.json")["data_types"]["grad_accum_dtype"]
    assert error_of(stage, named) < 1e-5
    assert error_of(stage, "bf16") > 1e-3
