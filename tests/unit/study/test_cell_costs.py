"""What cells cost, from their records."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from paretoken.cli import main
from paretoken.errors import UserError
from paretoken.study.contract import COST_COLUMNS
from paretoken.study.grid import Cell

STAGE: dict[str, Any] = {
    "parameters": {"llm_total": 10, "llm_non_embedding": 6, "adapter": 3},
    "prefill_flops": {
        "0": {"llm": 5.0, "adapter": 2.0, "encoder": 9.0},
        "50": {"llm": 50.0, "adapter": 2.0},
    },
    "training_flops": 7e9,
    "cpu_s": 1.5,
    "wall_s": 2.0,
    "peak_memory": {"host_bytes": 100, "device_bytes": 0},
}
LATENCY = {"median_s": 0.01, "quartiles_s": [0.009, 0.012], "device": "cpu", "encoder_median_s": None}


def cell_folder(root: Path, name: str, finetune: dict[str, Any] = STAGE) -> Path:
    folder = root / "runs" / name
    for stage, record in (("pretrain", STAGE | {"training_flops": 1e9}), ("finetune", finetune)):
        (folder / stage).mkdir(parents=True)
        (folder / stage / "run.json").write_text(json.dumps(record))
    (folder / "latency.json").write_text(json.dumps(LATENCY))
    return folder


def run(root: Path, *folders: Path) -> int:
    study = {
        "study": {"name": "mine"},
        "llms": [{"name": "small-1", "params_b": 0.5}],
        "vision": {"grid": 6},
    }
    (root / "study.json").write_text(json.dumps(study))
    return main(["costs", "--study-file", str(root / "study.json"), "--cells", *map(str, folders),
                 "--out", str(root / "costs.csv")])  # fmt: skip


def test_one_row_per_cell_from_its_records(tmp_path: Path) -> None:
    assert run(tmp_path, cell_folder(tmp_path, "small-1/average_pool-4/s7")) == 0
    table = csv.DictReader((tmp_path / "costs.csv").read_text().splitlines())
    assert tuple(table.fieldnames or ()) == COST_COLUMNS
    (row,) = table
    expected = {
        "study": "mine", "llm": "small-1", "params_b": "0.5", "compressor": "average_pool",
        "visual_tokens": "4", "seed": "7", "llm_parameters": "10", "llm_parameters_non_embedding": "6",
        "adapter_parameters": "3", "pretrain_flops": "1000000000.0", "finetune_flops": "7000000000.0",
        "prefill_flops_q0": "7.0", "prefill_flops_q50": "52.0", "encoder_flops": "9.0",
        "latency_s": "0.01", "latency_low_s": "0.009", "latency_high_s": "0.012",
        "encoder_latency_s": "",
        "latency_device": "cpu", "cpu_s": "3.0", "wall_s": "4.0", "peak_memory_bytes": "100",
    }  # fmt: skip
    assert row == expected


def test_a_record_that_lacks_a_number_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = {name: value for name, value in STAGE.items() if name != "training_flops"}
    assert run(tmp_path, cell_folder(tmp_path, "small-1/average_pool-4/s7", short)) == 2
    assert "lacks 'training_flops'" in capsys.readouterr().err
    assert not (tmp_path / "costs.csv").exists()


def test_cells_of_another_study_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, cell_folder(tmp_path, "large/average_pool-4/s7")) == 2
    assert "large is not an llm of study mine" in capsys.readouterr().err


@pytest.mark.parametrize("cell", [Cell("a-1.5b", "average_pool", 16, 3), Cell("x", "none", 0, 0)])
def test_a_cells_folder_says_which_cell_it_is(cell: Cell) -> None:
    assert Cell.of(cell.folder("any")) == cell
    with pytest.raises(UserError, match="is not a cell's folder"):
        Cell.of(cell.folder("any") / "answers")


def test_cells_of_a_shared_training_state_its_cost_and_their_own_prefill(tmp_path: Path) -> None:
    at = {"4": {"0": {"llm": 7.0, "adapter": 2.0}, "50": {"llm": 70.0, "adapter": 2.0, "question": 8.0}}}
    cell_folder(tmp_path, "small-1/matryoshka_query-36/s7", STAGE | {"prefill_flops_at": at})
    folder = tmp_path / "runs" / "small-1" / "matryoshka_query-4" / "s7"
    folder.mkdir(parents=True)
    (folder / "latency.json").write_text(json.dumps(LATENCY | {"median_s": 0.5}))
    assert run(tmp_path, folder) == 0
    (row,) = csv.DictReader((tmp_path / "costs.csv").read_text().splitlines())
    assert (row["visual_tokens"], row["latency_s"], row["finetune_flops"]) == (
        "4",
        "0.5",
        "7000000000.0",
    )
    assert (row["prefill_flops_q0"], row["prefill_flops_q50"]) == ("9.0", "80.0")
