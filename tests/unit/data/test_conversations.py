from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from paretoken.data.conversations import (
    BadRowError,
    Census,
    Conversation,
    iter_conversations,
    parse_conversation,
)
from paretoken.data.rows import JsonText, read_rows
from paretoken.data.skips import Skips
from paretoken.errors import UserError

GOOD: dict[str, Any] = {
    "id": "1",
    "image": "a.png",
    "conversations": [
        {"from": "human", "value": "<image>\nwhat is it ?"},
        {"from": "gpt", "value": "red"},
    ],
}


def turns(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {**GOOD, "conversations": [{"from": r, "value": v} for r, v in pairs]}


def test_a_good_row() -> None:
    assert parse_conversation(GOOD).turns == ("<image>\nwhat is it ?", "red")


def test_the_place_of_the_image_is_added_where_it_is_missing() -> None:
    row = turns(("human", "what is it ?"), ("gpt", "red"))
    assert parse_conversation(row).turns[0] == "<image>\nwhat is it ?"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**GOOD, "conversations": []}, "no conversations"),
        (turns(("gpt", "red"), ("human", "?")), "no question in it has an answer"),
        (turns(("gpt", "red"), ("gpt", "red"), ("human", "?")), "must be from 'human'"),
        (turns(("system", "red"), ("human", "?"), ("gpt", "red")), "must be from 'human'"),
        (turns(("human", "?"), ("human", "?")), "must be from 'gpt'"),
        (turns(("human", "?"), ("gpt", "  ")), "empty answer"),
        (turns(("human", ""), ("gpt", "red")), "empty question"),
        (turns(("human", "?")), "no question in it has an answer"),
        (turns(("human", "<image> <image>"), ("gpt", "red")), "must appear once"),
        (turns(("human", "?"), ("gpt", "<image>")), "must appear once"),
        (
            turns(("human", "<image>"), ("gpt", "x"), ("human", "<image>"), ("gpt", "x")),
            "must appear once",
        ),
        ({**GOOD, "image": None}, "names no image"),
        *(
            (turns(("human", f"?\n{place}"), ("gpt", "red")), f"turn 1 .*'{place}'; write <image>")
            for place in (
                "<Image>",
                "< image >",
                "<IMAGE>",
                "<image_1>",
                "<img>",
                "<ImageHere>",
                "<image/>",
            )
        ),
        ({**GOOD, "image": ["a.png"]}, "write one path"),
        ({**GOOD, "image": "\ud83d.png"}, r"image holds half a character \('\\ud83d'\)"),
        (turns(("human", "?"), ("gpt", "a \ude00")), "turn 2 holds half a character"),
    ],
)
def test_bad_rows_say_why(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRowError, match=reason):
        parse_conversation(row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<image>\nwhat is it ?", "<image>\nwhat is it ?"),
        ("what is it ?\n<image>", "<image>\nwhat is it ?"),
        ("what is <image> it ?", "<image>\nwhat is  it ?"),  # as LLaVA-1.5's replace leaves it
        ("<image>", "<image>"),
    ],
)
def test_the_image_moves_to_the_start_of_its_turn(text: str, expected: str) -> None:
    assert parse_conversation(turns(("human", text), ("gpt", "red"))).turns[0] == expected


def test_an_image_may_be_in_a_later_question() -> None:
    row = turns(("human", "hello"), ("gpt", "hello"), ("human", "what ?\n<image>"), ("gpt", "red"))
    assert parse_conversation(row).turns == ("hello", "hello", "<image>\nwhat ?", "red")


def test_a_first_answer_and_a_last_question_are_left_out() -> None:
    row = turns(("gpt", "hello"), ("human", "what ?"), ("gpt", "red"), ("human", "and ?"))
    assert parse_conversation(row).turns == ("<image>\nwhat ?", "red")


def test_ids_may_repeat_be_numbers_or_be_missing() -> None:
    """In the real mix an id is the image's, ShareGPT rows have a model, and no id names a result."""
    talk = [{"from": "human", "value": "hello"}, {"from": "gpt", "value": "hello"}]
    text = {"id": 7, "model": "", "conversations": talk}
    rows = [GOOD, GOOD, text, {key: value for key, value in GOOD.items() if key != "id"}]
    skips, census = Skips("data.json"), Census()
    kept = list(iter_conversations(rows, skips, census=census))
    assert [c.id for c in kept] == ["1", "1", "7", ""]
    assert (census.rows, census.kept, census.text_only, skips.rows) == (4, 4, 1, [])


