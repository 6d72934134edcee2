from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

import hub_data
from paretoken.cli import main
from paretoken.config.asked import MADE_HERE
from paretoken.data.rows import read_rows
from paretoken.errors import UserError
from paretoken.evaluate.gathering_writer import GatheringWriter
from paretoken.evaluate.hub_files import fetch_splits, shards
from paretoken.evaluate.hub_questions import BATCH, write_questions
from paretoken.io.text_tables import counted
from paretoken.registry import BENCHMARKS
from standins.benchmarks import TABLES, save_benchmark


def ask(name: str, source: Path, out: Path, *more: str) -> int:
    line = ["questions", "--benchmark", name, "--source", str(source), "--out", str(out)]
    return main([*line, *more])


def test_shards_become_questions_with_each_image_once(tmp_path: Path) -> None:
    hub_data.write_mme(tmp_path / "hub", images=40, shards=3)
    assert ask("mme", tmp_path / "hub", tmp_path / "out") == 0
    rows = read_rows(tmp_path / "out" / "questions.parquet")
    assert list(rows[0]) == ["_id", "image", "prompt", "question_id", "answer", "category", "question"]
    assert [row["_id"] for row in rows] == [str(i) for i in range(80)]
    assert rows[3]["prompt"].startswith("Is 1 No?\nAnswer")
    assert rows[3]["question"] == "Is 1 No? Please answer yes or no."  # the data set's own, untouched
    assert rows[2]["image"] == rows[3]["image"] != rows[4]["image"]
    stored = {path.name for path in (tmp_path / "out" / "images").iterdir()}
    assert stored == {row["image"] for row in rows}
    assert len(stored) == 40
    content = (tmp_path / "out" / "images" / rows[2]["image"]).read_bytes()
    assert content == hub_data.picture((1, 0, 0))["bytes"]  # copied, not encoded again
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["questions"], record["images"], len(record["files"])) == (80, 40, 3)
    assert record["max_new_tokens"] == 16


def test_a_second_run_does_nothing_and_other_settings_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub_data.write_mme(tmp_path / "hub")
    assert ask("mme", tmp_path / "hub", tmp_path / "out", "--limit", "3") == 0
    assert len(read_rows(tmp_path / "out" / "questions.parquet")) == 3
    assert ask("mme", tmp_path / "hub", tmp_path / "out", "--limit", "3") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert ask("mme", tmp_path / "hub", tmp_path / "out") == 2
    assert "other settings" in capsys.readouterr().err


def test_gqa_joins_its_images(tmp_path: Path) -> None:
    hub_data.write_gqa(tmp_path / "hub")
    assert ask("gqa", tmp_path / "hub", tmp_path / "out") == 0
    rows = read_rows(tmp_path / "out" / "questions.parquet")
    assert len({row["image"] for row in rows}) == 2
    assert len(list((tmp_path / "out" / "images").iterdir())) == 2  # those that are asked about
    assert rows[0]["image"] == rows[2]["image"]
    (tmp_path / "hub" / "testdev_balanced_images" / "testdev-00000-of-00002.parquet").unlink()
    with pytest.raises(
        UserError, match=r"lacks 1 of 2 files, for example testdev-00000-of-00002\.parquet"
    ):
        write_questions(_new(tmp_path), BENCHMARKS.load("gqa"), tmp_path / "hub")


def test_mmmu_has_the_images_that_its_prompt_names(tmp_path: Path) -> None:
    hub_data.write_mmmu(tmp_path / "hub")
    assert ask("mmmu", tmp_path / "hub", tmp_path / "out") == 0
    first, second, third = read_rows(tmp_path / "out" / "questions.parquet")
    assert [len(row["image"]) for row in (first, second, third)] == [2, 0, 1]
    assert third["image"][0] == first["image"][0]  # stored once, shown twice
    assert ask("mmmu", tmp_path / "hub", tmp_path / "mixed", "--variant", "interleaved") == 0
    mixed = read_rows(tmp_path / "mixed" / "questions.parquet")[0]
    assert mixed["image"] == first["image"][::-1]
    assert mixed["prompt"].startswith("Is <image> or <image> red?")


def test_a_data_card_says_where_files_are(tmp_path: Path) -> None:
    hub_data.write_mme(tmp_path)
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: test\n"
        "    path: elsewhere/test-*\n---\n# MME\n"
    )
    assert [path.parent.name for path in shards(tmp_path, "default", "test")] == ["elsewhere"]
    card = (tmp_path / "README.md").read_text().replace("elsewhere", "../elsewhere")
    (tmp_path / "README.md").write_text(card)
    with pytest.raises(UserError, match="a pattern that leads out of its directory"):
        shards(tmp_path, "default", "test")


