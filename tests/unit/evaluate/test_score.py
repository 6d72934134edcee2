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
from paretoken.evaluate.benchmarks.values import LONGEST_LIST
from paretoken.evaluate.benchmarks.vqav2 import VQAV2
from paretoken.evaluate.ids import ROW_ID
from paretoken.evaluate.score import read_predictions, score_file, score_predictions
from paretoken.evaluate.score_intervals import interval
from paretoken.io.bounded import LARGEST_JSON
from paretoken.io.json_values import BYTES_PER_VALUE
from paretoken.registry import BENCHMARKS
from paretoken.study.scored import read_scores

EXACT = BENCHMARKS.load("exact_match")
WORLD = BENCHMARKS.load("world")


def row(number: int, prediction: str, answer: Any = "red") -> dict[str, Any]:
    return {"question_id": str(number), "answer": answer, "prediction": prediction, "extra": number}


@pytest.mark.parametrize(
    ("prediction", "answers", "score"),
    [
        ("Red.", ["red"], 1),
        (" dark  red", ["dark red"], 1),
        ("blue", ["red", "blue"], 1),
        ("redd", ["red"], 0),
        ("", ["red"], 0),
        ("red blue", ["red"], 0),
    ],
)
def test_exact_match(prediction: str, answers: list[str], score: float) -> None:
    assert exact_match(prediction, answers) == score


def test_a_score_keeps_rows_their_order_and_their_columns() -> None:
    rows = [row(3, "red"), row(1, "blue"), row(2, "x", ["x", "y"]), row(0, "y", ["x", "y"])]
    result = score_predictions(EXACT, rows)
    assert list(result) == ["benchmark", "metric", "score", "n", "interval", "rows"]
    assert (result["benchmark"], result["metric"]) == ("exact_match", "accuracy")
    assert (result["score"], result["n"]) == (0.75, 4)
    assert [(r["question_id"], r["score"], r["extra"]) for r in result["rows"]] == [
        ("3", 1, 3),
        ("1", 0, 1),
        ("2", 1, 2),
        ("0", 1, 0),
    ]


def test_intervals() -> None:
    assert interval([1.0] * 40 + [0.0] * 60) == pytest.approx([0.3094, 0.4980], abs=1e-4)  # Wilson
    low, high = interval([0.0] * 10)
    assert low == 0
    assert high == pytest.approx(0.2775, abs=1e-4)
    assert interval([0.5, 0.5, 0.5]) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [row(1, "x"), row(1, "x")],
            r"1 of 1 id appears more than once(.|\n)*question_id '1': rows 1, 2",
        ),
        ([{**row(1, "x"), "question_id": None}], "row 1: its question_id is missing"),
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
    with pytest.raises(UserError, match="lacks 1 of 3 questions, for example question_id '2'"):
        read_predictions(write("few.jsonl", [1, 3]), asked)
    with pytest.raises(UserError, match="has answers to 1 other question,"):
        read_predictions(write("many.jsonl", [1, 2, 3, 4]), asked)


@pytest.mark.parametrize(
    ("column", "value", "same"),
    [
        ("answer", "blue", False),
        ("answer", ["red", "blue"], False),
        ("answer", "red", True),
        ("question", "what else ?", False),
        ("level", 2, False),
        ("level", "2", False),
        ("options", ["a", "b"], True),
        ("options", '["a", "b"]', True),
        ("options", ["b", "a"], False),
        ("options", "['a', 'b', 'c']", False),
        ("options", "a", False),
        ("size", "14.50", True),
        ("size", 14.6, False),
        ("level", "1", True),
        ("level", 1.0, True),
        ("level", None, True),
        ("unknown", "new", True),
        pytest.param("question", "[" + "x" * LONGEST_LIST, False, id="long text"),
    ],
)
def test_predictions_repeat_what_was_asked(tmp_path: Path, column: str, value: Any, same: bool) -> None:
    given = row(1, "red", ["red"]) | {
        "question": "what ?",
        "level": 1,
        "options": "['a', 'b']",
        "size": 14.5,
    }
    (tmp_path / "p.jsonl").write_text(json.dumps(given))
    (tmp_path / "q.jsonl").write_text(json.dumps(given | {column: value}))
    if same:
        assert read_predictions(tmp_path / "p.jsonl", tmp_path / "q.jsonl") == [given]
        return
    with pytest.raises(UserError, match=f"row 1: its {column} is .*; give the questions that were"):
        read_predictions(tmp_path / "p.jsonl", tmp_path / "q.jsonl")


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
                   "choices": None, "precision": NAN, "answer": "3"}, "3"),
    "pope": ({"category": "random", "answer": "no"}, "no"),
    "chartqa": ({"answer": 3}, "3"),
    "docvqa": ({"questionId": "1", "answers": ["red"]}, "red"),
    "textvqa": ({"question_id": 1, "answers": ["red"] * 10}, "red"),
    "vizwiz": ({"question_id": "1.jpg", "answers": ["red"] * 10}, "red"),
    "vqav2": ({"question_id": 1, "answers": [{"answer": "red", "answer_id": i} for i in range(10)]},
              "red"),
    "world": ({"question_id": "1", "answer": "red", "part": "fact"}, "red"),
}  # fmt: skip
#: What models have been seen to say.
ODD = ["", "\u2028", "日本 🙂", "\ud800", "nan", "None", "[", "['Yes']", "%", "x" * 3000, "9" * 5000,
       "(", "\\", "\x00"]  # fmt: skip
