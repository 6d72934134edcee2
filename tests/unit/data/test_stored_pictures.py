"""Pictures that rows hold themselves: each row keeps its own, whatever their paths are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

import tiny
from paretoken.cli import main
from paretoken.data.conversations import BadRowError, row_image
from paretoken.data.encoded import read_encoded
from paretoken.data.features import FeatureStore, PixelStore
from paretoken.data.images import ImageSource, image_source, stored_images
from paretoken.data.preprocessor import read_preprocessor
from paretoken.data.rows import read_rows
from paretoken.data.stored_names import by_path, split_name, stored_name
from paretoken.errors import UserError
from paretoken.models.vision import load_encoder
from standins.pictures import colour, picture

COUNT = 6
#: How data sets call the pictures of their rows.
PATHS: dict[str, Callable[[int], str | None]] = {
    "one name": lambda n: "image.png",
    "no name": lambda n: None,
    "some names": lambda n: ("a.png", None, "")[n % 3],
    "own names": lambda n: f"folder/{n}.png",
    "odd names": lambda n: ("/home/me/a.png", "..\\a.png", "a#b.png")[n % 3],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    tiny.save_vision(folder / "vision")
    tiny.save_model(folder)
    return folder


def rows_of(path_of: Callable[[int], str | None]) -> list[dict[str, Any]]:
    return [
        {"question_id": f"q{n}", "question": "what colour is it ?", "answer": colour(n),
         "image": {"bytes": picture(n, "PNG"), "path": path_of(n)},
         "conversations": [{"from": "human", "value": "<image>\nwhat colour is it ?"},
                           {"from": "gpt", "value": colour(n)}]}
        for n in range(COUNT)
    ]  # fmt: skip


def saved(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    if kind == "folder":
        from datasets import Dataset

        Dataset.from_list(rows).save_to_disk(folder / "rows")
        return folder / "rows"
    write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    return folder / "rows.parquet"


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.mark.parametrize("kind", ["parquet", "folder"])
@pytest.mark.parametrize("paths", PATHS)
def test_each_row_keeps_its_own_picture(world: Path, tmp_path: Path, paths: str, kind: str) -> None:
    rows = rows_of(PATHS[paths])
    data = saved(tmp_path, kind, rows)
    assert run("features", "--vision", world / "vision", "--data", data,
               "--aspect", "pad", "--out", tmp_path / "features") == 0  # fmt: skip
    assert run("tokenize", "--data", data, "--llm", world / "llm", "--out", tmp_path / "tokens") == 0
    tokens = read_encoded(tmp_path / "tokens")
    names = [tokens.image_names[image] for image in tokens.images]
    assert names == [row_image(row) for row in rows]
    store = FeatureStore(tmp_path / "features")
    assert len(store.index["images"]) == COUNT
    preprocess = read_preprocessor(world / "vision", "pad")
    right = ImageSource(stored={str(n): picture(n, "PNG") for n in range(COUNT)})
    expected = PixelStore(right, preprocess)
    pixels = expected.gather(expected.locate([str(n) for n in range(COUNT)]))
    online = PixelStore(image_source(data), preprocess)
    np.testing.assert_array_equal(online.gather(online.locate(names)), pixels)
    encoder = load_encoder(world / "vision", store.layers, False)
    found = store.gather(store.locate(names)).float()
    np.testing.assert_allclose(found, encoder(pixels), atol=2e-3, rtol=2e-3)


def test_predict_asks_about_the_picture_of_the_row(world: Path, tmp_path: Path) -> None:
    answers = {}
    for paths, path_of in PATHS.items():
        folder = tmp_path / paths.replace(" ", "_")
        folder.mkdir()
        data = saved(folder, "parquet", rows_of(path_of))
        assert run("predict", "--model", world / "model", "--questions", data, "--images", data,
                   "--max-new-tokens", 4, "--out", folder / "p.parquet") == 0  # fmt: skip
        answers[paths] = [row["prediction"] for row in read_rows(folder / "p.parquet")]
    first, *others = answers.values()
    assert all(each == first for each in others)
    assert len(set(first)) > 1


def test_a_path_alone_finds_a_picture_that_a_row_holds_if_one_is_called_so(
    world: Path, tmp_path: Path
) -> None:
    rows = rows_of(lambda n: "twice.png" if n < 2 else f"{n}.png")
    source = ImageSource(stored=stored_images(rows))
    assert source.missing(["2.png", "twice.png", "none.png"]) == ["twice.png", "none.png"]
    assert source.open("2.png").size == source.open(stored_name(picture(2, "PNG"), "2.png")).size
    assert source.full_names(["2.png", "2.png"]) == [stored_name(picture(2, "PNG"), "2.png")]
    data = saved(tmp_path, "parquet", rows)
    assert (
        run("features", "--vision", world / "vision", "--data", data, "--out", tmp_path / "features")
        == 0
    )
    store = FeatureStore(tmp_path / "features")
    assert store.locate(["2.png"]) == store.locate([stored_name(picture(2, "PNG"), "2.png")])
    for action in (lambda: source.open("twice.png"), lambda: store.locate(["twice.png"])):
        with pytest.raises(UserError, match="the path of several pictures in rows"):
            action()


def test_a_file_is_used_for_a_picture_of_a_row_if_it_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(0, "PNG"))
    source, same = ImageSource(tmp_path), stored_name(picture(0, "PNG"), "a.png")
    assert source.missing([same]) == []
    assert source.open(same).getpixel((0, 0)) == source.open("a.png").getpixel((0, 0))
    with pytest.raises(UserError, match="differs from the one in its row"):
        source.open(stored_name(picture(1, "PNG"), "a.png"))
    with pytest.raises(UserError, match="is stored in its row, and missing in"):
        source.open(stored_name(picture(1, "PNG"), None))


def test_a_file_goes_before_a_stored_picture_of_the_same_path(tmp_path: Path) -> None:
    (tmp_path / "2.png").write_bytes(picture(0, "PNG"))
    source = ImageSource(tmp_path, stored_images(rows_of(lambda n: f"{n}.png")))
    assert source.full_names(["2.png", "3.png"])[0] == "2.png"
    assert source.open("2.png").size == ImageSource(tmp_path).open("2.png").size
    assert source.full_names(["3.png"]) == [stored_name(picture(3, "PNG"), "3.png")]


def test_names_are_taken_apart_again() -> None:
    for path in ("a.png", "", "a#b", "ä/#", "x" * 300):
        name = stored_name(b"content", path)
        assert split_name(name)[0] == path
        assert by_path([name, name]) == ({path: name} if path else {})
        assert by_path([name, stored_name(b"other", path)]) == ({path: None} if path else {})
    for plain in ("a.png", "a.png#1", "a#" + "g" * 32):
        assert split_name(plain) == (plain, None)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (
            {"bytes": "iVBORw0KGgo", "path": "a.png"},
            "bytes of its image are a text; store them as binary",
        ),
        ({"bytes": [1, 2], "path": None}, "bytes of its image are a list"),
        ({"bytes": b"x", "path": 5}, "its image is a number; write one path"),
        ({"bytes": None, "path": None}, "neither bytes nor a path"),
        ({"bytes": b"", "path": None}, "neither bytes nor a path"),
    ],
)
def test_an_invalid_stored_picture_is_refused(image: Any, words: str) -> None:
    with pytest.raises(BadRowError, match=words):
        row_image({"image": image})
    assert stored_images([{"image": image}]) == {}


def test_older_tokens_of_rows_with_pictures_are_not_reused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretoken.data import tokenizing

    tiny.tokenizer().save_pretrained(tmp_path / "llm")
    stored = rows_of(lambda n: "image.png")
    named = [{**row, "image": f"{n}.png"} for n, row in enumerate(stored)]
    (tmp_path / "named.json").write_text(json.dumps(named))
    cases = {saved(tmp_path, "parquet", stored): 2, tmp_path / "named.json": 0}
    for data, code in cases.items():
        line = (
            "tokenize",
            "--data",
            data,
            "--llm",
            tmp_path / "llm",
            "--out",
            tmp_path / data.stem / "t",
        )
        with monkeypatch.context() as before:
            before.setattr(tokenizing, "_holds_pictures", lambda data: False)
            assert run(*line) == 0
        assert run(*line) == code
    assert "delete its folder" in capsys.readouterr().err
