"""Scores and records of runs that are wrong in one place: a row or a message, never a traceback."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from test_cell_costs import STAGE, cell_folder

from damaged import damaged, require_user_errors
from paretoken.errors import UserError
from paretoken.plan.calibration import read_measured
from paretoken.study.grid import Cell
from paretoken.study.scored import error_rows, read_scores, score_rows

SCORE = {
    "score": 0.5,
    "n": 2,
    "interval": [0.1, 0.9],
    "metric": "accuracy",
    "details": {"stderr": 0.1},
    "rows": [{"score": 1.0}, {"score": 0.0}],
}
STUDY = {"study": {"name": "s"}, "llms": [{"name": "a", "params_b": 0.5}], "vision": {"grid": 4}}


def test_damaged_scores_end_in_no_traceback(tmp_path: Path) -> None:
    path, cell, used = tmp_path / "b.json", Cell("a", "average_pool", 4, 0), 0
    for _, made in damaged(SCORE):
        path.write_text(json.dumps(made))
        with suppress(UserError):
            scores = read_scores([path])
            assert error_rows("s", cell, 0.5, {"suite": ["b"]}, scores)
            assert score_rows("s", cell, 0.5, scores)
            used += 1
    assert used


def test_damaged_records_of_a_run_end_in_no_traceback(tmp_path: Path) -> None:
    folder = cell_folder(tmp_path, "a/average_pool-4/s0")
    study = tmp_path / "study.json"
    study.write_text(json.dumps(STUDY))
    command = [
        "costs",
        "--study-file",
        str(study),
        "--cells",
        str(folder),
        "--out",
        str(tmp_path / "t.csv"),
    ]
    done, refused = require_user_errors(STAGE, folder / "finetune" / "run.json", command)
    assert done
    assert refused
    (folder / "finetune" / "run.json").write_text(json.dumps(STAGE))
    assert all(require_user_errors(STUDY, study, command))


def test_damaged_records_of_a_stage_end_in_no_traceback(tmp_path: Path) -> None:
    record = {"device": {"gpus": ["NVIDIA A100-SXM4-80GB"], "processes": 4}, "steps": 5, "wall_s": 2.0,
              "cpu_s": 3.0, "training_flops": 1e12, "peak_memory": {"device_bytes": 10}}  # fmt: skip
    for _, made in damaged(record):
        (tmp_path / "run.json").write_text(json.dumps(made))
        read_measured(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert read_measured(tmp_path) is not None
