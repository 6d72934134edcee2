"""What jobs of cells and sources ask a cluster for."""

from __future__ import annotations

from collections.abc import Callable

from paretoken.plan.from_config import Stage
from paretoken.plan.resources import CpuStage, Resources, cpu_resources, resources
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
            study = self.study(wildcards)
            return grown(resources(self.config, study, cell_of(wildcards), stage), what, attempt)

        return amount


def grown(asked: Resources, what: str, attempt: int) -> int:
    """Return an amount of what a job asks for, at an attempt from 1."""
    return int(getattr(asked, what)) * (attempt if what in GROWING else 1)


def fixed(stage: CpuStage, what: str) -> Amount:
    """Return what a job needs that no cell's size decides."""
    asked = cpu_resources(stage)

    def amount(wildcards: Wildcards, attempt: int) -> int:
        return grown(asked, what, attempt)

    return amount if what in GROWING else grown(asked, what, 1)