def checked(rows: list[dict[str, Any]], skips: Skips) -> list[Conversation]:
    """Return the conversations, as long as no more rows are bad than may be."""
    kept = list(iter_conversations(rows, skips))
    skips.check(len(rows))
    return kept


def test_bad_rows_are_refused_with_their_place() -> None:
    rows = [GOOD, {**GOOD, "id": 2, "conversations": []}]
    with pytest.raises(UserError, match=r"1 of 2 rows is bad.*\n.*row 2 \(id 2\).*no conversations"):
        checked(rows, Skips("data.json"))


def test_conversations_of_skipped_images_are_left_out_and_are_not_bad() -> None:
    rows = [GOOD, {**GOOD, "image": "b.png"}]
    skips, census = Skips("data.json"), Census()
    kept = list(iter_conversations(rows, skips, frozenset({"a.png"}), census))
    assert [c.image for c in kept] == ["b.png"]
    assert (census.without_image_file, skips.rows) == (1, [])


def test_the_plain_template_needs_one_question_and_one_answer() -> None:
    longer = turns(*[("human", "?"), ("gpt", "red")] * 2)
    skips = Skips("data.json")
    assert len(list(iter_conversations([GOOD, longer], skips, plain=True))) == 1
    assert "one question and one answer" in skips.rows[0][1]


def test_a_few_bad_rows_may_be_listed_and_left_out() -> None:
    rows = [{**GOOD, "id": str(i)} for i in range(9)] + [{"id": "bad"}]
    skips = Skips("data.json", share=0.1)
    assert len(checked(rows, skips)) == 9
    assert skips.record() == [
        {"row": "row 10 (id 'bad')", "reason": "it has no conversations; write [{from, value}, ...]"}
    ]


def test_all_formats_give_the_same_rows(tmp_path: Path) -> None:
    import pyarrow
    from datasets import Dataset
    from pyarrow.parquet import write_table

    rows = [{**GOOD, "id": str(i)} for i in range(3)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    Dataset.from_list(rows).save_to_disk(tmp_path / "folder")
    for name in ("a.json", "a.jsonl", "a.parquet", "folder"):
        assert read_rows(tmp_path / name) == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"a": 1}', "must hold a list"),
        ("a.json", "", "must hold a list"),
        ("a.json", "[]", "holds no rows"),
        ("a.json", '[{"a": 1}, 2]', "entry 2 is not an object"),
        ("a.json", '[{"a": 1}, ]', "entry 2 is not an object"),
        ("a.json", '[{"a": 1}, {"a": "x', "not valid JSON in row 2"),
        ("a.json", '[{"a": 1}', "after row 1"),
        ("a.json", '[{"a": 1}]x', "after the list"),
        ("a.json", '[{"a": 1}, {"a" 1}' + " " * 99 + "]", "not valid JSON in row 2"),
        (
            "a.json",
            '[{"a": 1}, {"a": 1, "b": {"c": 1, "d": 2, "d": 3}}]',
            "row 2: the key 'd' appears twice",
        ),
        ("a.jsonl", '{"a": 1}\n{"image": "x", "a": 1, "image": "y"}', "line 2 .*'image' appears twice"),
        ("a.jsonl", '{"a": 1}\n{', "line 2 is not valid JSON"),
        ("a.json", "[" + '{"a":' * 100_000, "not valid JSON in row 1"),
        ("a.json", '[{"a": ' + "9" * 5000 + "}]", "not valid JSON in row 1"),
        ("a.jsonl", '{"a":' * 100_000, "line 1 is not valid JSON"),
        ("a.jsonl", "", "holds no rows"),
        ("a.parquet", "PAR1", "not a whole Parquet"),
        ("a.csv", "a", "unknown format"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        read_rows(tmp_path / name)
    with pytest.raises(UserError, match="does not exist"):
        read_rows(tmp_path / "missing.json")


@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_is_read_in_chunks_of_any_size(chunk: int, indent: int | None) -> None:
    rows = [{"id": i, "text": 'é "[{},\\' * i, "n": [1.5, None, True], "m": {}} for i in range(20)]
    text = JsonText(io.StringIO(json.dumps(rows, indent=indent) + "\n"), chunk)
    assert text.take("[")
    found = [text.value()]
    while text.take(","):
        assert text.peek() == "{"
        found.append(text.value())
    assert text.take("]")
    assert text.peek() == ""
    assert found == rows


def test_a_broken_row_is_found_without_reading_the_rest() -> None:
    stream = io.StringIO('{"a" 1}' + "," * 5000)
    text = JsonText(stream, chunk=100)
    with pytest.raises(json.JSONDecodeError):
        text.value()
    assert stream.tell() <= 200
