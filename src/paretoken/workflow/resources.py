"""What jobs of cells and sources ask a cluster for."""

from __future__ import annotations

from collections.abc import Callable

from paretoken.config import Config
from paretoken.planning.records import Stage
from paretoken.planning.resources import CpuStage, cpu_resources, resources
from paretoken.workflow.wildcards import Rules, Wildcards, cell_of

#: Amounts of which a later attempt gets more.
GROWING = ("mem_mb", "runtime_min")
Amount = int | Callable[[Wildcards, int], int]


class Requests(Rules):
    """Numbers that rules give as `gpus`, `cpus`, `mem_mb` and `runtime`."""

    def gpus(self, stage: Stage) -> Callable[[Wildcards], int]:
        """Return how many GPUs a job of a stage takes; a model that is made must ask for them."""

        def number(wildcards: Wildcards) -> int:
            frozen = self.frozen(wildcards)
            record = frozen.llm(wildcards.llm)
            asked = frozen.fetched or "gpus" in record.model_fields_set
            return int(getattr(record.gpus, stage)) if asked else 0

        return number

    def cell(self, stage: Stage, what: str) -> Callable[[Wildcards, int], int]:
        """Return what `paretoken plan` reckons that a job of a cell needs."""

        def amount(wildcards: Wildcards, attempt: int) -> int:
            config: Config = self.config
            planned = resources(config, self.study(wildcards), cell_of(wildcards), stage)
            return int(getattr(planned, what)) * (attempt if what in GROWING else 1)

        return amount


def fixed(stage: CpuStage, what: str) -> Amount:
    """Return what a job needs that no cell's size decides."""
    same = int(getattr(cpu_resources(stage), what))

    def amount(wildcards: Wildcards, attempt: int) -> int:
        return same * attempt

    return amount if what in GROWING else same
