"""The data sets on disk: readable by anyone, the same for a seed, and nothing of the test in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import miniature_settings as small
from paretoken.cli import main
from paretoken.config.asked import WORLD, WORLD_PARTS
from paretoken.data.conversations import iter_conversations
from paretoken.data.images import stored_images
from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.data.stored_names import split_name
from paretoken.errors import UserError
from paretoken.evaluate.asking import max_new_tokens_of, read_question_file
from paretoken.evaluate.questions import parse_questions
from paretoken.registry import BENCHMARKS
from paretoken.study.paths import WORLD_QUESTIONS
from paretoken.world.write import PARTS, write_miniature

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("miniature") / "data"
    write_miniature(folder, small.world(), seed=0, world_seed=1)
    return folder


def facts(rows: list[dict[str, Any]], icons: dict[str, str]) -> set[tuple[str, str]]:
    """Return the (icon, question) pairs that conversations about images ask."""
    return {
        (icons[row["image"]], turn["value"].removeprefix("<image>\n"))
        for row in rows
        if row["image"]
        for turn in row["conversations"][::2]
    }


def by_part(data: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the questions of each part, in their order."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in read_rows(data / WORLD_QUESTIONS):
        parts.setdefault(row["part"], []).append(row)
    return parts


def test_plain_datasets_reads_them(data: Path) -> None:
    from datasets import load_from_disk

    train = load_from_disk(data / "finetune")
    assert train.column_names == ["id", "image", "conversations"]
    assert len(train) == 120
    first, last = train[0], train[119]
    assert first["image"].startswith("train-")
    assert first["conversations"][0]["from"] == "human"
    assert first["conversations"][0]["value"].startswith("<image>\n")
    assert len(first["conversations"]) == 6
    assert last["image"] is None
    assert last["conversations"][0]["value"].startswith("icon")
    image = load_from_disk(data / "images" / "test")[3]["image"]
    assert image.size == (48, 48)


def test_this_project_reads_them(data: Path) -> None:
    for stage in ("pretrain", "finetune"):
        rows = read_rows(data / stage)
        assert len(list(iter_conversations(rows, Skips(stage)))) == len(rows)
    parts = by_part(data)
    assert tuple(parts) == PARTS
    counts = {name: len(parse_questions(rows, Skips(name))) for name, rows in parts.items()}
    assert [len(rows) for rows in parts.values()] == list(counts.values()), "all of them are read"
    assert counts["fact"] == counts["number"] == counts["property"] == counts["name"]
    assert counts["fact"] + counts["read_sparse"] + counts["read_dense"] == 50
    digits = {name: {row["digits"] for row in rows} for name, rows in parts.items()}
    assert digits["read_sparse"] <= {1, 2, 3}
    assert digits["read_dense"] <= {4, 5, 6}
    assert digits["fact"] == {0}


def test_training_and_test_share_no_image_and_no_held_out_fact(data: Path) -> None:
    stored = {
        part: {
            split_name(name)[0]: content
            for name, content in stored_images(read_rows(data / "images" / part)).items()
        }
        for part in ("train", "test")
    }
    assert not set(stored["train"]) & set(stored["test"])
    assert not set(stored["train"].values()) & set(stored["test"].values())
    parts = by_part(data)
    assert all(row["image"] in stored["test"] for rows in parts.values() for row in rows)
    icons = {row["image"]: row["answer"] for row in parts["name"]}
    held_out = {
        (icons[row["image"]], row["prompt"])
        for name in ("fact", "number", "property")
        for row in parts[name]
        if row["held_out"]
    }
    assert len(held_out) >= 5
    rehearsed = set()
    for stage in ("pretrain", "finetune"):
        rows = read_rows(data / stage)
        assert {row["image"] for row in rows if row["image"]} <= set(stored["train"])
        named = {
            row["image"]: row["conversations"][i + 1]["value"]
            for row in rows
            if row["image"]
            for i in range(0, 6, 2)
            if row["conversations"][i]["value"].endswith("what")
        }
        known = [row for row in rows if row["image"] in named]
        assert known
        assert not facts(known, named) & held_out
        rehearsed |= {row["conversations"][0]["value"] for row in rows if not row["image"]}
    assert any(f"{icon} {question}" in rehearsed for icon, question in held_out)  # in text they are told


def test_questions_are_laid_out_as_those_of_a_fetched_benchmark(data: Path) -> None:
    rows = read_rows(data / WORLD_QUESTIONS)
    columns = ["_id", "image", "prompt", "question_id", "part", "answer", "held_out", "digits"]
    assert all(list(row) == columns for row in rows)
    assert [row["_id"] for row in rows] == [str(number) for number in range(len(rows))]
    assert len({row["question_id"] for row in rows}) == len(rows)
    record = json.loads((data / WORLD_QUESTIONS).with_name("run.json").read_text())
    assert record == {"benchmark": "world", "questions": len(rows), "max_new_tokens": 2}
    assert max_new_tokens_of(data / WORLD_QUESTIONS, 16) == 2
    asked = read_question_file(data / WORLD_QUESTIONS, 2)
    assert not asked.bad
    assert [dict(question.columns)["part"] for question in asked.questions] == [
        row["part"] for row in rows
    ]


def test_the_same_seed_writes_the_same_bytes(data: Path, tmp_path: Path) -> None:
    record = json.loads((data / "run.json").read_text())
    again = write_miniature(tmp_path / "again", small.world(), seed=0, world_seed=1)
    other = write_miniature(tmp_path / "other", small.world(), seed=2, world_seed=1)
    assert again["sha256"] == record["sha256"]
    assert len(record["sha256"]) == 5, "images and conversations, two of each, and the questions"
    assert WORLD_QUESTIONS in record["sha256"]
    assert not set(other["sha256"].values()) & set(record["sha256"].values())


def test_too_few_test_images_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    settings = small.world(("test_images.count", "2"))
    with pytest.raises(UserError, match=r"test_images\.count = 2 gives no question for"):
        write_miniature(tmp_path / "data", settings, 0, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_changes_nothing_and_other_settings_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["world", "--world", str(small.RECIPES / "miniature_world.yaml"),
            "--out", str(tmp_path / "data")]  # fmt: skip
    for key, value in small.SMALL_WORLD:
        line += ["--set-world", f"{key}={value}"]
    assert main(line) == 0
    assert "5 data sets" in capsys.readouterr().out
    assert main(line) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main([*line, "--seed", "5"]) == 2
    assert "other settings or seeds" in capsys.readouterr().err


def test_the_config_lists_the_parts_of_a_world() -> None:
    assert WORLD_PARTS == PARTS
    assert WORLD in BENCHMARKS
