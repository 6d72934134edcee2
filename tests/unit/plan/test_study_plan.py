"""A study's plan: every cell and stage, sums, budget, correction by finished stages, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llava_stand_in import ROOT, llava_config, read_rows, write_record
from paretoken.cli import main
from paretoken.config.config import load
from paretoken.config.devices import BY_NAME
from paretoken.errors import UserError
from paretoken.plan.plan_pages import as_csv, as_json, as_text
from paretoken.plan.stage_estimate import estimate
from paretoken.plan.study_plan import plan_study, totals
from paretoken.study.grid import Cell

A100 = BY_NAME["a100-80g"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's settings and no results."""
    for name in ("config.yaml", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_cell_and_stage_of_a_llava_study(project: Path) -> None:
    config = llava_config()
    plan = plan_study(config, config.study("paper"), A100, price=2.0)
    assert len(plan.lines) == 2 * 3 * 3
    by = {(e.cell.llm, e.cell.tokens, e.stage): e for e in (line.planned for line in plan.lines)}
    small, large = by["qwen1.5-0.5b", 576, "finetune"], by["qwen1.5-7b", 576, "finetune"]
    assert (large.gpus, by["qwen1.5-7b", 1, "predict"].gpus) == (8, 1)
    assert large.work.steps == 5198, "an override of the study changes the global batch"
    assert large.gpu_hours > 8 * small.gpu_hours
    assert large.disk > 2 * 12 * 7.7e9, "two checkpoints of weights and moments, and the model"
    found = totals(plan)
    assert found["gpu_hours"] == pytest.approx(sum(e.gpu_hours for e in by.values()))
    assert found["cost"] == pytest.approx(2 * found["gpu_hours"])


def test_a_small_device_gets_a_remedy(project: Path) -> None:
    config = llava_config(["global_batch=128", "micro_batch=16", "packing=false"])
    cell = Cell("qwen1.5-7b", "tokenpacker", 576, 0)
    found = estimate(config, config.study("paper"), cell, "finetune", BY_NAME["a100-40g"])
    assert found.fits is False
    assert found.memory_gib is not None
    assert found.memory_gib > 39
    assert "micro_batch" in found.remedy
    assert estimate(config, config.study("paper"), cell, "pretrain", A100).fits


def test_faster_devices_take_less_time_and_utilisation_divides_it(project: Path) -> None:
    config = llava_config()
    study, cell = config.study("paper"), Cell("qwen1.5-7b", "tokenpacker", 576, 0)

    def seconds(device: str, utilisation: float | None = None) -> float:
        took = estimate(config, study, cell, "finetune", BY_NAME[device], utilisation).duration
        return took.seconds - took.start

    assert seconds("a6000") > seconds("a100-80g") > seconds("h100")
    assert seconds("a100-80g", 0.2) == pytest.approx(2 * seconds("a100-80g", 0.4))


def test_budget(project: Path) -> None:
    config = llava_config(budget_gpu_hours=10.0)
    assert plan_study(config, config.study("paper"), A100).over_budget
    assert not plan_study(config, config.study("paper"), A100, budget=1e6).over_budget
    assert not plan_study(llava_config(), config.study("paper"), A100, budget=1e6).over_budget


def test_finished_stages_correct_the_others(project: Path) -> None:
    config = llava_config()
    study = config.study("paper")
    cell = Cell("qwen1.5-7b", "tokenpacker", 16, 0)
    expected = estimate(config, study, cell, "finetune", A100)
    pure = expected.duration.seconds - expected.duration.start
    gpus = ["NVIDIA A100-SXM4-80GB"] * 8
    folder = cell.folder("paper") / "finetune"
    write_record(folder, 2 * pure, expected.work.flops, gpus)
    plan = plan_study(config, study, A100)
    found = plan.corrections["finetune"]
    assert found.factor == pytest.approx(2, rel=1e-6)
    assert found.utilisation == pytest.approx(0.12, rel=1e-6)
    other = next(
        line
        for line in plan.lines
        if line.planned.cell.tokens == 576 and line.planned.stage == "finetune"
    )
    plain = estimate(config, study, other.planned.cell, "finetune", A100).duration
    assert other.planned.duration.seconds - plain.start == pytest.approx(
        2 * (plain.seconds - plain.start)
    )
    assert "pretrain" not in plan.corrections
    assert "2.00 times" in as_text(plan)
    row = next(r for r in read_rows(as_csv([plan])) if r["measured_hours"])
    assert float(row["measured_memory_gib"]) == 32.0
    # The same run says the same about another device: utilisation carries over, seconds do not.
    assert plan_study(config, study, BY_NAME["h100"]).corrections["finetune"].factor == pytest.approx(
        2, rel=0.01
    )


def test_with_a_stated_utilisation_nothing_is_corrected(project: Path) -> None:
    config = llava_config()
    cell = Cell("qwen1.5-7b", "tokenpacker", 16, 0)
    write_record(cell.folder("paper") / "finetune", 1e6, 1e18, ["NVIDIA A100-SXM4-80GB"] * 8)
    assert not plan_study(config, config.study("paper"), A100, utilisation=0.4).corrections


def test_a_damaged_record_is_not_a_measurement(project: Path) -> None:
    config = llava_config()
    folder = Cell("qwen1.5-7b", "tokenpacker", 16, 0).folder("paper") / "finetune"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"steps": 3')
    assert not plan_study(config, config.study("paper"), A100).corrections


def test_a_fetched_model_is_the_truth(project: Path) -> None:
    config = llava_config()
    folder = Path("results/paper/sources/llms/qwen1.5-7b")
    folder.mkdir(parents=True)
    shape = {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "vocab_size": 1000,
        "model_type": "qwen2",
    }
    (folder / "config.json").write_text(json.dumps(shape))
    cell = Cell("qwen1.5-7b", "tokenpacker", 16, 0)
    found = estimate(config, config.study("paper"), cell, "finetune", A100)
    assert found.shape_origin.endswith("qwen1.5-7b/config.json")


def test_pages_agree(project: Path) -> None:
    config = llava_config()
    plan = plan_study(config, config.study("paper"), A100, price=1.5)
    rows = read_rows(as_csv([plan]))
    content = json.loads(as_json([plan]))[0]
    assert len(rows) == len(content["rows"]) == 18
    assert sum(float(row["gpu_hours"]) for row in rows) == pytest.approx(plan.gpu_hours)
    assert content["totals"]["cost"] == pytest.approx(1.5 * plan.gpu_hours)
    assert "LLaVA-1.5's published hours" in as_text(plan)


def test_the_miniature_is_planned_in_cpu_seconds(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--study", "miniature", "--format", "csv"]) == 0
    rows = read_rows(capsys.readouterr().out)
    study = load(Path("config.yaml")).study("miniature")
    grid = len(study.llms) * sum(len(c.tokens) for c in study.compressors) * len(study.seeds)
    blind = len(study.training.blind) * len(study.seeds) if study.training else 0
    assert len(rows) == 3 * (grid + blind)
    assert {row["device"] for row in rows} == {"cpu"}
    assert 300 < sum(3600 * float(row["hours"]) for row in rows) < 10_000


def test_a_measured_study_has_nothing_to_plan(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--study", "published"]) == 2
    assert "trains nothing" in capsys.readouterr().err
    assert main(["plan", "--study", "nope"]) == 2
    with pytest.raises(UserError):
        load(Path("nowhere.yaml"))


def test_the_command_fails_over_budget_and_writes_files(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(path: Path) -> Any:
        return llava_config()

    monkeypatch.setattr("paretoken.commands.plan.load", read)
    wanted = ["plan", "--study", "paper", "--devices", "h100", "a6000", "--format", "json"]
    assert main([*wanted, "--out", "plan.json", "--budget-gpu-hours", "5"]) == 1
    assert capsys.readouterr().err.count("more than its budget of 5") == 2
    assert [part["totals"]["device"] for part in json.loads(Path("plan.json").read_text())] == [
        "h100",
        "a6000",
    ]


def test_a_training_that_cells_share_is_planned_once(project: Path) -> None:
    config = load(Path("config.yaml"))
    plan = plan_study(config, config.study("table1"), A100)
    stages = [(line.planned.cell, line.planned.stage) for line in plan.lines]
    elastic = [(cell, stage) for cell, stage in stages if cell.compressor == "matryoshka_pooling"]
    assert [stage for cell, stage in elastic if cell.seed == 0].count("finetune") == 1
    assert [stage for cell, stage in elastic if cell.seed == 0].count("predict") == 4
    assert {cell.tokens for cell, stage in elastic if stage == "finetune"} == {576}
    assert totals(plan)["cells"] == 141
    work = {
        line.planned.cell.compressor: line.planned.work
        for line in plan.lines
        if line.planned.stage == "finetune" and line.planned.cell.tokens == 576
    }
    assert work["matryoshka_pooling"].tokens > 4 * work["none"].tokens / 3  # every scale, every text
    assert work["matryoshka_pooling"].images == work["none"].images
