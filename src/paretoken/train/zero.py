"""DeepSpeed: its JSON, its set-up, and models whose weights ZeRO partitions."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from paretoken.errors import UserError
from paretoken.train.checkpoints import Checkpoint
from paretoken.train.deepspeed_file import read_deepspeed_file
from paretoken.train.distributed import rank


def read_zero(path: Path) -> dict[str, Any]:
    """Return the validated content of a DeepSpeed JSON.

    Raises:
        UserError: DeepSpeed is not installed, the file is missing or damaged, or it sets what the
            recipe sets.
    """
    if find_spec("deepspeed") is None:
        raise UserError(
            f"the recipe trains with DeepSpeed ({path.name}), which is not installed; run "
            "`pip install -c constraints.txt 'paretoken[deepspeed]'`, or train without it: "
            "--set deepspeed=null"
        )
    return read_deepspeed_file(path)


def prepare_deepspeed() -> None:
    """Prevent DeepSpeed from compiling its shared-memory collectives if there is no GPU.

    They are used for inference only, and compiling them takes a minute and a compiler.
    """
    # It would warn that DeepSpeed's number of accumulation steps is used, which equals the Trainer's.
    logging.getLogger("accelerate.accelerator").setLevel(logging.ERROR)
    if torch.cuda.is_available():
        return
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def require_same_split(checkpoint: Checkpoint | None, devices: int) -> None:
    """Require that a checkpoint is split over the number of devices that train now.

    Raises:
        UserError: it is split over another number of devices.
    """
    if checkpoint is None or checkpoint.progress["devices"] == devices:
        return
    raise UserError(
        f"{checkpoint.path} is split over {checkpoint.progress['devices']} devices and cannot be "
        f"resumed on {devices}; start as many processes as before, or delete {checkpoint.path.parent} "
        "to train from the start"
    )


def is_split(parameter: nn.Parameter) -> bool:
    """Return whether ZeRO-3 keeps only a part of a parameter in this process."""
    return hasattr(parameter, "ds_id")


def size(parameter: nn.Parameter) -> int:
    """Return the number of elements of a whole parameter, also if it is partitioned."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def gather_parameters(model: nn.Module) -> None:
    """Gather the parameters of a model that ZeRO-3 has partitioned, on the CPU of process 0.

    All processes must call it; in the others, the parameters are then empty. Parameters are gathered
    one at a time, so that no device needs memory for all. Shared parameters stay shared.
    """
    whole: dict[int, nn.Parameter] = {}
    for module in list(model.modules()):
        for name, parameter in list(module.named_parameters(recurse=False)):
            if not is_split(parameter):
                continue
            if id(parameter) not in whole:
                whole[id(parameter)] = nn.Parameter(_gathered(parameter), parameter.requires_grad)
            module._parameters[name] = whole[id(parameter)]


def _gathered(parameter: nn.Parameter) -> Tensor:
    import deepspeed

    with deepspeed.zero.GatheredParameters([parameter]):
        if rank():
            return torch.empty(0, dtype=parameter.dtype)
        return parameter.detach().to("cpu", copy=True)


def keep_frozen(model: nn.Module) -> Any:
    """Let ``model`` load checkpoints without its frozen parameters, which keep their values.

    Returns:
        A handle; its ``remove()`` restores the usual loading.
    """
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}

    def ignore_frozen(_: nn.Module, keys: Any) -> None:
        keys.missing_keys[:] = [key for key in keys.missing_keys if key not in frozen]

    register: Any = model.register_load_state_dict_post_hook  # untyped
    return register(ignore_frozen)
