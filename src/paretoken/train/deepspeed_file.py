"""A DeepSpeed JSON, checked: what is in it must not decide what the recipe decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.io.escape import shown
from paretoken.io.files import read_json

#: Stages of ZeRO.
STAGES = (1, 2, 3)

#: Parts of a DeepSpeed JSON that would decide what the recipe decides, or that this project lacks.
REFUSED = {
    "optimizer": "the recipe decides betas, epsilon and weight_decay",
    "scheduler": "the recipe decides schedule and warmup",
    "fp16": "precision is fp32 or bf16, in the recipe",
}


def read_deepspeed_file(path: Path) -> dict[str, Any]:
    """Read and check a DeepSpeed JSON.

    Raises:
        UserError: the file is missing or damaged, or it sets what the recipe decides.
    """
    config = read_json(path)
    zero = config.get("zero_optimization") if isinstance(config, dict) else None
    if not isinstance(zero, dict) or zero.get("stage") not in STAGES or zero["stage"] is True:
        raise UserError(f"{path}: zero_optimization.stage must be one of 1, 2 and 3")
    for key, reason in REFUSED.items():
        if key in config:
            raise UserError(f"{path} sets {shown(key)}: {reason}; remove it")
    return dict(config)
