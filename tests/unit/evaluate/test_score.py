from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paretoken.cli import main
from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.exact_match import exact_match
from paretoken.evaluate.score import interval, read_predictions, score_predictions
from paretoken.registry import BENCHMARKS

EXACT = BENCHMARKS.load("exact_match")


def row(number: int, prediction: str, answer: Any = "red") -> dict[str, Any]:
    return {"question_id": str(number), "answer": answer, "prediction": prediction, "extra": number}


@pytest.mark.parametrize(
    ("prediction", "answers", "score"),
    [
        ("Red.", ["red"], 1), (" dark  red", ["dark red"], 1), ("blue", ["red", "blue"], 1),
        ("redd", ["red"], 0), ("", ["red"], 0), ("red blue", ["red"], 0),
    ],
)  # fmt: skip
def test_exact_match(prediction: str, answers: list[str], score: float) -> None:
    assert exact_match(prediction, answers) == score


def test_a_score_keeps_rows_their_order_and_their_columns() -> None:
    rows = [row(3, "red"), row(1, "blue"), row(2, "x", ["x", "y"]), row(0, "y", ["x", "y"])]
    result = score_predictions(EXACT, rows)
    assert list(result) == ["benchmark", "metric", "score", "n", "interval", "rows"]
    assert (result["benchmark"], result["metric"]) == ("exact_match", "accuracy")
    assert (result["score"], result["n"]) == (0.75, 4)
    assert [(r["question_id"], r["score"], r["extra"]) for r in result["rows"]] == [
        ("3", 1, 3), ("1", 0, 1), ("2", 1, 2), ("0", 1, 0)
    ]  # fmt: skip


def test_intervals() -> None:
    assert interval([1.0] * 40 + [0.0] * 60) == pytest.approx([0.3094, 0.4980], abs=1e-4)  # Wilson
    low, high = interval([0.0] * 10)
    assert low == 0
    assert high == pytest.approx(0.2775, abs=1e-4)
    assert interval([0.5, 0.5, 0.5]) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(1, "x"), row(1, "x")], r"row 2: question_id '1' stands twice"),
        ([{**row(1, "x"), "question_id": None}], "is missing"),
        ([row(1, "x"), row(2, "x", "")], r"row 2 .*no answer"),
        ([{"question_id": "1", "prediction": "x"}], "no answer"),
        ([{"question_id": "1", "answer": "x"}], "no prediction"),
    ],
)
def test_bad_rows_are_refused(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        score_predictions(EXACT, rows)


def test_missing_and_extra_predictions_are_refused(tmp_path: Path) -> None:
    def write(name: str, ids: list[int]) -> Path:
        (tmp_path / name).write_text("".join(json.dumps(row(i, "x")) + "\n" for i in ids))
        return tmp_path / name

    asked = write("questions.jsonl", [1, 2, 3])
    assert len(read_predictions(write("all.jsonl", [3, 2, 1]), asked)) == 3
    with pytest.raises(UserError, match="lacks 1 of 3 questions, '2' for one"):
        read_predictions(write("few.jsonl", [1, 3]), asked)
    with pytest.raises(UserError, match="unasked, 1 of 3"):
        read_predictions(write("many.jsonl", [1, 2, 3, 4]), asked)


def test_the_command_scores_both_formats(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    rows = [row(1, "red", ["red"]), row(2, "blue", ["red"])]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    write_table(pyarrow.Table.from_pylist(rows), tmp_path / "p.parquet")
    results = []
    for name in ("p.jsonl", "p.parquet"):
        out = tmp_path / f"{name}.json"
        line = ["score", "--benchmark", "exact_match", "--predictions", str(tmp_path / name)]
        assert main([*line, "--out", str(out)]) == 0
        results.append(json.loads(out.read_text()))
    assert results[0] == results[1]
    assert results[0]["score"] == 0.5


def test_scoring_and_help_import_no_torch() -> None:
    code = (
        "import sys, paretoken.cli as cli, paretoken.commands.score, paretoken.evaluate.score\n"
        "from paretoken.registry import BENCHMARKS\n"
        "[BENCHMARKS.load(name) for name in BENCHMARKS]\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "for name in cli.COMMANDS:\n"
        "    if name in ('features', 'tokenize', 'train', 'predict', 'score'):\n"
        "        cli.build_parser(name)\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules), 'imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
