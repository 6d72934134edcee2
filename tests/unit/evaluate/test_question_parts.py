"""Questions of several lengths, of one benchmark with parts or of a file for each."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import tiny
from paretoken.cli import main
from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.evaluate.longer_questions import by_part
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.questions import Question, parse_questions
from paretoken.registry import BENCHMARKS
from paretoken.study.contract import TEXT_LENGTH_COLUMNS

WORLD, EXACT = BENCHMARKS.load("world"), BENCHMARKS.load("exact_match")
#: Columns that are measured in seconds.
MEASURED = {"latency_s", "latency_low_s", "latency_high_s"}


def question(number: int, **columns: Any) -> Question:
    return Question(str(number), None, "what ?", (), columns=columns)


def test_questions_are_of_their_part_or_of_their_file() -> None:
    questions = [question(number, part=part) for number, part in enumerate(["b", "a", "b", "c"])]
    parts = by_part("world", questions, WORLD)
    assert {name: [each.id for each in own] for name, own in parts.items()} == {
        "b": ["0", "2"],
        "a": ["1"],
        "c": ["3"],
    }
    assert list(parts) == ["b", "a", "c"]
    assert by_part("mine", questions, EXACT) == {"mine": questions}
    assert by_part("mine", [], WORLD) == by_part("mine", [], EXACT) == {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, images, and questions: in a file for each of two parts, and in one for both."""
    import torch

    torch.set_num_threads(1)
    made = tmp_path_factory.mktemp("parts")
    tiny.save_vision(made / "vision")
    tiny.save_data(made)
    tiny.save_model(made)
    rows = read_rows(made / "questions.jsonl")[:10]
    predictor = open_predictor(made / "model", images=made / "images", max_new_tokens=2)
    said = [found.text for found in predictor.answer(parse_questions(rows, Skips("questions")))]
    for number in range(0, 10, 3):  # some answers are right
        rows[number] |= {"answer": said[number] or "nothing"}
    together: list[dict[str, Any]] = []
    for part, own in (("fact", rows[:6]), ("name", rows[6:])):
        (made / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
        together += [
            {
                "_id": str(len(together) + number),
                "image": row["image"],
                "prompt": row["question"],
                "question_id": row["question_id"],
                "part": part,
                "answer": row["answer"],
            }
            for number, row in enumerate(own)
        ]
    (made / "whole.jsonl").write_text("".join(json.dumps(row) + "\n" for row in together))
    return made


#: Which cell the tables are of.
CELL = (
    *("--study", "mine", "--llm-name", "small", "--params-b", "1"),
    *("--compressor", "tokenpacker", "--tokens", "4", "--seed", "0"),
)


def measured(folder: Path, out: Path, *options: str) -> list[dict[str, str]]:
    """Return the table that `paretoken text-length` writes."""
    line = [
        "text-length",
        "--model",
        str(folder / "model"),
        "--images",
        str(folder / "images"),
        "--text-tokens",
        "4",
        "12",
        "--suite-benchmarks",
        "one=fact",
        "both=fact,name",
        *CELL,
        "--max-new-tokens",
        "2",
        "--out",
        str(out),
        *options,
    ]
    assert main(line) == 0
    with out.open() as stream:
        return list(csv.DictReader(stream))


@pytest.mark.filterwarnings("ignore")
def test_one_file_with_parts_gives_what_a_file_for_each_gives(folder: Path, tmp_path: Path) -> None:
    files = [str(folder / f"{part}.jsonl") for part in ("fact", "name")]
    apart = measured(folder, tmp_path / "apart.csv", "--questions", *files)
    whole = str(folder / "whole.jsonl")
    together = measured(folder, tmp_path / "together.csv", "--questions", whole, "--benchmark", "world")
    assert list(together[0]) == list(TEXT_LENGTH_COLUMNS)
    assert len(together) == 4, "two lengths of two suites"
    assert len({row["error"] for row in together}) > 1
    for one, other in zip(apart, together, strict=True):
        assert {k: v for k, v in one.items() if k not in MEASURED} == {
            k: v for k, v in other.items() if k not in MEASURED
        }


@pytest.mark.filterwarnings("ignore")
def test_a_limit_is_of_each_part_and_parts_of_no_suite_are_not_asked(
    folder: Path, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (folder / "whole.jsonl").read_text().splitlines()]
    files = {}
    for name, chosen in (
        ("first", [*rows[:2], *rows[6:8]]),
        ("more", [*rows, rows[0] | {"_id": "x", "question_id": "x", "part": "other"}]),
    ):
        files[name] = tmp_path / f"{name}.jsonl"
        files[name].write_text("".join(json.dumps(row) + "\n" for row in chosen))
    world = ["--benchmark", "world", "--questions"]
    few = measured(folder, tmp_path / "few.csv", *world, str(files["first"]))
    limited = measured(folder, tmp_path / "limited.csv", *world, str(files["more"]), "--limit", "2")
    for one, other in zip(few, limited, strict=True):
        assert (one["error"], one["stderr"]) == (other["error"], other["stderr"])


@pytest.mark.filterwarnings("ignore")
def test_questions_without_a_part_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [
        "text-length",
        "--model",
        str(folder / "model"),
        "--images",
        str(folder / "images"),
        "--questions",
        str(folder / "fact.jsonl"),
        "--benchmark",
        "world",
        "--text-tokens",
        "4",
        "--suite-benchmarks",
        "one=fact",
        *CELL,
        "--out",
        str(tmp_path / "out.csv"),
    ]
    assert main(line) == 2
    assert "part" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
