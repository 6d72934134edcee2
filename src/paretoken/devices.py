"""GPUs that studies run on: what they can do at most, from their makers' data sheets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from paretoken.errors import UserError
from paretoken.registry import unknown_name


@dataclass(frozen=True)
class Device:
    """One kind of GPU.

    Attributes:
        name: what a command line or a profile calls it.
        title: what a report calls it.
        memory_gib: total memory as CUDA reports it; less than the nominal size (ECC, reserves).
        peak_tflops: bf16 matrix products with fp32 sums, dense (data sheets print twice as much,
            with sparsity).
        bandwidth_gb_s: of its memory, in 10^9 bytes per second.
        match: words of ``torch.cuda.get_device_name``, each enough to recognise it.
        source: where peak and bandwidth are published.
    """

    name: str
    title: str
    memory_gib: float
    peak_tflops: float
    bandwidth_gb_s: float
    match: tuple[str, ...]
    source: str


_HOPPER = "NVIDIA H100 Tensor Core GPU data sheet"
_AMPERE = "NVIDIA A100 Tensor Core GPU data sheet"

DEVICES = (
    Device("b200", "NVIDIA B200 180 GB", 178.3, 2250.0, 8000.0, ("B200",),
           "NVIDIA DGX B200 data sheet, per GPU"),
    Device("h200", "NVIDIA H200 141 GB", 139.8, 989.4, 4800.0, ("H200",),
           "NVIDIA H200 Tensor Core GPU data sheet"),
    Device("gh200", "NVIDIA GH200 96 GB", 94.5, 989.4, 4000.0, ("GH200",),
           "NVIDIA GH200 Grace Hopper Superchip data sheet"),
    Device("h100", "NVIDIA H100 SXM 80 GB", 79.1, 989.4, 3350.0, ("H100 80GB HBM3",), _HOPPER),
    Device("h100-nvl", "NVIDIA H100 NVL 94 GB", 93.0, 835.5, 3938.0, ("H100 NVL",), _HOPPER),
    Device("h100-pcie", "NVIDIA H100 PCIe 80 GB", 79.1, 756.0, 2039.0, ("H100 PCIe",), _HOPPER),
    Device("a100-80g", "NVIDIA A100 80 GB", 79.1, 312.0, 2039.0,
           ("A100-SXM4-80GB", "A100 80GB PCIe"), _AMPERE),
    Device("a100-40g", "NVIDIA A100 40 GB", 39.4, 312.0, 1555.0,
           ("A100-SXM4-40GB", "A100-PCIE-40GB"), _AMPERE),
    Device("a6000", "NVIDIA RTX A6000 48 GB", 47.5, 154.8, 768.0, ("RTX A6000",),
           "NVIDIA Ampere GA102 GPU Architecture whitepaper"),
    Device("a40", "NVIDIA A40 48 GB", 44.3, 149.7, 696.0, ("A40",), "NVIDIA A40 data sheet"),
    Device("l40s", "NVIDIA L40S 48 GB", 44.3, 362.05, 864.0, ("L40S",), "NVIDIA L40S data sheet"),
    Device("l40", "NVIDIA L40 48 GB", 44.3, 181.05, 864.0, ("L40",), "NVIDIA L40 data sheet"),
    Device("6000-ada", "NVIDIA RTX 6000 Ada 48 GB", 47.4, 364.2, 960.0, ("RTX 6000 Ada Generation",),
           "NVIDIA Ada GPU Architecture whitepaper"),
    Device("rtx4090", "NVIDIA GeForce RTX 4090 24 GB", 23.6, 165.2, 1008.0, ("RTX 4090",),
           "NVIDIA Ada GPU Architecture whitepaper"),
    Device("rtx3090", "NVIDIA GeForce RTX 3090 24 GB", 23.6, 71.2, 936.0, ("RTX 3090",),
           "NVIDIA Ampere GA102 GPU Architecture whitepaper"),
)  # fmt: skip

BY_NAME = {device.name: device for device in DEVICES}


def device(name: str) -> Device:
    """Return the device of a name (`UserError` with all names if there is none)."""
    if name not in BY_NAME:
        raise UserError(unknown_name("device", name, BY_NAME))
    return BY_NAME[name]


def find_device(cuda_name: str) -> Device | None:
    """Return the device that ``torch.cuda.get_device_name`` names; None if it is not in the table.

    Slices of a GPU (MIG) and variants (Laptop, Ti, D) are not in the table: they have neither its peak
    nor its memory.
    """
    if {"MIG", "Laptop", "Ti", "D"} & set(cuda_name.split()):
        return None
    for known in DEVICES:
        if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", cuda_name) for word in known.match):
            return known
    return None