def _new(folder: Path) -> Path:
    made = folder / "new"
    made.mkdir()
    return made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"image": {"bytes": None, "path": "../../secret.png"}},
            "not a file in the data set's directory",
        ),
        ({"image": {"bytes": b"hello", "path": "../x.sh"}}, "has an unsupported format"),
        ({"image": {"bytes": None, "path": None}}, "its image is empty"),
    ],
)
def test_invalid_pictures_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    row = {"question_id": "1", "question": "x", "answer": "Yes", "category": "OCR", **change}
    hub_data.write_split(tmp_path / "data", "test", [row])
    (tmp_path.parent / "secret.png").write_bytes(hub_data.picture((1, 1, 1))["bytes"])
    with pytest.raises(UserError, match=rf"test-00000-of-00001.parquet: row 0: .*{message}"):
        write_questions(_new(tmp_path), BENCHMARKS.load("mme"), tmp_path)


def test_a_data_sets_own_paths_never_name_files(tmp_path: Path) -> None:
    row = {"question_id": "1", "question": "x", "answer": "Yes", "category": "OCR",
           "image": hub_data.picture((1, 2, 3), "../../evil.png")}  # fmt: skip
    hub_data.write_split(tmp_path / "data", "test", [row])
    write_questions(_new(tmp_path), BENCHMARKS.load("mme"), tmp_path)
    (name,) = [path.name for path in (tmp_path / "new" / "images").iterdir()]
    assert len(name) == 36
    assert name.endswith(".png")
    assert not (tmp_path.parent / "evil.png").exists()


def test_missing_files_and_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no files of config default, split test"):
        shards(tmp_path, "default", "test")
    row = {"question_id": "1", "question": "x", "answer": "Yes", "image": hub_data.picture((0, 0, 0))}
    hub_data.write_split(tmp_path / "data", "test", [row])
    with pytest.raises(UserError, match="has no column category; its columns are: question_id"):
        write_questions(_new(tmp_path), BENCHMARKS.load("mme"), tmp_path)
    with pytest.raises(UserError, match="neither a directory nor a hub id"):
        fetch_splits(str(tmp_path / "none"), None, [])


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in MADE_HERE])
def test_every_benchmark_says_where_it_is_and_all_its_variants_apply(name: str) -> None:
    benchmark = BENCHMARKS.load(name)
    assert benchmark.name == name
    for variant in (None, *(v.name for v in benchmark.variants)):
        chosen = benchmark.variant(variant)
        assert chosen.hub is not None
        assert chosen.prompt is not None
        assert "/" in chosen.hub.repo
    with pytest.raises(UserError, match=f"unknown variant of {name} 'none'"):
        benchmark.variant("none")


