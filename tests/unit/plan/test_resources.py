"""What jobs ask of a cluster."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from llava_stand_in import ROOT, llava_config
from paretoken.config.config import load
from paretoken.config.devices import BY_NAME
from paretoken.config.sources import StageGpus
from paretoken.errors import UserError
from paretoken.plan.durations import DECODED_PER_CORE_S
from paretoken.plan.resources import MARGIN, UNPACK_MIN, cpu_resources, resources, sized
from paretoken.plan.stage_estimate import estimate
from paretoken.plan.training_sets import LLAVA
from paretoken.study.grid import Cell, cells

CELL = Cell("qwen1.5-7b", "tokenpacker", 16, 0)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("config.yaml", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)


def test_a_limit_is_longer_than_the_estimate() -> None:
    config = llava_config()
    study, faster = config.study("paper"), config.model_copy(update={"device": "h100"})
    asked = resources(faster, study, CELL, "finetune")
    expected = estimate(config, study, CELL, "finetune", BY_NAME["h100"])
    assert asked.runtime_min * 60 > 2 * expected.duration.seconds
    assert (asked.gpus, asked.nodes) == (8, 1)
    assert asked.cpus == 8 * (1 + 4), "one process and its loading processes for each GPU"
    assert asked.mem_mb > 8 * 2 * 7721, "each process reads the model in bf16: DeepSpeed has fp32"
    assert resources(config, study, CELL, "finetune").runtime_min > asked.runtime_min


def test_more_gpus_than_a_node_has_are_spread_evenly() -> None:
    config = llava_config()
    found = estimate(config, config.study("paper"), CELL, "finetune", BY_NAME["h100"])
    asked = sized(replace(found, gpus=16), 4)
    assert (asked.gpus, asked.nodes) == (16, 2)
    assert asked.mem_mb == sized(replace(found, gpus=8), 4).mem_mb, "memory is per node"


def test_seeds_share_an_answer_and_configs_do_not() -> None:
    config = llava_config()
    study = config.study("paper")
    first = resources(config, study, CELL, "pretrain")
    assert resources(config, study, replace(CELL, seed=7), "pretrain") is first
    gpus = StageGpus(pretrain=8, finetune=8)
    llms = [llm.model_copy(update={"gpus": gpus}) for llm in config.llms]
    other = config.model_copy(update={"llms": llms})
    assert first.gpus == 4
    assert resources(other, other.study("paper"), CELL, "pretrain").gpus == 8


def test_the_miniature_requests_no_gpu() -> None:
    config = load(Path("config.yaml"))
    study = config.study("miniature")
    for stage in ("pretrain", "finetune", "predict"):
        asked = resources(config, study, cells(study)[0], stage)
        assert (asked.gpus, asked.nodes, asked.cpus, asked.zero) == (0, 1, 1, 0)
        assert 1000 < asked.mem_mb < 4000


def test_unknown_names_are_refused() -> None:
    config = llava_config()
    study = config.study("paper")
    with pytest.raises(UserError, match="did you mean 'h100'"):
        resources(config.model_copy(update={"device": "h10"}), study, CELL, "finetune")
    with pytest.raises(UserError, match="unknown stage"):
        resources(config, study, CELL, "train")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="unknown job"):
        cpu_resources("train")  # type: ignore[arg-type]
    assert cpu_resources("score").gpus == 0


def test_the_time_for_data_holds_unpacking_and_decoding_every_image() -> None:
    asked = cpu_resources("data")
    minutes = LLAVA["finetune"].images / (asked.cpus * DECODED_PER_CORE_S) / 60
    assert 20 < minutes < 60
    assert asked.runtime_min == UNPACK_MIN + math.ceil(MARGIN * minutes)
