from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paretoken.data.conversations import BadRowError, parse_conversation, parse_conversations
from paretoken.data.rows import read_rows
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
        ({**GOOD, "id": ""}, "no id"),
        ({**GOOD, "conversations": []}, "no conversations"),
        (turns(("gpt", "red"), ("human", "?")), "must be from 'human'"),
        (turns(("human", "?"), ("human", "?")), "must be from 'gpt'"),
        (turns(("human", "?"), ("gpt", "  ")), "empty answer"),
        (turns(("human", ""), ("gpt", "red")), "empty question"),
        (turns(("human", "?")), "no answer"),
        (turns(("human", "<image> <image>"), ("gpt", "red")), "must stand once"),
        (turns(("human", "?"), ("gpt", "<image>")), "must stand once"),
        ({**GOOD, "image": None}, "names no image"),
        ({**GOOD, "image": ["a.png"]}, "write one path"),
    ],
)
def test_bad_rows_say_why(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRowError, match=reason):
        parse_conversation(row)


def test_duplicate_ids_and_bad_rows_are_refused_with_their_place() -> None:
    rows = [GOOD, GOOD, {**GOOD, "id": "2", "conversations": []}]
    with pytest.raises(UserError, match=r"2 of 3 rows are bad.*\n.*row 2 \(id '1'\).*twice"):
        parse_conversations(rows, Skips("data.json"))


def test_a_few_bad_rows_may_be_listed_and_left_out() -> None:
    rows = [{**GOOD, "id": str(i)} for i in range(9)] + [{"id": "bad"}]
    skips = Skips("data.json", share=0.1)
    assert len(parse_conversations(rows, skips)) == 9
    assert skips.record() == [
        {"row": "row 10 (id 'bad')", "reason": "it has no conversations: [{from, value}, ...]"}
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
        ("a.jsonl", '{"a": 1}\n{', "line 2 is no valid JSON"),
        ("a.jsonl", "", "holds no rows"),
        ("a.parquet", "PAR1", "no whole Parquet"),
        ("a.csv", "a", "unknown format"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        read_rows(tmp_path / name)
    with pytest.raises(UserError, match="does not exist"):
        read_rows(tmp_path / "missing.json")
