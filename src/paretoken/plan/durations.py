"""How long work takes: FLOPs at a stated utilisation, and what is not FLOPs."""

from __future__ import annotations

from dataclasses import dataclass

from paretoken.config.devices import Device
from paretoken.plan.stage_work import Work

#: Model FLOPs utilisation (recomputed activations not counted) of each stage on GPUs. One number per
#: stage, such that LLaVA-1.5's published hours of both its sizes come out (7B and 13B on 8 A100; the
#: numbers that each implies alone are .29 and .36 in stage 1, .25 and .24 in stage 2). Stage 2 has the
#: lower one: ZeRO-3 gathers every weight three times a step, AdamW updates every weight, and lengths
#: are uneven. Recomputing activations alone caps it at 3/4 of what the hardware does.
UTILISATION = {"pretrain": 0.31, "finetune": 0.24, "predict": 0.25}

#: Images that one loading process decodes, resizes and normalises per second.
IMAGES_PER_WORKER_S = 30.0
#: Images of LLaVA's data (JPEG, mostly 640 x 480) that one core only decodes per second.
DECODED_PER_CORE_S = 100.0
#: Imports, reading weights and data, and writing the result, beside 1 GB/s of weights.
START_S, DISK_BYTES_S = 120.0, 1e9
#: One decoding step launches a layer's kernels from Python.
LAYER_LAUNCH_S = 6e-4

#: The miniature on one CPU core: matrix products of its sizes, and the Trainer's overhead of a step.
CPU_FLOPS, CPU_STEP_S, CPU_START_S, CPU_ANSWER_S = 4e10, 0.015, 6.0, 5e-4


@dataclass(frozen=True)
class Duration:
    """How long a job takes.

    Attributes:
        seconds: on the clock (of the miniature: of the processor), start included.
        bound: what they are spent on mostly: compute, decoding, images or start.
        start: seconds before the work begins and after it ends, which records do not count.
    """

    seconds: float
    bound: str
    start: float

    def times(self, factor: float) -> Duration:
        """Return this with all but the start multiplied."""
        return Duration(self.start + factor * (self.seconds - self.start), self.bound, self.start)


def training_time(
    work: Work, device: Device, gpus: int, workers: int, utilisation: float, online: bool
) -> Duration:
    """Return how long a training stage takes on GPUs.

    Args:
        work: of the stage.
        device: kind of GPU.
        gpus: how many train together.
        workers: loading processes of each.
        utilisation: share of the peak.
        online: whether images are loaded while training.
    """
    compute = work.flops / (gpus * device.peak_tflops * 1e12 * utilisation)
    loading = work.images / (gpus * max(1, workers) * IMAGES_PER_WORKER_S) if online else 0.0
    start = START_S + 2 * work.parameters / DISK_BYTES_S
    bound = max((compute, "compute"), (loading, "images"), (start, "start"))[1]
    return Duration(max(compute, loading) + start, bound, start)


def prediction_time(
    work: Work, layers: int, device: Device, gpus: int, workers: int, utilisation: float
) -> Duration:
    """Return how long answering takes: prefill by FLOPs, and per decoding step reading all weights."""
    compute = work.flops / (gpus * device.peak_tflops * 1e12 * utilisation)
    reading = 2 * work.parameters / (device.bandwidth_gb_s * 1e9) + layers * LAYER_LAUNCH_S
    decoding = work.steps * reading / gpus
    loading = work.images / (gpus * max(1, workers) * IMAGES_PER_WORKER_S)
    start = START_S + 2 * work.parameters / DISK_BYTES_S
    bound = max((compute, "compute"), (decoding, "decoding"), (loading, "images"), (start, "start"))[1]
    return Duration(max(compute + decoding, loading) + start, bound, start)


def cpu_time(work: Work, stage: str) -> Duration:
    """Return how long a stage of the miniature takes on one core."""
    per_item = CPU_ANSWER_S * work.conversations if stage == "predict" else CPU_STEP_S * work.steps
    seconds = work.flops / CPU_FLOPS + per_item + CPU_START_S
    return Duration(seconds, "compute", CPU_START_S)
