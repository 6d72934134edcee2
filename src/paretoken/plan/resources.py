"""Resources that jobs request from a cluster: the `gpus`, `mem_mb` and `runtime` of rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from paretoken.config.config import Config
from paretoken.config.devices import device as known_device
from paretoken.config.study import Study
from paretoken.errors import UserError
from paretoken.plan import from_config
from paretoken.plan.durations import DECODED_PER_CORE_S
from paretoken.plan.from_config import STAGES, Stage
from paretoken.plan.stage_estimate import PREDICT_WORKERS, Estimate, estimate
from paretoken.plan.training_sets import LLAVA
from paretoken.study.grid import Cell

GPUS_PER_NODE = 8
#: Ratio of a time limit to the estimate; published runs with 16 visual tokens took 2.4 times as long.
MARGIN = 2.5
#: Host memory of a Python process with torch and of a loading process, and the shortest time limit.
PROCESS_MB, WORKER_MB, SHORTEST_MIN = 6000, 1000, 10

CpuStage = Literal["fetch", "data", "tokenize", "features", "questions", "score", "sources"]


@dataclass(frozen=True)
class Resources:
    """The resources that a job requests at its first attempt.

    Attributes:
        gpus: total number of GPUs; 0 for jobs that use none.
        nodes: number of nodes.
        cpus: CPU cores per node.
        mem_mb: host memory per node, in MB.
        runtime_min: time limit, in minutes.
        zero: DeepSpeed's ZeRO stage for which memory was estimated; 0: none.
    """

    gpus: int
    nodes: int
    cpus: int
    mem_mb: int
    runtime_min: int
    zero: int = 0


#: Resources of `data`: cores, minutes to unpack about 130 GB of images, and minutes to decode each image
#: once (the larger set names 624,610, some of them in several conversations).
DATA_CPUS, UNPACK_MIN = 4, 480
DECODE_MIN = math.ceil(MARGIN * LLAVA["finetune"].images / (DATA_CPUS * DECODED_PER_CORE_S) / 60)

#: Jobs whose resources do not depend on a cell. `fetch` is for a model of 14 billion parameters,
#: `sources` for the miniature.
CPU_JOBS: dict[str, Resources] = {
    "fetch": Resources(0, 1, 2, 4000, 240),
    "data": Resources(0, 1, DATA_CPUS, 16_000, UNPACK_MIN + DECODE_MIN),
    "tokenize": Resources(0, 1, 4, 24_000, 120),
    "features": Resources(1, 1, 5, 32_000, 720),
    "questions": Resources(0, 1, 2, 16_000, 120),
    "score": Resources(0, 1, 1, 4000, 30),
    "sources": Resources(0, 1, 1, 2000, 30),
}


def cpu_resources(stage: CpuStage) -> Resources:
    """Return the resources of a job that prepares or scores (`UserError` if the stage is unknown).

    They do not depend on the study: the sizes are those of LLaVA-1.5's data.
    """
    if stage not in CPU_JOBS:
        raise UserError(f"unknown job {stage!r}; write one of: {', '.join(CPU_JOBS)}")
    return CPU_JOBS[stage]


def resources(config: Config, study: Study, cell: Cell, stage: Stage) -> Resources:
    """Return the resources of a stage of a cell.

    Args:
        config: the whole config.
        study: a trained study of it.
        cell: a cell of its grid.
        stage: pretrain, finetune or predict.

    Raises:
        UserError: the stage is unknown, or a recipe cannot be read.
    """
    key = (study.name, cell.llm, cell.compressor, cell.tokens, stage)
    known = _SIZED.get(key)
    if known is None or known[0] is not config:  # resources do not depend on the seed
        known = _SIZED[key] = config, _resources(config, study, cell, stage)
    return known[1]


#: Cache of resources: Snakemake asks for every job, and thousands of cells share a few sizes.
_SIZED: dict[tuple[str, str, str, int, str], tuple[Config, Resources]] = {}


def _resources(config: Config, study: Study, cell: Cell, stage: Stage) -> Resources:
    if stage not in STAGES:
        raise UserError(f"unknown stage {stage!r}; write one of: {', '.join(STAGES)}")
    found = estimate(config, study, cell, stage, known_device(config.device))
    if stage == "predict":
        return sized(found, PREDICT_WORKERS if found.gpus else 0)
    return sized(found, from_config.stage_recipe(from_config.training_of(study), stage).workers)


def sized(found: Estimate, workers: int) -> Resources:
    """Return the resources for an estimate.

    Args:
        found: the estimate.
        workers: loading processes of each GPU's process.
    """
    nodes = max(1, math.ceil(found.gpus / GPUS_PER_NODE))
    processes = max(1, math.ceil(found.gpus / nodes))
    if found.gpus:
        # Every process reads the whole model before ZeRO splits it: in bf16 if it is frozen, or if
        # DeepSpeed has fp32 copies (`paretoken.train.inputs`), otherwise in fp32.
        size = 4 if found.stage == "finetune" and not found.zero else 2
        process_mb = PROCESS_MB + workers * WORKER_MB + size * found.work.parameters / 1e6
    else:
        process_mb = 1500.0
    limit = math.ceil(MARGIN * found.duration.seconds / 60)
    return Resources(
        gpus=found.gpus,
        nodes=nodes,
        cpus=processes * (1 + workers),
        mem_mb=math.ceil(processes * process_mb),
        runtime_min=max(SHORTEST_MIN, limit),
        zero=found.zero,
    )
