"""DeepSpeed: its JSON, what of it must not run on a CPU, and models whose weights it has split up."""

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
    """Read and check a DeepSpeed JSON.

    Raises:
        UserError: DeepSpeed is not installed, the file is missing or damaged, or it sets what the
            recipe decides.
    """
    if find_spec("deepspeed") is None:
        raise UserError(
            f"the recipe trains with DeepSpeed ({path.name}), which is not installed; run "
            "`pip install -c constraints.txt 'paretoken[deepspeed]'`, or train without it: "
            "--set deepspeed=null"
        )
    return read_deepspeed_file(path)


def prepare_deepspeed() -> None:
    """Keep DeepSpeed from compiling its shared-memory collectives where there is no GPU.

    They serve inference only, and compiling them takes a minute and a compiler.
    """
    # It warns that DeepSpeed's count of accumulations is used, which is the Trainer's own.
    logging.getLogger("accelerate.accelerator").setLevel(logging.ERROR)
    if torch.cuda.is_available():
        return
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def refuse_other_split(checkpoint: Checkpoint | None, devices: int) -> None:
    """Refuse a checkpoint that was split over another number of devices.

    Raises:
        UserError: with what to do.
    """
    if checkpoint is None or checkpoint.progress["devices"] == devices:
        return
    raise UserError(
        f"{checkpoint.path} is split over {checkpoint.progress['devices']} devices and cannot be "
        f"continued on {devices}; start as many processes as before, or delete {checkpoint.path.parent} "
        "to train from the start"
    )


def is_split(parameter: nn.Parameter) -> bool:
    """Whether ZeRO-3 keeps only a part of a parameter in this process."""
    return hasattr(parameter, "ds_id")


def size(parameter: nn.Parameter) -> int:
    """Return the elements of a whole parameter."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def make_whole(model: nn.Module) -> None:
    """Put a model together again that ZeRO-3 has split up: on the CPU of process 0.

    All processes must call it; the others are left with a model without weights. Done one parameter
    at a time, so that no device needs room for all. Shared parameters stay shared.
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
    """Let ``model`` accept checkpoints without its frozen parameters, which come from their sources.

    Returns:
        A handle whose ``remove()`` ends that.
    """
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}

    def forgive(_: nn.Module, keys: Any) -> None:
        keys.missing_keys[:] = [key for key in keys.missing_keys if key not in frozen]

    register: Any = model.register_load_state_dict_post_hook  # untyped
    return register(forgive)
