from __future__ import annotations

import pytest

from paretoken.config.devices import DEVICES, device, find_device
from paretoken.errors import UserError


@pytest.mark.parametrize(
    ("cuda_name", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H100 NVL", "h100-nvl"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA H200 NVL", "h200-nvl"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA B200", "b200"),
        ("NVIDIA A100-SXM4-80GB", "a100-80g"),
        ("NVIDIA A100-SXM-80GB", "a100-80g"),
        ("NVIDIA A100 80GB PCIe", "a100-80g-pcie"),
        ("NVIDIA A100-SXM4-40GB", "a100-40g"),
        ("NVIDIA A100-PCIE-40GB", "a100-40g"),
        ("NVIDIA RTX A6000", "a6000"),
        ("NVIDIA RTX 6000 Ada Generation", "6000-ada"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L40", "l40"),
        ("NVIDIA A40", "a40"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA GeForce RTX 3090", "rtx3090"),
    ],
)
def test_devices_are_recognised_by_what_cuda_calls_them(cuda_name: str, name: str) -> None:
    found = find_device(cuda_name)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "cuda_name",
    [
        "NVIDIA A100-SXM4-80GB MIG 3g.40gb",
        "NVIDIA A100-SXM-64GB",
        "NVIDIA GH200 144G HBM3e",
        "NVIDIA GB200",
        "NVIDIA GeForce RTX 3090 Ti",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA RTX A400",
        "AMD Instinct MI300X",
    ],
)
def test_unknown_devices_are_not_guessed(cuda_name: str) -> None:
    assert find_device(cuda_name) is None


def test_names_are_exact_and_listed_in_the_error() -> None:
    assert device("a100-80g").memory_gib == pytest.approx(79.1)
    with pytest.raises(UserError, match=r"unknown device 'a100'; write one of: b200, h200.*a100-80g"):
        device("a100")


def test_every_device_is_complete() -> None:
    assert len({known.name for known in DEVICES}) == len(DEVICES)
    for known in DEVICES:
        # A card's memory is read in 10 to 60 ms; a wrong unit would be off by a factor of 8 or more.
        assert 0.01 < known.memory_gib * 2**30 / (known.bandwidth_gb_s * 1e9) < 0.07
        assert 50 < known.peak_tflops < 3000
        assert known.source
