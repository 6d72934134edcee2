"""The record of a finished stage, ``run.json``, which is written last and atomically."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path
from typing import Any

import torch

from paretoken.io.files import write_json
from paretoken.io.finished import RUN_FILE
from paretoken.io.versions import git_state, versions

PACKAGES = ("torch", "transformers", "accelerate", "safetensors", "numpy", "deepspeed")


def device_record() -> dict[str, Any]:
    """Return the devices and the machine on which the stage ran."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "kind": "cuda" if gpus else "cpu",
        "gpus": gpus,
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }


def peak_memory() -> dict[str, int]:
    """Return the largest memory use so far, in bytes."""
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    device = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return {"host_bytes": host, "device_bytes": device}


def write_run(folder: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Write ``run.json`` with provenance, device and peak memory added; return it."""
    record = {
        **content,
        "git": git_state(Path(__file__).parent),
        "versions": versions(*PACKAGES),
        "device": device_record(),
        "peak_memory": peak_memory(),
    }
    write_json(folder / RUN_FILE, record)
    return record
