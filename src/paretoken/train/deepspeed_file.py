"""Reading and validating a DeepSpeed JSON, which must not set what the recipe sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.io.escape import shown
from paretoken.io.files import read_json

#: Stages of ZeRO.
STAGES = (1, 2, 3)

#: Keys of a DeepSpeed JSON that conflict with the recipe or are unsupported, with the reasons.
REFUSED = {
    "optimizer": "the recipe sets betas, epsilon and weight_decay",
    "scheduler": "the recipe sets schedule and warmup",
    "fp16": "the recipe sets precision, fp32 or bf16",
}


def read_deepspeed_file(path: Path) -> dict[str, Any]:
    """Return the validated content of a DeepSpeed JSON.

    Raises:
        UserError: the file is missing or damaged, or it sets what the recipe sets, or
            gradients are not summed in fp32.
    """
    config = read_json(path)
    zero = config.get("zero_optimization") if isinstance(config, dict) else None
    if not isinstance(zero, dict) or zero.get("stage") not in STAGES or zero["stage"] is True:
        stage = zero.get("stage") if isinstance(zero, dict) else None
        raise UserError(
            f"{path}: zero_optimization.stage is {shown(stage)}; it must be one of 1, 2 and 3"
        )
    for key, reason in REFUSED.items():
        if key in config:
            raise UserError(f"{path} sets {shown(key)}: {reason}; remove it")
    types = config.get("data_types")
    summed = types.get("grad_accum_dtype") if isinstance(types, dict) else None
    if summed != "fp32":
        raise UserError(
            f"{path}: data_types.grad_accum_dtype is {shown(summed)}; it must be fp32, since sums of "
            "micro batches in bf16 depend on how many devices share them; add "
            '"data_types": {"grad_accum_dtype": "fp32"}'
        )
    return dict(config)
