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


NAN = float("nan")
#: One row per benchmark, right if answered with its last element.
ROWS: dict[str, tuple[dict[str, Any], Any]] = {
    "mme": ({"question_id": "a", "category": "OCR", "answer": "Yes"}, "Yes"),
    "gqa": ({"id": "1", "answer": "red"}, "red"),
    "ai2d": ({"options": ["x", "y"], "answer": "1"}, "B"),
    "mmbench": ({"index": 1, "answer": "B", "A": "x", "B": "y", "C": NAN, "D": "nan"}, "B"),
    "mmmu": ({"id": "validation_Art_1", "question_type": "multiple-choice", "options": "['x', 'y']",
              "answer": "B"}, "B"),
    "scienceqa": ({"choices": ["x", "y"], "answer": 1}, "B"),
    "mathvista": ({"pid": "1", "question_type": "free_form", "answer_type": "integer",
                   "choices": None, "precision": NAN, "answer": "3"}, 3),
    "pope": ({"category": "random", "answer": "no"}, "no"),
    "chartqa": ({"answer": 3}, 3),
    "docvqa": ({"questionId": "1", "answers": ["red"]}, "red"),
    "textvqa": ({"question_id": 1, "answers": ["red"] * 10}, "red"),
    "vizwiz": ({"question_id": "1.jpg", "answers": ["red"] * 10}, "red"),
    "vqav2": ({"question_id": 1, "answers": [{"answer": "red", "answer_id": i} for i in range(10)]},
              "red"),
}  # fmt: skip
#: What models and tables have been seen to hold.
ODD = ["", None, NAN, float("inf"), 7, 0.5, True, [], ["red", 1], {"a": NAN}, "\u2028", "日本 🙂",
       "\ud800", "nan", "None", "[", "%", "x" * 3000, "9" * 5000, "(", "\\", "\x00"]  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_odd_predictions_neither_crash_nor_break_the_file(name: str, tmp_path: Path) -> None:
    row, right = ROWS[name]
    rows = [{**row, "_id": i, "prediction": said} for i, said in enumerate([right, *ODD])]
    source, out = tmp_path / "rows.jsonl", tmp_path / "score.json"
    source.write_text("\n".join(json.dumps(each) for each in rows) + "\n")
    line = ["score", "--benchmark", name, "--predictions", str(source), "--out", str(out)]
    for variant in (None, *(v.name for v in BENCHMARKS.load(name).variants)):
        assert main([*line, *(["--variant", variant] if variant else [])]) == 0

        def refuse(text: str) -> None:
            raise AssertionError(f"{text} is no JSON")

        content = json.loads(out.read_text(), parse_constant=refuse)
        assert [each["_id"] for each in content["rows"]] == list(range(len(rows)))
        assert content.get("variant") == variant
        assert 0 <= content["interval"][0] <= content["score"] <= content["interval"][1] <= 1
    main(line)
    scores = [each["score"] for each in json.loads(out.read_text())["rows"]]
    assert scores[0] == 1
    assert sum(scores[1:]) == 0


@pytest.mark.parametrize("name", ROWS)
def test_a_missing_column_is_named_with_its_row(name: str) -> None:
    benchmark, (row, right) = BENCHMARKS.load(name), ROWS[name]
    full = {**row, "prediction": right}
    for column in (*benchmark.columns, "prediction"):
        without = {key: value for key, value in full.items() if key != column}
        with pytest.raises(UserError, match=rf"^row 2.* has no {column}; {name} needs"):
            score_predictions(benchmark, [full, without])


def test_line_separators_inside_a_text_end_no_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [row(1, "a\u2028b"), row(2, "c\x85d")]
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\r\n" for each in rows))
    assert [each["prediction"] for each in read_predictions(path)] == ["a\u2028b", "c\x85d"]


def test_an_unknown_variant_lists_the_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["score", "--benchmark", "docvqa", "--predictions", str(tmp_path / "none.jsonl"),
            "--out", str(tmp_path / "score.json"), "--variant", "binary"]  # fmt: skip
    assert main(line) == 2
    error = capsys.readouterr().err
    assert "'binary' is no variant of docvqa; write one of: binarised" in error


def test_a_score_never_takes_the_place_of_what_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": "1", "answer": "red", "prediction": "red"}))
    before = path.read_text()
    line = ["score", "--benchmark", "gqa", "--predictions", str(path)]
    (tmp_path / "link").symlink_to(path)
    assert main([*line, "--out", str(tmp_path / "link")]) == 2
    assert "would overwrite what is read" in capsys.readouterr().err
    assert path.read_text() == before
    out = str(tmp_path / "score.json")
    assert main([*line, str(path), "--out", out, out]) == 2
    assert "would be written twice" in capsys.readouterr().err
    assert main([*line, "--out", out]) == 0
