"""Seeds: every command takes the same ones, and every generator takes all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from transformers import set_seed

from paretoken.cli import main
from paretoken.config.fields import Seed
from paretoken.io.ranges import LARGEST_SEED

COMMANDS = {
    "train": "--seed", "cell": "--seed", "cell-scores": "--seed", "fit": "--seed",
    "text-length": "--seed",
    "world": "--seed", "pretrain-vision": "--seed", "pretrain-llm": "--world-seed",
}  # fmt: skip


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1, 2**53, 1.5, "x"])
@pytest.mark.parametrize("command", COMMANDS)
def test_numbers_that_are_not_seeds_are_refused(
    command: str, seed: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, f"{COMMANDS[command]}={seed}"])
    assert stopped.value.code == 2
    assert f"argument {COMMANDS[command]}: '{seed}'" in capsys.readouterr().err


@pytest.mark.parametrize("seed", [0, LARGEST_SEED])
def test_all_generators_take_every_seed(seed: int) -> None:
    assert TypeAdapter(Seed).validate_python(seed) == seed
    set_seed(seed)
    torch.manual_seed(seed)
    np.random.default_rng([seed, 0])


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1, True])
def test_records_refuse_other_numbers(seed: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Seed).validate_python(seed)
