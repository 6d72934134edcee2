"""Durations of jobs: FLOPs at an assumed utilisation, and everything that is not FLOPs."""

from __future__ import annotations

from dataclasses import dataclass

from paretoken.config.devices import Device
from paretoken.plan.stage_work import Work

#: Model FLOPs utilisation (recomputed activations not counted) of each stage on GPUs. The numbers
#: reproduce LLaVA-1.5's published hours for both of its sizes (7B and 13B on 8 A100; each size alone
#: implies .29 and .36 in stage 1, .25 and .24 in stage 2). Stage 2 has a lower utilisation, because
#: ZeRO-3 gathers every weight three times a step, AdamW updates every weight, and lengths are uneven.
#: Recomputing activations alone limits it to 3/4 of the hardware's.
UTILISATION = {"pretrain": 0.31, "finetune": 0.24, "predict": 0.25}

#: Images that one loading process decodes, resizes and normalises per second.
IMAGES_PER_WORKER_S = 30.0
#: Images of LLaVA's data (JPEG, mostly 640 x 480) that one core decodes per second, without resizing.
DECODED_PER_CORE_S = 100.0
#: Seconds for imports, reading data and writing the result, and bytes of weights read per second.
START_S, DISK_BYTES_S = 120.0, 1e9
#: Seconds to launch a layer's kernels from Python, in one decoding step.
LAYER_LAUNCH_S = 6e-4

#: The miniature on one CPU core: FLOP/s of its matrix products, seconds of overhead per training step,
#: seconds to start, and seconds of overhead per answer.
CPU_FLOPS, CPU_STEP_S, CPU_START_S, CPU_ANSWER_S = 4e10, 0.015, 6.0, 5e-4


@dataclass(frozen=True)
class Duration:
    """The duration of a job.

    Attributes:
        seconds: wall-clock seconds (for the miniature: CPU seconds), start included.
        bound: what takes most of the time: compute, decoding, images or start.
        start: seconds before the work begins and after it ends, which ``run.json`` does not count.
    """

    seconds: float
    bound: str
    start: float

    def times(self, factor: float) -> Duration:
        """Return the duration with everything but the start multiplied by ``factor``."""
        return Duration(self.start + factor * (self.seconds - self.start), self.bound, self.start)


def training_time(
    work: Work, device: Device, gpus: int, workers: int, utilisation: float, online: bool
) -> Duration:
    """Return how long a training stage takes on GPUs.

    Args:
        work: the work of the stage.
        device: kind of GPU.
        gpus: number of GPUs.
        workers: loading processes per GPU.
        utilisation: share of the peak.
        online: whether images are loaded during training.
    """
    compute = work.flops / (gpus * device.peak_tflops * 1e12 * utilisation)
    loading = work.images / (gpus * max(1, workers) * IMAGES_PER_WORKER_S) if online else 0.0
    start = START_S + 2 * work.parameters / DISK_BYTES_S
    bound = max((compute, "compute"), (loading, "images"), (start, "start"))[1]
    return Duration(max(compute, loading) + start, bound, start)


def prediction_time(
    work: Work, layers: int, device: Device, gpus: int, workers: int, utilisation: float
) -> Duration:
    """Return how long answering takes: prefill by FLOPs, and reading all weights per decoding step."""
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
