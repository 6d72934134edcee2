"""A study on one's own data: a folder of conversations whose rows hold their images, or name files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from paretoken.io.files import read_json
from project_copy import Project, copy_project
from standins.pictures import colour, picture
from standins.study import HIDDEN, save_small_paper

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning"),
]
#: Each picture is another one; fewer rows are a change of the data.
ROWS, FEWER, STAGES = 12, 8, ("pretrain", "finetune")
CELL = f"results/paper/runs/{next(iter(HIDDEN))}/tokenpacker-1/s0"
#: How often each rule runs for a cell that is trained.
TRAINED = {"fetch": 2, "data": 2, "tokenize": 2, "pretrain": 1, "finetune": 1}


def conversations(images: list[Any]) -> list[dict[str, Any]]:
    return [
        {"image": image, "conversations": [
            {"from": "human", "value": "<image>\nWhat is the colour of the picture?"},
            {"from": "gpt", "value": f"It is {colour(number)}."}]}
        for number, image in enumerate(images)
    ]  # fmt: skip


def save_held(folder: Path, stages: Sequence[str] = STAGES, count: int = ROWS) -> dict[str, Any]:
    """Write rows that hold their images as Parquet; return the record of the folder."""
    folder.mkdir(exist_ok=True)
    rows = conversations([{"bytes": picture(n), "path": None} for n in range(count)])
    for stage in stages:
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{stage}.parquet")
    return {"path": str(folder), "pretrain": "pretrain.parquet", "finetune": "finetune.parquet",
            "images": None}  # fmt: skip


def save_named(folder: Path, stages: Sequence[str] = STAGES, count: int = ROWS) -> dict[str, Any]:
    """Write the same rows as JSON, with their images as files; return the record of the folder."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / "images" / f"{number}.png").write_bytes(picture(number))
    rows = conversations([f"{number}.png" for number in range(count)])
    for stage in stages:
        (folder / f"{stage}.json").write_text(json.dumps(rows))
    return {"path": str(folder)}


def own_study(project: Project, record: dict[str, Any]) -> tuple[str, str]:
    """Write the paper's study on stand-ins, with one's own data; return how to use it."""
    config = save_small_paper(project.folder / "standins", project.folder / "paper.yaml")
    (data,) = config["data"]
    config["data"] = [{"name": data["name"], "folder": record}]
    (project.folder / "own.yaml").write_text(yaml.safe_dump(config))
    return "--configfile", "own.yaml"


@pytest.mark.parametrize("save", [save_held, save_named], ids=["held", "named"])
def test_a_cell_is_trained_on_ones_own_data(tmp_path: Path, warm: str, save: Any) -> None:
    (tmp_path / "project").mkdir()
    project = copy_project(tmp_path / "project", warm)
    how = own_study(project, save(tmp_path / "own"))
    target = f"{CELL}/finetune/run.json"
    assert project.dry_run(target, *how).rules == TRAINED
    done = project.snakemake(target, *how)
    assert done.returncode == 0, done.stdout + done.stderr
    require_trained(project.folder, pretrain=ROWS, finetune=ROWS)
    # Changed conversations of stage 2 are trained on, and nothing else is done again.
    save(tmp_path / "own", ["finetune"], FEWER)
    assert project.dry_run(target, *how).rules == {"data": 1, "tokenize": 1, "finetune": 1}
    done = project.snakemake(target, *how)
    assert done.returncode == 0, done.stdout + done.stderr
    require_trained(project.folder, pretrain=ROWS, finetune=FEWER)


def require_trained(folder: Path, **rows: int) -> None:
    """Require that each stage has been trained on so many rows, each with its image."""
    for stage, count in rows.items():
        data = read_json(folder / "results/paper/sources/data" / stage / "run.json")
        assert (data["rows"], data["images"], data["skipped"]) == (count, count, 0)
        record = read_json(folder / CELL / stage / "run.json")
        assert record["images"] == record["conversations"] >= count
        assert record["unreadable_images"] == []