#: What is not an answer, though tables hold it.
NO_TEXTS = [None, NAN, float("inf"), 7, 0.5, True, [], [None], [7], [["red"]], ["red", "red"],
            {"a": NAN}, {"text": "red"}]  # fmt: skip


def numbered(name: str, row: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a row of a benchmark with an id of its own."""
    own = {"mmbench": number, "mmmu": f"validation_Art_{number}"}.get(name, f"q{number}")
    key = BENCHMARKS.load(name).keys[0]
    return {"category": "random", **row, key[-1]: own} if name == "pope" else {**row, key[-1]: own}


def scored(tmp_path: Path, name: str, rows: list[dict[str, Any]], *options: str) -> dict[str, Any] | str:
    """Return what `paretoken score` writes; its message and what it left if it refuses."""
    source, out = tmp_path / "rows.jsonl", tmp_path / "score.json"
    out.unlink(missing_ok=True)
    source.write_text("\n".join(json.dumps(each) for each in rows) + "\n")
    line = ["score", "--benchmark", name, "--predictions", str(source), "--out", str(out), *options]
    if main(line) == 2:
        assert not out.exists()
        return "refused"

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    content: dict[str, Any] = json.loads(out.read_text(), parse_constant=refuse)
    return content


@pytest.mark.parametrize("name", ROWS)
def test_odd_predictions_neither_crash_nor_break_the_file(name: str, tmp_path: Path) -> None:
    row, right = ROWS[name]
    rows = [
        {**numbered(name, row, i), "_id": i, "prediction": said}
        for i, said in enumerate([right, *ODD], start=1)
    ]
    for variant in (None, *(v.name for v in BENCHMARKS.load(name).variants)):
        content = scored(tmp_path, name, rows, *(["--variant", variant] if variant else []))
        assert isinstance(content, dict)
        assert [each["_id"] for each in content["rows"]] == list(range(1, len(rows) + 1))
        assert content.get("variant") == variant
        assert 0 <= content["interval"][0] <= content["score"] <= content["interval"][1] <= 1
        if variant is None:
            scores = [each["score"] for each in content["rows"]]
    assert scores[0] == 1
    assert sum(scores[1:]) == 0


@pytest.mark.parametrize("name", [*ROWS, "exact_match"])
def test_only_a_list_of_one_text_is_read_as_that_text(name: str, tmp_path: Path) -> None:
    plain, right = ROWS.get(name, ({"answer": "red"}, "red"))
    good, other = (numbered(name, plain, i) | {"prediction": said} for i, said in ((1, right), (2, "x")))
    texts = scored(tmp_path, name, [good, other])
    lists = scored(tmp_path, name, [good | {"prediction": [right]}, other | {"prediction": ["x"]}])
    assert texts == lists
    assert isinstance(texts, dict)
    assert [row["score"] for row in texts["rows"]] == [1, 0]
    for said in NO_TEXTS:
        assert scored(tmp_path, name, [other, good | {"prediction": said}]) == "refused"
        with pytest.raises(
            UserError, match=r"1 of 2 rows has a prediction that is not a text(.|\n)*row 2"
        ):
            score_predictions(BENCHMARKS.load(name), [other, good | {"prediction": said}])


def keyed(name: str, key: tuple[str, ...], number: int) -> dict[str, Any]:
    """Return a right answer to which this key alone gives an id, apart from columns it must have."""
    benchmark = BENCHMARKS.load(name)
    plain, right = ROWS.get(name, ({"answer": "red"}, "red"))
    row = {**numbered(name, plain, number), "prediction": right}
    others = {column for each in benchmark.keys for column in each} - {
        *benchmark.columns,
        *key,
        "question",
    }
    row = {column: value for column, value in row.items() if column not in others}
    return row | {column: f"q{number}" for column in key if column not in row}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (name, key)
        for name in (*ROWS, "exact_match")
        for key in ((ROW_ID,), *BENCHMARKS.load(name).keys)
        if key != ("question_id", "category", "answer")
    ],
)
def test_an_id_that_appears_twice_is_refused_in_every_benchmark(
    name: str, key: tuple[str, ...], tmp_path: Path
) -> None:
    rows = [keyed(name, key, number) for number in range(1, 5)]
    twice = [*rows, rows[1], rows[1], rows[3]]
    message = r"2 of 4 ids appear more than once(.|\n)*rows 2, 5, 6\n(.|\n)*rows 4, 7"
    assert score_predictions(BENCHMARKS.load(name), rows)["n"] == 4
    with pytest.raises(UserError, match=message):
        score_predictions(BENCHMARKS.load(name), twice)
    paths = [tmp_path / "once.jsonl", tmp_path / "twice.jsonl"]
    for path, part in zip(paths, (rows, twice), strict=True):
        path.write_text("\n".join(json.dumps(row) for row in part))
    keys = BENCHMARKS.load(name).keys
    assert len(read_predictions(paths[0], paths[0], keys)) == 4
    with pytest.raises(UserError, match=f"{paths[1]}: {message}"):
        score_file(BENCHMARKS.load(name), paths[1])
    for given, asked in (paths, paths[::-1]):
        with pytest.raises(UserError, match=f"{paths[1]}: {message}"):
            read_predictions(given, asked, keys)


def test_rows_without_an_id_are_scored_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, right = ROWS["chartqa"]
    rows = [{**plain, "prediction": right}] * 2
    note = "rows have no id (question_id, id): duplicates were not checked"
    for added, noted in (([{}, {}], True), ([{"id": 0}, {"id": 1}], False)):
        lines = [json.dumps(row | more) for row, more in zip(rows, added, strict=True)]
        predictions, out = tmp_path / f"{noted}.jsonl", tmp_path / f"{noted}.json"
        predictions.write_text("\n".join(lines))
        assert (
            main(
                ["score", "--benchmark", "chartqa", "--predictions", str(predictions), "--out", str(out)]
            )
            == 0
        )
        assert (json.loads(out.read_text()).get("note") == note) == noted
        assert (note in capsys.readouterr().out) == noted


def test_only_identical_questions_on_one_image_are_duplicates() -> None:
    common = {"question_id": "a.png", "category": "OCR", "prediction": "Yes"}
    both = [{**common, "answer": "Yes"}, {**common, "answer": "No"}]
    mme = BENCHMARKS.load("mme")
    assert score_predictions(mme, both)["details"]["unpaired_images"] == 0
    with pytest.raises(UserError, match="1 of 2 ids appears more than once"):
        score_predictions(mme, [*both, both[0]])
    asked = [{**common, "answer": "Yes", "question": text} for text in ("is it a ?", "is it b ?")]
    assert score_predictions(mme, asked)["n"] == 2


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
    assert "unknown variant of docvqa 'binary'; write one of: binarised" in error


def test_a_score_never_takes_the_place_of_what_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": "1", "answer": "red", "prediction": "red"}))
    before = path.read_text()
    line = ["score", "--benchmark", "gqa", "--predictions", str(path)]
    (tmp_path / "link").symlink_to(path)
    assert main([*line, "--out", str(tmp_path / "link")]) == 2
    assert "would overwrite an input" in capsys.readouterr().err
    assert path.read_text() == before
    out = str(tmp_path / "score.json")
    assert main([*line, str(path), "--out", out, out]) == 2
    assert "would be written twice" in capsys.readouterr().err
    assert main([*line, "--out", out]) == 0


def test_the_scores_of_all_questions_can_be_read_again(tmp_path: Path) -> None:
    """VQAv2 has the most, ten answers for each: their file is within the limits of every JSON file."""
    answers = [{"answer": "net", "answer_confidence": "maybe", "answer_id": i} for i in range(1, 11)]
    row = {
        "question_id": 262_148_000, "image_id": 262_148, "answers": answers, "answer_type": "other",
        "question": "Where is he looking at this moment of the game?" * 3, "prediction": "net " * 16,
        "question_type": "where is", "multiple_choice_answer": "net", "generated_tokens": 16,
    }  # fmt: skip
    row["prompt"] = f"<image>\n{row['question']}\nAnswer the question using a single word or phrase."
    rows = [row | {"_id": str(10**9 + i), "question_id": 262_148_000 + i} for i in range(100)]
    assert isinstance(scored(tmp_path, "vqav2", rows), dict)
    file = tmp_path / "score.json"
    share = (VQAV2.questions or 0) / len(rows)
    assert file.stat().st_size * share < LARGEST_JSON
    values = sum(1 for _ in file.read_text().splitlines())  # each on a line of its own, brackets too
    assert values * BYTES_PER_VALUE < file.stat().st_size


def of_parts() -> list[dict[str, Any]]:
    """Return answers to two parts, mixed: 5 of 7 right in one, 1 of 6 in the other."""
    right = {"fact": 5, "name": 1}
    rows = []
    for number in range(13):
        part = "fact" if number % 2 == 0 else "name"
        said = "red" if number // 2 < right[part] else "blue"
        rows.append(row(number, said) | {"part": part})
    return rows


def test_parts_are_scored_as_files_of_their_own_would_be() -> None:
    rows = of_parts()
    whole = score_predictions(WORLD, rows)
    assert list(whole) == ["benchmark", "metric", "score", "n", "interval", "parts", "rows"]
    assert (whole["benchmark"], whole["score"], whole["n"]) == ("world", 6 / 13, 13)
    assert whole["interval"] == score_predictions(EXACT, rows)["interval"]
    assert whole["rows"] == score_predictions(EXACT, rows)["rows"], "in their order, with their columns"
    assert whole["parts"]["column"] == "part"
    assert list(whole["parts"]["scores"]) == ["fact", "name"]
    for part, found in whole["parts"]["scores"].items():
        alone = score_predictions(EXACT, [each for each in rows if each["part"] == part])
        assert found == {key: alone[key] for key in ("score", "n", "interval")}
    assert whole["parts"]["scores"]["fact"]["score"] == 5 / 7


def test_one_part_is_a_part_and_other_benchmarks_have_none() -> None:
    rows = [each for each in of_parts() if each["part"] == "name"]
    assert list(score_predictions(WORLD, rows)["parts"]["scores"]) == ["name"]
    assert "parts" not in score_predictions(EXACT, of_parts())


def test_parts_can_be_read_back_whatever_they_are_called(tmp_path: Path) -> None:
    for name in ("name", "2", "two words", "日本", "\ud800"):
        rows = [each | {"part": name if each["part"] == "name" else "fact"} for each in of_parts()]
        found = scored(tmp_path, "world", rows)
        assert isinstance(found, dict)
        assert [*found["parts"]["scores"]] == ["fact", name]
        scores = read_scores([tmp_path / "score.json"])
        assert {part: len(own["rows"]) for part, own in scores.items()} == {"fact": 7, name: 6}


@pytest.mark.parametrize("value", [None, "", "  ", NAN, 2, 2.0, True, {"a": 1}, ["fact"]])
def test_a_row_whose_part_is_not_a_text_is_named(value: Any) -> None:
    rows = of_parts()
    rows[4] |= {"part": value}
    with pytest.raises(UserError, match=r"row 5 \(question_id '4'\): its part is"):
        score_predictions(WORLD, rows)


def test_rows_of_a_benchmark_with_parts_need_them() -> None:
    rows = [row(1, "red")]
    with pytest.raises(UserError, match="has no part; world needs"):
        score_predictions(WORLD, rows)
