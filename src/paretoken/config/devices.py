"""GPUs that studies run on: their memory and peak rates, from the makers' data sheets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from paretoken.errors import UserError
from paretoken.registry import unknown_name


@dataclass(frozen=True)
class Device:
    """One kind of GPU.

    Attributes:
        name: its name on the command line and in profiles.
        title: its name in reports.
        memory_gib: total memory as CUDA reports it; less than the nominal size (ECC, reserves).
        peak_tflops: of dense bf16 matrix products with fp32 accumulation (data sheets print twice as
            much, with sparsity).
        bandwidth_gb_s: of its memory, in 10^9 bytes per second.
        match: parts of ``torch.cuda.get_device_name``, each of which identifies it.
        source: where peak and bandwidth are published.
    """

    name: str
    title: str
    memory_gib: float
    peak_tflops: float
    bandwidth_gb_s: float
    match: tuple[str, ...]
    source: str


_AMPERE = "NVIDIA A100 Tensor Core GPU data sheet: 312 TFLOPS"

# Most data sheets print peaks with sparsity; the dense peak is half of that. With fp32 accumulation,
# GeForce GPUs have half the rate of the matching workstation GPUs, which only the white papers say.
DEVICES = (
    Device("b200", "NVIDIA B200 180 GB", 178.3, 2250.0, 8000.0, ("B200",),
           "NVIDIA DGX B200 data sheet: 1,440 GB, 64 TB/s and 36 PFLOPS with sparsity for eight"),
    Device("h200-nvl", "NVIDIA H200 NVL 141 GB", 139.8, 835.5, 4800.0, ("H200 NVL",),
           "NVIDIA H200 Tensor Core GPU data sheet: 1,671 TFLOPS with sparsity, 4.8 TB/s"),
    Device("h200", "NVIDIA H200 141 GB", 139.8, 989.4, 4800.0, ("H200",),
           "NVIDIA H200 Tensor Core GPU data sheet: 1,979 TFLOPS with sparsity, 4.8 TB/s"),
    Device("gh200", "NVIDIA GH200 96 GB", 94.5, 989.4, 4000.0, ("GH200 480GB", "GH200 120GB"),
           "NVIDIA GH200 Grace Hopper Superchip data sheet: 1,979 TFLOPS with sparsity, 4 TB/s of HBM3"),
    Device("h100", "NVIDIA H100 SXM 80 GB", 79.1, 989.4, 3350.0, ("H100 80GB HBM3",),
           "NVIDIA H100 Tensor Core GPU white paper: 989.4 TFLOPS; data sheet: 3.35 TB/s"),
    Device("h100-nvl", "NVIDIA H100 NVL 94 GB", 93.0, 835.5, 3938.0, ("H100 NVL",),
           "NVIDIA H100 Tensor Core GPU data sheet: 1,671 TFLOPS with sparsity, 3.9 TB/s"),
    Device("h100-pcie", "NVIDIA H100 PCIe 80 GB", 79.1, 756.0, 2039.0, ("H100 PCIe",),
           "NVIDIA H100 Tensor Core GPU white paper: 756 TFLOPS; data sheet: 2 TB/s"),
    Device("a100-80g", "NVIDIA A100 SXM 80 GB", 79.1, 312.0, 2039.0,
           ("A100-SXM4-80GB", "A100-SXM-80GB"), _AMPERE + ", 2,039 GB/s"),
    Device("a100-80g-pcie", "NVIDIA A100 PCIe 80 GB", 79.1, 312.0, 1935.0, ("A100 80GB PCIe",),
           _AMPERE + ", 1,935 GB/s"),
    Device("a100-40g", "NVIDIA A100 40 GB", 39.4, 312.0, 1555.0,
           ("A100-SXM4-40GB", "A100-PCIE-40GB"), _AMPERE + ", 1,555 GB/s"),
    Device("a6000", "NVIDIA RTX A6000 48 GB", 47.5, 154.8, 768.0, ("RTX A6000",),
           "NVIDIA Ampere GA102 GPU Architecture white paper: 154.8 TFLOPS, 768 GB/s"),
    Device("a40", "NVIDIA A40 48 GB", 44.3, 149.7, 696.0, ("A40",),
           "NVIDIA A40 data sheet: 149.7 TFLOPS, 696 GB/s"),
    Device("l40s", "NVIDIA L40S 48 GB", 44.3, 362.05, 864.0, ("L40S",),
           "NVIDIA L40S data sheet: 362.05 TFLOPS, 864 GB/s"),
    Device("l40", "NVIDIA L40 48 GB", 44.3, 181.05, 864.0, ("L40",),
           "NVIDIA L40 data sheet: 181.05 TFLOPS, 864 GB/s"),
    Device("6000-ada", "NVIDIA RTX 6000 Ada 48 GB", 47.4, 364.2, 960.0, ("RTX 6000 Ada Generation",),
           "NVIDIA Ada GPU Architecture white paper: 1,457 TFLOPS of FP8 with sparsity, 960 GB/s"),
    Device("rtx4090", "NVIDIA GeForce RTX 4090 24 GB", 23.6, 165.2, 1008.0, ("RTX 4090",),
           "NVIDIA Ada GPU Architecture white paper: 165.2 TFLOPS, fp32 accumulation, 1,008 GB/s"),
    Device("rtx3090", "NVIDIA GeForce RTX 3090 24 GB", 23.6, 71.0, 936.0, ("RTX 3090",),
           "NVIDIA Ampere GA102 GPU Architecture white paper: 71 TFLOPS, fp32 accumulation, 936 GB/s"),
)  # fmt: skip

BY_NAME = {device.name: device for device in DEVICES}


def device(name: str) -> Device:
    """Return the device called ``name`` (`UserError` with the valid names otherwise)."""
    if name not in BY_NAME:
        raise UserError(unknown_name("device", name, BY_NAME))
    return BY_NAME[name]


def find_device(cuda_name: str) -> Device | None:
    """Return the device that ``torch.cuda.get_device_name`` names; None if it is not in the table.

    Slices of a GPU (MIG) and variants (Laptop, Ti, D) are not in the table: their peak and memory
    differ.
    """
    if {"MIG", "Laptop", "Ti", "D"} & set(cuda_name.split()):
        return None
    for known in DEVICES:
        if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", cuda_name) for word in known.match):
            return known
    return None
