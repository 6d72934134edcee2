"""A whole study's status: measured and trained studies, sums, what is left, and the command."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from llava_stand_in import ROOT, llava_config, write_record
from paretoken.cli import main
from paretoken.config.config import Config, load
from paretoken.config.study import Study
from paretoken.jobs.expected_jobs import cell_jobs, source_jobs
from paretoken.jobs.job_states import Job
from paretoken.jobs.signs_of_life import Signs
from paretoken.jobs.status_pages import as_json, as_text
from paretoken.jobs.study_status import study_status
from paretoken.study.grid import Cell, cells

NOBODY = Signs(time.time() + 1e6)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("config.yaml", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)


def finish(config: Config, study: Study, cell: Cell, *stages: str) -> None:
    """Leave what these stages of a cell leave."""
    for stage in stages:
        for job in cell_jobs(config.freeze(study.name), cell)[stage]:
            job.result.parent.mkdir(parents=True, exist_ok=True)
            job.result.touch()


def test_a_measured_study() -> None:
    config = load(Path("config.yaml"))
    study = config.study("published")
    grid = cells(study)
    finish(config, study, grid[0], "cell")
    log = cell_jobs(config.freeze("published"), grid[1])["cell"][0].log
    log.parent.mkdir(parents=True)
    log.write_text("paretoken cell: no row\n")
    found = study_status(config, study, NOBODY)
    assert found.cells_by_stage() == {
        "cell": {"done": 1, "running": 0, "queued": 0, "failed": 1, "missing": len(grid) - 2}
    }
    assert found.remaining is None
    assert "| paretoken cell: no row" in as_text(found)


def test_a_trained_study_stage_by_stage() -> None:
    config = llava_config()
    study = config.study("paper")
    first, second, *_ = cells(study)
    finish(config, study, first, "pretrain", "finetune", "predict")
    finish(config, study, second, "pretrain")
    found = study_status(config, study, NOBODY)
    words = {stage: str(state) for stage, state in found.cells[0].stages.items()}
    assert words == {
        "sources": "missing 0/8",
        "pretrain": "done",
        "finetune": "done",
        "predict": "done",
        "score": "missing 0/3",
    }
    assert found.cells_by_stage()["pretrain"]["done"] == 2
    assert sum(found.cells_by_stage()["score"].values()) == len(found.cells)


def test_shared_sources_are_listed_once() -> None:
    config = llava_config()
    study = config.study("paper")
    for source in source_jobs(config.freeze("paper"), cells(study)[0]):
        source.out.mkdir(parents=True, exist_ok=True)
        source.result.touch()
    shutil.rmtree("results/paper/sources/vision")
    log = Path("results/paper/sources/logs/fetch/vision.log")
    log.parent.mkdir(parents=True)
    log.write_text("paretoken fetch: no such repository\n")
    found = study_status(config, study, NOBODY)
    assert str(found.cells[0].stages["sources"]) == "failed 7/8"
    assert as_text(found).count("no such repository") == 1


def test_what_is_left_follows_from_what_finished() -> None:
    config = llava_config()
    study = config.study("paper")
    cell = cells(study)[0]
    assert study_status(config, study, NOBODY).remaining is None, "nothing has finished yet"
    folder = cell.folder("paper")
    write_record(folder / "pretrain", 100.0, 1e15, [])
    once = study_status(config, study, NOBODY).remaining
    assert once is not None
    shutil.rmtree(folder / "pretrain")
    write_record(folder / "pretrain", 10_000.0, 1e15, [])
    slower = study_status(config, study, NOBODY).remaining
    assert slower is not None
    assert slower.seconds > 10 * once.seconds
    assert (slower.jobs, slower.finished) == (1, 1)


def test_the_miniature_lists_its_sources() -> None:
    config = load(Path("config.yaml"))
    study = config.study("miniature")
    cell = cells(study)[0]
    names = [str(job.result) for job in source_jobs(config.freeze("miniature"), cell)]
    assert f"results/miniature/sources/s{cell.seed}/llms/{cell.llm}/run.json" in names
    found = study_status(config, study, NOBODY)
    assert str(found.cells[0].stages["sources"]) == f"missing 0/{len(names)}"


def test_jobs_leave_what_the_rules_write() -> None:
    made, paper = load(Path("config.yaml")).freeze("miniature"), llava_config().freeze("paper")
    cell, other = cells(made.study)[0], cells(paper.study)[0]
    sources = "results/miniature/sources/s100"
    assert {str(job.result): str(job.log) for job in source_jobs(made, cell)} == {
        f"{sources}/llms/miniature-16/run.json": f"{sources}/logs/pretrain-llm-miniature-16.log",
        f"{sources}/vision/run.json": f"{sources}/logs/pretrain-vision.log",
        f"{sources}/data/run.json": f"{sources}/logs/world.log",
        f"{sources}/encoded/pretrain/world/index.json": f"{sources}/logs/tokenize-pretrain-world.log",
        f"{sources}/features/all/index.json": f"{sources}/logs/features-all.log",
        f"{sources}/encoded/finetune/world/index.json": f"{sources}/logs/tokenize-finetune-world.log",
    }
    folder = cell.folder("miniature")
    jobs = cell_jobs(made, cell)
    answers, scores = folder / "answers" / "world.parquet", folder / "scores" / "world.json"
    assert jobs["predict"] == [Job(answers, answers, folder / "logs" / "predict-world.log")]
    assert [job.result for job in jobs["score"]] == [scores, folder / "errors.csv"]
    sources = "results/paper/sources"
    assert {str(job.result): str(job.log) for job in source_jobs(paper, other)} == {
        f"{sources}/llms/{other.llm}/run.json": f"{sources}/logs/fetch/llms/{other.llm}.log",
        f"{sources}/vision/run.json": f"{sources}/logs/fetch/vision.log",
        **{
            f"{sources}/data/{stage}/run.json": f"{sources}/logs/data-{stage}.log"
            for stage in ("pretrain", "finetune")
        },
        **{
            f"{sources}/encoded/{stage}/{other.llm}/index.json": (
                f"{sources}/logs/tokenize-{stage}-{other.llm}.log"
            )
            for stage in ("pretrain", "finetune")
        },
        **{
            f"{sources}/questions/{name}/run.json": f"{sources}/logs/questions-{name}.log"
            for name in ("mme", "vqav2")
        },
    }


def test_pages_tell_the_same() -> None:
    config = llava_config()
    study = config.study("paper")
    finish(config, study, cells(study)[0], "pretrain")
    found = study_status(config, study, NOBODY)
    content = json.loads(as_json(found))
    assert content["cells_by_stage"]["pretrain"]["done"] == 1
    assert content["cells"][0]["stages"]["pretrain"]["state"] == "done"
    assert "running:" in content["explanation"]
    assert f"pretrain: 1 done, {len(found.cells) - 1} missing" in as_text(found)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--study", "published"]) == 0
    assert "missing" in capsys.readouterr().out
    assert main(["status", "--study", "published", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["study"] == "published"
    assert main(["status", "--study", "nope"]) == 2


def test_watch_refreshes_until_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("paretoken.commands.status.time.sleep", nap)
    monkeypatch.setenv("PATH", "")  # waiting for an installed squeue to answer sleeps, too
    assert main(["status", "--study", "published", "--watch", "--every", "2"]) == 0
    assert naps == [2.0, 2.0, 2.0]
    assert capsys.readouterr().out.count("Study published") == 3


def test_a_bar_counts_whole_cells_and_a_watch_ends_with_the_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = load(Path("config.yaml"))
    study = config.study("published")
    grid = cells(study)
    for cell in grid[:14]:
        finish(config, study, cell, "cell")
    half = study_status(config, study, NOBODY)
    assert "[###############...............] 14 of 28 cells done, 14 left" in as_text(half)
    report = Path("results/published/report.html")
    report.touch()
    stale = study_status(config, study, NOBODY)
    assert not stale.finished
    assert "report: results/published/report.html (of an earlier run)" in as_text(stale)
    for cell in grid[14:]:
        finish(config, study, cell, "cell")
    assert main(["status", "--study", "published", "--watch"]) == 0
    printed = capsys.readouterr().out
    assert "28 of 28 cells done\nreport: results/published/report.html\n" in printed
    assert json.loads(as_json(study_status(config, study, NOBODY)))["cells_by_state"]["done"] == 28


def test_the_time_left_is_shown_beside_the_bar() -> None:
    config = llava_config()
    study = config.study("paper")
    cell = cells(study)[0]
    write_record(cell.folder("paper") / "pretrain", 3600.0, 1e18, ["NVIDIA H100 80GB HBM3"] * 4)
    found = study_status(config, study, NOBODY)
    assert found.remaining is not None
    assert "left, until " in as_text(found)
