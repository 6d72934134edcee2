"""A row that holds its picture under a key that is not read is refused, not trained blind."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tiny
from paretoken.cli import main
from paretoken.data.conversations import BadRowError, parse_conversation, row_image
from paretoken.data.image_formats import is_encoded_text
from paretoken.data.picture_keys import picture_key
from paretoken.data.skips import Skips
from paretoken.evaluate.questions import parse_questions, sort_questions
from standins.benchmarks import TABLES
from standins.pictures import picture, stored

TURNS = [{"from": "human", "value": "what is it ?"}, {"from": "gpt", "value": "red"}]
ROW: dict[str, Any] = {"id": "1", "conversations": TURNS}

WORDS = (
    "image",
    "img",
    "picture",
    "photo",
    "pic",
    "screenshot",
    "frame",
    "visual",
    "Image",
    "IMG",
    "images",
)
PARTS = ("", "path", "file", "filename", "name", "url", "bytes", "base64", "1", "a", "data", "left")
JOINTS = ("", "_", "-", " ", ".")
VALUES: tuple[Any, ...] = (
    "coco/1",
    "a.png",
    ["a", "b"],
    {"path": "a"},
    b"anything",
    base64.b64encode(picture(0)).decode(),
)

#: Keys that do not name a picture, with values that are one.
OTHER_KEYS = ("file", "path", "file_path", "url", "src", "source", "content", "input", "x", "media_file")
PICTURES: tuple[Any, ...] = (
    "coco/1.jpg",
    "A.PNG",
    " a.jpeg ",
    "https://example.org/a/b.webp?size=3#x",
    ["a.tif", "b.tif"],
    {"path": "a.bmp", "bytes": None},
    *(stored(0, kind=kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")),
    picture(0),
    base64.b64encode(picture(0, "PNG")).decode(),
    "data:image/png;base64,iVBORw0KGgo=",
)

#: What real rows have beside, or without, an image.
ALLOWED: dict[str, Any] = {
    "id": "000000033471.jpg",
    "source": "coco",
    "url": "https://en.wikipedia.org/wiki/Cat",
    "flickr_original_url": "",
    "model": "",
    "topic": "physics",
    "epic": "a",
    "picturesque": "yes",
    "framework": "torch",
    "visualisation": "no",
    "image_size": [3, 2],
    "image_width": 3,
    "img_height": "40",
    "img_type": "['Icons']",
    "image_source": "COCO_1",
    "image_classes": ["Sign"],
    "image_caption": "cat",
    "image_description": "A cat on a mat.",
    "visual": "It shows a cat",
    "num_frames": 16,
    "frames": 8,
    "has_image": False,
    "picture": None,
    "photo": "",
    "screenshots": [],
    "text_source": "write it to a.png",
    "no_image": "true",
    "num_image": 1,
    "image_set": "train",
    "video_id": "x7",
    "visual_reasoning": "yes",
    "hint": "see a.png",
    "sha": "Qk" + "0" * 62,
    "file": "data.json",
    "path": "a/b.txt",
}


@given(st.sampled_from(WORDS), st.sampled_from(PARTS), st.sampled_from(JOINTS), st.sampled_from(VALUES))
def test_a_key_with_a_word_for_a_picture_is_refused(
    word: str, part: str, joint: str, value: Any
) -> None:
    key = f"{word}{joint if part else ''}{part.capitalize() if joint == '' else part}"
    assume(key != "image")
    for act in (lambda: parse_conversation({**ROW, key: value}), lambda: row_image({key: value})):
        with pytest.raises(BadRowError) as refused:
            act()
        assert f"unknown key {key!r}; write 'image'" in str(refused.value)
    assert parse_conversation({**ROW, "image": "a.png", key: None}).image == "a.png"


@pytest.mark.parametrize("key", ["imgname", "imagefile", "img_path", "image_filename", "picture_path",
                                 "pic", "image_bytes", "image_base64", "screenshot", "frames", "visual",
                                 "imagePath", "IMAGE_PATH", "imageURL", "left_image",
                                 "image2"])  # fmt: skip
def test_keys_that_others_use_are_refused(key: str) -> None:
    assert picture_key({key: "coco/1"}) == key


@pytest.mark.parametrize("key", OTHER_KEYS)
@pytest.mark.parametrize("value", PICTURES, ids=range(len(PICTURES)))
def test_a_value_that_is_a_picture_is_refused_whatever_its_key(key: str, value: Any) -> None:
    with pytest.raises(BadRowError, match=f"unknown key {key!r}; write 'image'"):
        row_image({key: value})
    question = {"question_id": 1, "question": "what ?", "answer": "red", key: value}
    assert f"unknown key {key!r}" in sort_questions([question])[1][1]
    assert sort_questions([{**question, "image": "a.png"}])[1] == {}


@pytest.mark.parametrize("key", ALLOWED)
def test_what_real_rows_have_without_an_image_is_allowed(key: str) -> None:
    assert parse_conversation({**ROW, key: ALLOWED[key]}).image is None
    assert parse_conversation({**ROW, "image": "a.png", key: ALLOWED[key]}).image == "a.png"


def test_a_place_may_have_blanks_and_a_text_may_name_a_file() -> None:
    assert picture_key({"path": "my pictures/a b.png"}) == "path"
    assert picture_key({"hint": "my pictures/a b.png"}) is None


@pytest.mark.parametrize("name", TABLES)
def test_rows_of_real_benchmarks_are_refused_only_without_their_picture(name: str) -> None:
    for table in TABLES[name]:
        for row in table.rows():
            own = {key: value for key, value in row.items() if key not in {"image", *table.images}}
            own = {key: value for key, value in own.items() if key not in {"image_id", "imageId"}}
            assert picture_key(own) is None
            asked = {**own, "_id": "1", "prompt": "what ?", "image": None}
            assert len(parse_questions([asked], Skips("questions"))) == 1


def test_only_encoded_pictures_count_as_pictures() -> None:
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF"):
        text = base64.b64encode(picture(0, kind)).decode()
        assert is_encoded_text(text)
        assert is_encoded_text(f"data:image/{kind.lower()};base64,{text}")
    for name in ("a.png", "x" * 200, "coco/" + "a" * 100, "UklGR.png", "Qk" + "a" * 80, "", "ä" * 80):
        assert not is_encoded_text(name)


@pytest.mark.parametrize("value", [*PICTURES[-2:], base64.b64encode(picture(0)).decode()])
def test_a_picture_in_the_place_of_its_name_is_reported_by_tokenize(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    tiny.tokenizer().save_pretrained(tmp_path / "llm")
    (tmp_path / "rows.json").write_text(json.dumps([{**ROW, "image": value}]))
    assert main(["tokenize", "--data", str(tmp_path / "rows.json"), "--llm", str(tmp_path / "llm"),
                 "--out", str(tmp_path / "out")]) == 2  # fmt: skip
    told = capsys.readouterr().err
    assert "is a picture itself, not a name; save it as a file" in told
    assert len(told) < 1000