def damaged_picture() -> dict[str, Any]:
    """A picture with a valid header and end, and a body that does not decode."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "PNG")
    content = bytearray(stream.getvalue())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    return {"bytes": bytes(content), "path": None}


#: What the picture of a row may be instead of a picture, and what is said of it.
BAD_PICTURES: list[tuple[Any, str]] = [
    (damaged_picture(), "its image of the row is truncated or not an image"),
    (None, "it has no picture"),
    ({"bytes": None, "path": None}, "its image is empty"),
    ({"bytes": b"hello", "path": None}, "has an unsupported format"),
    ({"bytes": b"\x89PNG\r\n\x1a\n", "path": None}, "truncated or not an image"),
    ({"bytes": b"", "path": None}, "has an unsupported format"),
]


@pytest.mark.parametrize(
    "name", [name for name in BENCHMARKS if name not in (*MADE_HERE, "gqa", "mmmu")]
)
def test_all_bad_pictures_of_a_benchmark_are_reported_at_once_by_row(tmp_path: Path, name: str) -> None:
    """Whatever the benchmark, a row without a good picture is never asked."""
    benchmark = BENCHMARKS.load(name)
    hub = benchmark.hub
    assert hub is not None
    (column,) = hub.images
    row = dict.fromkeys((*hub.columns, *benchmark.columns), "x")
    rows = [{**row, column: hub_data.picture((9, 9, i))} for i in range(BATCH + 10)]
    places = dict(zip((1, 2, 5, BATCH, BATCH + 3, BATCH + 9), BAD_PICTURES, strict=True))
    for place, (value, _) in places.items():
        rows[place][column] = value
    folder = tmp_path / ("data" if hub.config == "default" else hub.config)
    hub_data.write_split(folder, hub.split, rows, pictures=[column])
    asked = replace(benchmark, prompt=lambda row: "what ?", score=lambda row: 0.0, keys=(), whole=None)
    with pytest.raises(UserError, match="6 rows are unusable") as refused:
        write_questions(_new(tmp_path), asked, tmp_path)
    lines = str(refused.value).splitlines()[1:]
    assert len(lines) == len(places)
    for line, (place, (_, reason)) in zip(lines, places.items(), strict=True):
        assert f"row {place}: " in line
        assert reason in line


def test_bad_pictures_of_joined_rows_are_reported_at_once(tmp_path: Path) -> None:
    hub_data.write_gqa(tmp_path)
    images = [{"id": f"n{i}", "image": damaged_picture() if i else None} for i in range(4)]
    for path in (tmp_path / "testdev_balanced_images").iterdir():
        path.unlink()
    hub_data.write_split(tmp_path / "testdev_balanced_images", "testdev", images)
    with pytest.raises(UserError, match="2 rows are unusable") as refused:
        write_questions(_new(tmp_path), BENCHMARKS.load("gqa"), tmp_path)
    assert "id 'n0': its image is empty" in str(refused.value)
    assert "id 'n1': its image of the row is truncated" in str(refused.value)


@pytest.mark.parametrize("name", TABLES)
def test_rows_without_a_question_are_reported_at_once(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_benchmark(tmp_path / "hub", name)
    assert ask(name, tmp_path / "hub", tmp_path / "out") == 0
    count = len(read_rows(tmp_path / "out" / "questions.parquet"))
    empty = [None, "", " \n"]
    change(tmp_path / "hub", name, lambda row, n: row | {"question": empty[n % 3] if n else "What?"})
    assert ask(name, tmp_path / "hub", tmp_path / "bad") == 2
    error = capsys.readouterr().err
    assert f"{counted(count - 1, 'row is', 'rows are')} unusable" in error
    for number in range(1, count):
        assert f"row {number}: its question is missing or empty" in error
    assert not (tmp_path / "bad").exists()


def change(root: Path, name: str, made: Callable[[dict[str, Any], int], dict[str, Any]]) -> None:
    """Change the rows of a data set that `save_benchmark` wrote."""
    table = TABLES[name][0]
    place = "data" if table.config == "default" else table.config
    path = root / place / f"{table.split}-00000-of-00001.parquet"
    old = parquet.read_table(path)
    rows = [made(row, number) for number, row in enumerate(old.to_pylist())]
    parquet.write_table(pa.Table.from_pylist(rows, old.schema), path)


def test_rows_that_could_not_be_scored_are_reported_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {1: {"answer": None}, 2: {"answer": "maybe"}, 3: {"category": None},
             4: {"question_id": None}, 5: {"category": "random", "question_id": "0"}}  # fmt: skip
    save_benchmark(tmp_path / "hub", "pope")
    wrong_rows = {0: {"category": "random", "question_id": "0"}} | wrong
    change(tmp_path / "hub", "pope", lambda row, n: row | wrong_rows[n])
    assert ask("pope", tmp_path / "hub", tmp_path / "out") == 2
    error = capsys.readouterr().err
    for number, reason in enumerate(
        ["answer is empty", "answer is 'maybe'", "category is None", "question_id is missing",
         "category 'random', question_id '0' appears twice, in row 0 too"], start=1
    ):  # fmt: skip
        assert f"row {number}: its {reason}" in error
    assert not (tmp_path / "out").exists()


def test_a_limit_is_cut_at_whole_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_benchmark(tmp_path / "hub", "mmbench")  # two questions with two rotations each
    for limit, asked in ((1, 1), (2, 2), (3, 2), (4, 4)):
        out = tmp_path / f"first{limit}"
        assert ask("mmbench", tmp_path / "hub", out, "--limit", str(limit)) == 0
        assert len(read_rows(out / "questions.parquet")) == asked
        said = capsys.readouterr().out
        assert f"{counted(asked, 'question')} (" in said
        assert ("left out: 1 row within --limit is an incomplete question" in said) is (limit == 3)
    rows = tmp_path / "rows"
    assert ask("mmbench", tmp_path / "hub", rows, "--limit", "3", "--variant", "rows") == 0
    assert len(read_rows(rows / "questions.parquet")) == 3


def test_questions_that_lack_rotations_are_refused_before_they_are_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_benchmark(tmp_path / "hub", "mmbench")
    change(tmp_path / "hub", "mmbench", lambda row, n: row | ({"index": 9} if n == 3 else {}))
    assert ask("mmbench", tmp_path / "hub", tmp_path / "out") == 2
    assert "2 of 3 questions lack rotations, for example index 8 has 1 of 2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_benchmark_with_questions_on_text_only_counts_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"question": "x", "hint": "", "choices": ["a", "b"], "answer": 0}
    rows = [{**row, "image": hub_data.picture((i, 0, 0)) if i else None} for i in range(3)]
    for config in ("ScienceQA-IMG", "ScienceQA-FULL"):
        hub_data.write_split(tmp_path / "hub" / config, "test", rows)
    assert ask("scienceqa", tmp_path / "hub", tmp_path / "full", "--variant", "full") == 0
    assert "3 questions (1 without an image), 2 images" in capsys.readouterr().out
    blind = [row["image"] is None for row in read_rows(tmp_path / "full" / "questions.parquet")]
    assert blind == [True, False, False]
    assert json.loads((tmp_path / "full" / "run.json").read_text())["text_only"] == 1
    assert ask("scienceqa", tmp_path / "hub", tmp_path / "images") == 2
    assert "row 0: it has no picture (its image is null)" in capsys.readouterr().err
    assert not (tmp_path / "images").exists()


def test_small_parts_become_few_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with GatheringWriter(path) as writer:
        for start in range(0, 2500, 10):
            writer.add(pa.table({"x": range(start, start + 10)}))
    assert parquet.ParquetFile(path).metadata.num_row_groups == 3
    assert parquet.read_table(path)["x"].to_pylist() == list(range(2500))
    with GatheringWriter(path) as writer:
        writer.add(pa.table({"x": [1]}))
        with pytest.raises(ValueError, match="names"):
            writer.add(pa.table({"y": [1]}))
