"""What jobs of cells ask a cluster for."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from paretoken.config.config import Config
from paretoken.config.sources import StageGpus
from paretoken.plan.from_config import STAGES, Stage
from paretoken.plan.resources import CPU_JOBS, resources
from paretoken.study.grid import Cell
from paretoken.workflow.job_resources import GROWING, Requests, fixed

Of = Callable[..., SimpleNamespace]


def test_gpus_are_those_of_the_record(config: Config, cell_of: Of) -> None:
    rules = Requests(config)
    for llm, gpus in (("qwen1.5-7b", (4, 4, 1)), ("qwen1.5-14b", (4, 8, 1))):
        asked = tuple(rules.gpus(stage)(cell_of("paper", llm=llm)) for stage in STAGES)
        assert asked == gpus
    for study in ("miniature", "text_length"):
        assert [rules.gpus(stage)(cell_of(study)) for stage in STAGES] == [0, 0, 0]


def test_a_model_that_is_made_asks_for_gpus_that_it_names(config: Config, cell_of: Of) -> None:
    named = StageGpus(finetune=2)
    llms = [llm.model_copy(update={"gpus": named}) for llm in config.llms]
    rules = Requests(config.model_copy(update={"llms": llms}))
    assert [rules.gpus(stage)(cell_of("miniature")) for stage in STAGES] == [1, 2, 1]


def test_a_model_that_is_fetched_takes_one_gpu_unless_it_says_more(config: Config, cell_of: Of) -> None:
    bare = [
        type(llm).model_validate(llm.model_dump(exclude={"gpus"}, exclude_unset=True))
        for llm in config.llms
    ]
    rules = Requests(config.model_copy(update={"llms": bare}))
    assert [rules.gpus(stage)(cell_of("paper")) for stage in STAGES] == [1, 1, 1]
    assert [rules.gpus(stage)(cell_of("miniature")) for stage in STAGES] == [0, 0, 0]


@pytest.mark.parametrize("study", ["paper", "miniature"])
@pytest.mark.parametrize("stage", STAGES)
def test_jobs_of_cells_ask_for_what_is_planned(
    config: Config, cell_of: Of, study: str, stage: Stage
) -> None:
    where = cell_of(study)
    cell = Cell(where.llm, where.compressor, int(where.tokens), int(where.seed))
    planned = resources(config, config.study(study), cell, stage)
    rules = Requests(config)
    for what in ("cpus", "mem_mb", "runtime_min"):
        first = getattr(planned, what)
        assert rules.cell(stage, what)(where, 1) == first
        assert rules.cell(stage, what)(where, 3) == (3 * first if what in GROWING else first)


def test_fixed_amounts_grow_with_attempts_where_that_helps() -> None:
    for what in ("gpus", "cpus", "mem_mb", "runtime_min"):
        amount, same = fixed("data", what), getattr(CPU_JOBS["data"], what)
        if what in GROWING:
            assert callable(amount)
            where = SimpleNamespace(study="paper")
            assert [amount(where, attempt) for attempt in (1, 2)] == [same, 2 * same]
        else:
            assert amount == same
