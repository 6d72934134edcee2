"""`paretoken data` on conversations and images of one's own, in every format that rows may have."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import tiny
from paretoken.cli import main
from paretoken.data.encoded import read_encoded
from paretoken.data.images import image_source
from paretoken.data.rows import format_of, read_rows
from paretoken.io.files import read_json

Row = dict[str, Any]
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 90)]
FORMATS = ["json", "jsonl", "parquet", "saved"]


def png(colour: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(stream, "PNG")
    return stream.getvalue()


def row(number: int, image: Any) -> Row:
    turns = [("human", "<image>\nwhat ?" if image else "hello"), ("gpt", "red")]
    conversations = [{"from": role, "value": text} for role, text in turns]
    return {"id": str(number), "image": image, "conversations": conversations}


def write_rows(folder: Path, rows: list[Row], form: str) -> Path:
    """Write rows in one of `FORMATS`; return their path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ("rows" if form == "saved" else f"rows.{form}")
    if form == "json":
        path.write_text(json.dumps(rows))
    elif form == "jsonl":
        path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.mkdir()
        table = pa.Table.from_pylist(rows)
        with (
            pa.OSFile(str(path / "data.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, table.schema) as out,
        ):
            out.write_table(table)
        (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    return path


@pytest.fixture
def named(tmp_path: Path) -> list[Row]:
    """Rows that name images, which are in a folder; the last one is about text only."""
    for number, colour in enumerate(COLOURS):
        path = tmp_path / "images" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(colour))
    return [*(row(n, f"{n}.png") for n in range(len(COLOURS))), row(9, "0.png"), row(10, None)]


@pytest.fixture
def held() -> list[Row]:
    """The same rows with their images in them."""
    rows = [row(n, {"bytes": png(colour), "path": None}) for n, colour in enumerate(COLOURS)]
    return [*rows, row(9, {"bytes": png(COLOURS[0]), "path": None}), row(10, None)]


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: object) -> tuple[int, str, str]:
        code = main([str(each) for each in ("data", *arguments, "--workers", 1)])
        return code, *capsys.readouterr()

    return command


@pytest.mark.parametrize("form", FORMATS)
def test_rows_of_every_format_are_counted_indexed_and_linked(
    run: Run, named: list[Row], tmp_path: Path, form: str
) -> None:
    path, images, out = write_rows(tmp_path / "own", named, form), tmp_path / "images", tmp_path / "out"
    code, printed, _ = run("--conversations", path, "--images", images, "--out", out)
    assert code == 0
    assert "6 conversations (1 without an image), 4 images, 0 of them left out" in printed
    assert (out / "conversations").resolve() == path
    assert (out / "images").resolve() == images
    assert read_rows(out / "conversations") == read_rows(path)
    index = pq.read_table(out / "images.parquet").to_pylist()
    assert [entry["name"] for entry in index] == [f"{n}.png" for n in range(4)]
    assert {(entry["width"], entry["height"]) for entry in index} == {(40, 30)}
    assert read_json(out / "run.json")["rows"] == len(named)


@pytest.mark.parametrize("form", ["parquet", "saved"])
def test_images_in_rows_need_no_folder(run: Run, held: list[Row], tmp_path: Path, form: str) -> None:
    path, out = write_rows(tmp_path / "own", held, form), tmp_path / "out"
    code, printed, _ = run("--conversations", path, "--out", out)
    assert code == 0
    assert "6 conversations (1 without an image), 4 images, 0 of them left out" in printed
    assert not (out / "images").exists()
    source = image_source(out / "conversations")
    index = pq.read_table(out / "images.parquet").to_pylist()
    seen = [source.open(entry["name"]).getpixel((0, 0)) for entry in index]
    assert seen == COLOURS


@pytest.mark.parametrize("form", FORMATS)
def test_the_link_is_tokenized_as_the_rows_themselves(
    run: Run, named: list[Row], tmp_path: Path, form: str
) -> None:
    tiny.tokenizer().save_pretrained(tmp_path / "llm")
    path, out = write_rows(tmp_path / "own", named, form), tmp_path / "out"
    run("--conversations", path, "--images", tmp_path / "images", "--out", out)
    for data, tokens in ((path, "direct"), (out / "conversations", "linked")):
        main(["tokenize", "--data", str(data), "--llm", str(tmp_path / "llm"),
              "--out", str(tmp_path / tokens)])  # fmt: skip
    direct, linked = read_encoded(tmp_path / "direct"), read_encoded(tmp_path / "linked")
    for part in ("ids", "learned", "offsets", "images", "question_ids"):
        assert np.array_equal(getattr(linked, part), getattr(direct, part)), part
    assert list(linked.image_names) == [f"{n}.png" for n in range(4)]


def test_bad_images_of_rows_are_counted_and_listed(run: Run, held: list[Row], tmp_path: Path) -> None:
    whole = held[1]["image"]["bytes"]
    held[1]["image"] = {"bytes": whole[: len(whole) // 2], "path": "half.png"}
    held[2]["image"] = {"bytes": b"", "path": "elsewhere.png"}
    path, out = write_rows(tmp_path / "own", held, "parquet"), tmp_path / "out"
    code, _, complaint = run("--conversations", path, "--out", out)
    assert code == 2
    assert "2 of 4 rows are bad" in complaint
    assert "elsewhere.png: is a path, and no folder of images is given" in complaint
    assert not out.exists()
    assert run("--conversations", path, "--out", out, "--max-bad-share", 0.5)[0] == 0
    skipped = read_json(out / "skipped.json")
    assert {entry["image"].partition("#")[0] for entry in skipped} == {"half.png", "elsewhere.png"}
    # A header alone shows no damage: the option says so.
    held[2] = row(2, {"bytes": png(COLOURS[2]), "path": None})
    path = write_rows(tmp_path / "other", held, "parquet")
    assert run("--conversations", path, "--out", tmp_path / "quick", "--no-decode")[0] == 0


def test_a_folder_for_rows_with_images_is_reported(run: Run, held: list[Row], tmp_path: Path) -> None:
    path = write_rows(tmp_path / "own", held, "parquet")
    (tmp_path / "images").mkdir()
    arguments = ("--conversations", path, "--images", tmp_path / "images", "--out", tmp_path / "out")
    code, _, complaint = run(*arguments)
    assert code == 2
    assert "is in its row, not in the folder of images; give no folder" in complaint


def test_a_second_run_has_nothing_to_do_and_changed_rows_are_noticed(
    run: Run, named: list[Row], tmp_path: Path
) -> None:
    path, images, out = (
        write_rows(tmp_path / "own", named, "json"),
        tmp_path / "images",
        tmp_path / "out",
    )
    arguments = ("--conversations", path, "--images", images, "--out", out)
    assert run(*arguments)[0] == 0
    code, printed, _ = run(*arguments)
    assert (code, "nothing to do" in printed) == (0, True)
    write_rows(tmp_path / "own", named[:3], "json")
    code, _, complaint = run(*arguments)
    assert (code, "other settings" in complaint) == (2, True)
    assert read_json(out / "run.json")["rows"] == len(named)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--data-set and --root missing"),
        (("--data-set", "finetune"), "--root missing; give --data-set and --root for downloaded data"),
        (("--images", "images"), "--images: for your own data; give --conversations too"),
        (("--conversations", "rows.json", "--root", "x"), "--root: for downloaded data"),
        (("--conversations", "rows.json", "--check", "--data-set", "x"), "--data-set, --check: for"),
        (("--conversations", "rows.json"), "--out is missing; give a folder to write\n"),
        (("--conversations", "none.json", "--out", "out"), "none.json does not exist; expected .json"),
        (("--conversations", "rows.txt", "--out", "out"), "rows.txt has an unknown format"),
        (("--conversations", "rows.json", "--images", "none", "--out", "out"), "none is not a dir"),
        (("--conversations", "rows.json", "--images", "images", "--out", "images"), "would be deleted"),
        (("--conversations", "empty.json", "--images", "images", "--out", "out"), "holds no rows"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_before_anything_is_written(
    run: Run,
    named: list[Row],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: Any,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path, named, "json")
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "rows.txt").write_text("[]")
    before = sorted(tmp_path.rglob("*"))
    code, _, complaint = run(*arguments)
    assert code == 2
    assert words in complaint
    assert sorted(tmp_path.rglob("*")) == before


@given(name=st.text("abc.", min_size=1, max_size=8), suffix=st.sampled_from([".json", ".parquet", ""]))
def test_a_link_without_a_suffix_has_the_format_of_its_target(
    tmp_path_factory: pytest.TempPathFactory, name: str, suffix: str
) -> None:
    folder = tmp_path_factory.mktemp("links")
    target, link = folder / f"t{name.strip('.')}{suffix}", folder / "conversations"
    target.touch()
    link.symlink_to(target)
    assert format_of(link) == format_of(target) == target.suffix
