"""Misspelt keys, wrong types and unusable names: each is refused with what is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice, permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from paretoken.cli import main
from paretoken.data import row_keys
from paretoken.data.conversations import (
    ROW_KEYS,
    TURN_KEYS,
    BadRowError,
    iter_conversations,
    parse_conversation,
    row_image,
)
from paretoken.data.image_files import find_image, locate_images, name_problem
from paretoken.data.row_keys import ALIASES
from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.data.stored_names import stored_name
from paretoken.errors import UserError
from paretoken.evaluate.questions import QUESTION_KEYS, parse_questions

TURNS = [{"from": "human", "value": "what is it ?"}, {"from": "gpt", "value": "red"}]
ROW: dict[str, Any] = {"id": "1", "image": "a.png", "conversations": TURNS}
QUESTION: dict[str, Any] = {"question_id": 1, "image": "a.png", "question": "what ?", "answer": "red"}

#: Columns that real data sets have beside the ones that are read.
HARMLESS = {
    "id": "7",
    "model": "",
    "source": "coco",
    "width": 3,
    "height": 2,
    "data_source": "x",
    "metadata": {},
    "conversation_id": "c7",
    "image_size": [3, 2],
    "language": "en",
    "question_type": "open",
    "tag": None,
}


def misspelt(draw: st.DrawFn, name: str) -> str:
    """Draw a spelling of a key that is wrong in one way."""
    place = draw(st.integers(0, len(name) - 2))
    letter = draw(st.sampled_from("aeinrst"))
    return draw(
        st.sampled_from(
            [
                name.upper(),
                name.capitalize(),
                f"{name}s",
                f" {name}",
                f"{name}_",
                f"{name}1",
                name[:place] + name[place + 1] + name[place] + name[place + 2 :],
                name[:place] + name[place + 1 :],
                name[:place] + letter + name[place:],
            ]
        ).filter(lambda key: key != name)
    )


def renamed(row: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    return {key if each == name else each: value for each, value in row.items()}


def reason_of(action: Callable[[], object]) -> str:
    with pytest.raises(BadRowError) as refused:
        action()
    return str(refused.value)


@given(st.data())
def test_every_misspelt_key_of_a_row_is_refused_with_the_right_one(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(ROW_KEYS)))
    key = data.draw(st.one_of(st.composite(misspelt)(name), st.sampled_from(ALIASES[name])))
    row = {**HARMLESS, **renamed(ROW, name, key)}
    assert f"unknown key {key!r}; write {name!r}" in reason_of(lambda: parse_conversation(row))
    if name == "image":
        assert f"{key!r}; write 'image'" in reason_of(lambda: row_image(row))


@given(st.data())
def test_every_misspelt_key_of_a_turn_is_refused_with_the_right_one(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(TURN_KEYS)))
    key = data.draw(st.one_of(st.composite(misspelt)(name), st.sampled_from(ALIASES[name])))
    number = data.draw(st.integers(0, 1))
    turns = [renamed(turn, name, key) if i == number else turn for i, turn in enumerate(TURNS)]
    reason = reason_of(lambda: parse_conversation({**ROW, "conversations": turns}))
    assert f"turn {number + 1} has the unknown key {key!r}; write {name!r}" in reason


@given(st.data())
def test_every_misspelt_key_of_a_question_is_refused_with_the_right_one(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(QUESTION_KEYS)))
    key = data.draw(st.one_of(st.composite(misspelt)(name), st.sampled_from(ALIASES[name])))
    with pytest.raises(UserError) as refused:
        parse_questions([renamed(QUESTION, name, key)], Skips("questions"))
    assert f"unknown key {key!r}; write {name!r}" in str(refused.value)


@pytest.mark.parametrize("name", [None, "image"])
def test_other_columns_of_data_sets_are_ignored(name: str | None) -> None:
    row = {**HARMLESS, **ROW} if name else {**HARMLESS, "conversations": TURNS}
    assert parse_conversation(row).image == ("a.png" if name else None)
    assert parse_conversation({**row, "images": None, "messages": [], "image_id": ""}).turns[1] == "red"
    more = {**QUESTION, "answers": ["red", "rot"], "image_id": 5, "text": "other"}
    assert [q.answers for q in parse_questions([more], Skips("questions"))] == [("red",)]


def test_rows_of_paretoken_questions_keep_the_data_sets_own_columns() -> None:
    own = {"_id": "0", "image": None, "prompt": "what ?", "images": 3, "answers": ["a"], "id": 1}
    (question,) = parse_questions([own], Skips("questions"))
    assert question.columns["answers"] == ["a"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**ROW, "images": ["b.png"]}, "has both 'image' and 'images'; write 'image' only"),
        ({**ROW, "Image": "b.png"}, "has both 'image' and 'Image'"),
        ({**ROW, "conversation": TURNS}, "has both 'conversations' and 'conversation'"),
        ({"images": ["a.png"], "messages": TURNS}, "'images'; write 'image' .*'messages'; write 'conv"),
    ],
)
def test_two_spellings_and_two_mistakes_are_reported_at_once(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRowError, match=reason):
        parse_conversation(row)


WRONG_TYPES = [
    (5, "a number"),
    (1.5, "a number"),
    (True, "true or false"),
    (None, "null"),
    (["red"], "a list"),
    ({"text": "red"}, "an object"),
]


@pytest.mark.parametrize(("value", "kind"), WRONG_TYPES)
def test_a_wrong_type_is_called_what_it_is(value: Any, kind: str) -> None:
    def told(row: dict[str, Any]) -> str:
        return reason_of(lambda: parse_conversation(row))

    answer = [TURNS[0], {"from": "gpt", "value": value}]
    assert f"turn 2 is {kind}; write a text" in told({**ROW, "conversations": answer})
    assert (
        f"turn 2 is {kind}" in told({**ROW, "conversations": [TURNS[0], value]}) or kind == "an object"
    )
    if value is not None:
        if not isinstance(value, list | dict):
            assert told({**ROW, "conversations": value}).startswith(f"its conversations are {kind}")
        if not isinstance(value, dict):
            assert told({**ROW, "image": value}) == f"its image is {kind}; write one path"
        for key, words in (("question", "question"), ("answer", "answer"), ("image", "image")):
            if key in {"answer", "image"} and isinstance(value, list):
                continue
            with pytest.raises(
                UserError, match=f"its {words} (is {kind}|is an object|.*neither bytes)|path"
            ):
                parse_questions([{**QUESTION, key: value}], Skips("questions"))


def test_other_shapes_of_conversations_and_images_are_called_what_they_are() -> None:
    for value, words in (("red", "a text"), ({"from": "human"}, "an object")):
        reason = reason_of(lambda value=value: parse_conversation({**ROW, "conversations": value}))
        assert reason == f"its conversations are {words}; write [{{from, value}}, ...]"
    assert reason_of(lambda: row_image({"image": []})) == "its image is a list; write one path"
    assert "neither bytes nor a path" in reason_of(lambda: row_image({"image": {}}))
    missing = [TURNS[0], {"from": "gpt"}]
    told = reason_of(lambda: parse_conversation({**ROW, "conversations": missing}))
    assert told == "turn 2 has no 'value'; write {from, value}"


NAMES = {
    "/data/a.png": "an absolute path",
    "//host/a.png": "an absolute path",
    "C:/a.png": "an absolute path",
    "C:\\a.png": "an absolute path",
    "~/a.png": "an absolute path",
    "https://example.org/a.png": "an address",
    "file:///a.png": "an address",
    "data:image/png;base64,iVBORw0KGgo=": "is a picture itself",
    "coco\\a.png": "has backslashes",
    "..\\a.png": "has backslashes",
    "../a.png": "leads out of its folder",
    "coco/../a.png": "leads out of its folder",
    "coco/..": "leads out of its folder",
    "a\0.png": "zero character",
    "coco/": "a folder's name",
    ".": "a folder's name",
    "coco/.": "a folder's name",
    "  ": "is empty",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be_one_says_what_a_name_looks_like(tmp_path: Path, name: str) -> None:
    (tmp_path / "coco").mkdir()
    for file in ("a.png", "coco/a.png", "coco\\a.png"):
        (tmp_path / file).touch()
    for reason in (
        reason_of(lambda: parse_conversation({**ROW, "image": name})),
        reason_of(lambda: row_image({"image": {"path": name, "bytes": None}})),
        name_problem(name) or "",
    ):
        assert NAMES[name] in reason
        assert "relative to the image folder, with forward slashes" in reason
    assert row_image({"image": {"path": name, "bytes": b"x"}}) == stored_name(b"x", name)
    assert find_image(tmp_path / "coco", name) is None
    assert locate_images(tmp_path / "coco", [name]) == {}
    with pytest.raises(UserError, match="forward slashes"):
        parse_questions([{**QUESTION, "image": name}], Skips("questions"))


@pytest.mark.parametrize(
    "name",
    ["a.png", "./a.png", "b/a.png", "b//a.png", "~a.png", "a b.png", "ä:b.png", "..a.png", "b/.a.png"],
)
def test_unusual_names_that_can_be_one_are_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert name_problem(name) is None
    assert find_image(tmp_path, name) == path
    assert locate_images(tmp_path, [name]) == {name: name}
    other = f"{name[:-4]}.jpg"
    assert find_image(tmp_path, other) == path
    assert locate_images(tmp_path, [other]) == {other: name}


@pytest.mark.parametrize("said", [".jpg", ".png", ".gif", ".jpeg", ".webp", ".PNG"])
@pytest.mark.parametrize("there", [".JPG", ".PNG", ".GIF", ".JPEG", ".WEBP", ".png"])
def test_a_suffix_in_upper_case_is_found(tmp_path: Path, said: str, there: str) -> None:
    (tmp_path / f"a{there}").touch()
    assert find_image(tmp_path, f"a{said}") == tmp_path / f"a{there}"
    assert locate_images(tmp_path, [f"a{said}"]) == {f"a{said}": f"a{there}"}
    (tmp_path / f"a{said}").touch()  # what is called so goes first
    assert locate_images(tmp_path, [f"a{said}"]) == {f"a{said}": f"a{said}"}


@pytest.mark.parametrize("name", ["x" * 300, "/".join("y" * 50 for _ in range(100)), "a.png/b.png", "b"])
def test_names_without_a_file_name_are_missing(tmp_path: Path, name: str) -> None:
    for file in ("a.png", "b.png"):
        (tmp_path / file).touch()
    assert find_image(tmp_path, name) is None
    assert locate_images(tmp_path, [name]) == {}


@pytest.mark.parametrize("command", ["tokenize", "features"])
def test_commands_name_the_row_and_the_right_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "rows.json").write_text(
        json.dumps([renamed({**ROW, "image": ["a.png"]}, "image", "images")])
    )
    line = [command, "--data", str(tmp_path / "rows.json"), "--out", str(tmp_path / "out")]
    if command == "tokenize":
        tiny.tokenizer().save_pretrained(tmp_path / "llm")
        line += ["--llm", str(tmp_path / "llm")]
    else:
        line += ["--vision", str(tmp_path)]
    assert main(line) == 2
    told = capsys.readouterr().err
    assert "row 1" in told
    assert "unknown key 'images'; write 'image' (the path of one image)" in told
    assert not (tmp_path / "out").exists()


LONG_IDS = {
    "list": [[["x" * 10**5]]],
    "object": {"a": {"b": [1] * 10**5}},
    "text": "y" * 10**5,
    "number": 10**4000,
}


def nested(levels: int, opening: str, closing: str) -> str:
    return opening * levels + "1" + closing * levels


LONG = "a" * 10**5
HOSTILE_ROWS = {
    "keys": (json.dumps({f"convers{n}": 1 for n in range(3000)}), "3,000 keys; at most 1,000 are read"),
    "keys inside": (json.dumps({"a": [{f"value{n}": 1 for n in range(3000)}]}), "3,000 keys"),
    "lists": ('{"id": ' + nested(200, "[", "]") + "}", "nested more than 50 deep"),
    "objects": (nested(200, '{"a": ', "}"), "nested more than 50 deep"),
    "both": (nested(100, '{"a": [', "]}"), "nested more than 50 deep"),
    "twice": (f'{{"{LONG}": 1, "{LONG}": 2}}', r"'a+\.\.\.a+' appears twice"),
}


@pytest.mark.parametrize("name", HOSTILE_ROWS)
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_a_row_of_too_many_keys_or_levels_is_refused(tmp_path: Path, name: str, suffix: str) -> None:
    row, words = HOSTILE_ROWS[name]
    path = tmp_path / f"rows.{suffix}"
    path.write_text(f"[{row}]" if suffix == "json" else row)
    with pytest.raises(UserError, match=words) as refused:
        read_rows(path)
    assert len(str(refused.value)) < 500


def test_few_keys_of_a_row_are_compared_by_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    monkeypatch.setattr(row_keys, "_likeness", lambda key, name: compared.append(key) or 0.0)
    keys = ["".join(p) + str(n) for n, p in enumerate(islice(permutations("conversations"), 900))]
    list(row_keys.key_problems(dict.fromkeys(keys, 1), ROW_KEYS))
    assert len(set(compared)) <= 2 * row_keys.MOST_COMPARED
    compared.clear()
    list(row_keys.key_problems({"c" * 10**5: 1, "unlike": 1, "x" * 13: 1}, ROW_KEYS))
    assert compared == []


@pytest.mark.parametrize("key", ["conversaiton", "imagge", "Images"])
def test_a_misspelt_key_among_hundreds_of_others_is_found(key: str) -> None:
    name = "image" if key.lower().startswith("i") else "conversations"
    row = {**{f"column_{n}": n for n in range(900)}, **renamed(ROW, name, key)}
    assert f"unknown key {key!r}; write {name!r}" in reason_of(lambda: parse_conversation(row))


@pytest.mark.parametrize("value", LONG_IDS.values(), ids=LONG_IDS)
def test_an_id_in_a_message_is_cut(value: Any) -> None:
    skips = Skips("rows.json", 2.0)
    list(iter_conversations([{"id": value, "image": "a.png", "conversations": []}], skips))
    assert parse_questions([{"_id": value, "prompt": 5}], skips) == []
    assert len(skips.record()) == 2
    assert all(len(str(each)) < 600 for each in skips.record())
