"""Resources that jobs of cells and sources request from a cluster."""

from __future__ import annotations

from collections.abc import Callable

from paretoken.plan.from_config import Stage
from paretoken.plan.resources import CpuStage, Resources, cpu_resources, resources
from paretoken.workflow.wildcards import Rules, Wildcards, cell_of

#: Resources that grow with the number of the attempt.
GROWING = ("mem_mb", "runtime_min")
Amount = int | Callable[[Wildcards, int], int]


class Requests(Rules):
    """The `gpus`, `cpus`, `mem_mb` and `runtime` of rules, as functions of wildcards."""

    def gpus(self, stage: Stage) -> Callable[[Wildcards], int]:
        """Return a function of wildcards for the GPUs of a stage; for made models, only if set."""

        def number(wildcards: Wildcards) -> int:
            frozen = self.frozen(wildcards)
            record = frozen.llm(wildcards.llm)
            asked = frozen.fetched or "gpus" in record.model_fields_set
            return int(getattr(record.gpus, stage)) if asked else 0

        return number

    def cell(self, stage: Stage, what: str) -> Callable[[Wildcards, int], int]:
        """Return a function of wildcards for a resource of a cell's job, as in `paretoken plan`."""

        def amount(wildcards: Wildcards, attempt: int) -> int:
            study = self.study(wildcards)
            return grown(resources(self.config, study, cell_of(wildcards), stage), what, attempt)

        return amount


def grown(asked: Resources, what: str, attempt: int) -> int:
    """Return the amount of a resource at an attempt, which is counted from 1."""
    return int(getattr(asked, what)) * (attempt if what in GROWING else 1)


def fixed(stage: CpuStage, what: str) -> Amount:
    """Return a resource of a job that does not depend on a cell, or its function of wildcards."""
    asked = cpu_resources(stage)

    def amount(wildcards: Wildcards, attempt: int) -> int:
        return grown(asked, what, attempt)

    return amount if what in GROWING else grown(asked, what, 1)
