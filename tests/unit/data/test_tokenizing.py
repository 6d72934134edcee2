"""`paretoken tokenize`: streaming, what is left out, reruns, and what the trainer makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tiny
from paretoken.cli import main
from paretoken.data import tokenizing
from paretoken.data.collation import TrainingCollator
from paretoken.data.conversations import Conversation, iter_conversations
from paretoken.data.encoded import read_encoded
from paretoken.data.encoded_writer import EncodedWriter, GrowingArray, write_encoded
from paretoken.data.features import PixelStore
from paretoken.data.images import ImageSource
from paretoken.data.labels import ChatEncoder, EncodedConversation
from paretoken.data.preprocessor import read_preprocessor
from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.data.tokenizers import load_tokenizer


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    tiny.save_llm(folder / "llm")
    tiny.save_vision(folder / "vision")
    tiny.save_data(folder)
    rows = read_rows(folder / "train.jsonl")
    text = [("human", "what is it ?"), ("gpt", "it is red"), ("human", "colour ?"), ("gpt", "blue")]
    rows[5:5] = [
        {"id": "talk", "model": "", "conversations": [{"from": r, "value": v} for r, v in text]}
    ]
    (folder / "train.json").write_text(json.dumps(rows))
    return folder


def tokenize(world: Path, out: Path, *extra: str, data: Path | None = None) -> int:
    return main(["tokenize", "--data", str(data or world / "train.json"), "--llm", str(world / "llm"),
                 "--out", str(out), *extra])  # fmt: skip


def test_parts_of_any_size_give_the_same_tokens(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tokenize(world, tmp_path / "whole") == 0
    monkeypatch.setattr(tokenizing, "PART", 3)
    assert tokenize(world, tmp_path / "parts") == 0
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert names == ["ids.npy", "images.npy", "index.json", "learned.npy", "offsets.npy",
                     "question_ids.npy", "question_offsets.npy"]  # fmt: skip
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    kept = list(iter_conversations(read_rows(world / "train.json"), Skips("data")))
    encoder = ChatEncoder(load_tokenizer(world / "llm"))
    stored = read_encoded(tmp_path / "whole")
    assert stored.ids.tolist() == np.concatenate([e.ids for e in encoder.encode(kept)]).tolist()


def test_a_second_run_has_nothing_to_do_and_other_settings_are_refused(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tokenize(world, tmp_path / "tokens") == 0
    assert "25 conversations, 1 of them without an image" in capsys.readouterr().out
    before = (tmp_path / "tokens" / "index.json").stat().st_mtime_ns
    assert tokenize(world, tmp_path / "tokens") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert (tmp_path / "tokens" / "index.json").stat().st_mtime_ns == before
    for extra in (("--template", "plain"), ("--max-bad-share", "0.5")):
        assert tokenize(world, tmp_path / "tokens", *extra) == 2
        assert "other settings" in capsys.readouterr().err
    rows = read_rows(world / "train.json")
    (tmp_path / "train.json").write_text(json.dumps(rows[:-1]))
    assert tokenize(world, tmp_path / "tokens", data=tmp_path / "train.json") == 2
    (tmp_path / "tokens" / "index.json").unlink()  # as the workflow does before it runs a rule again
    assert tokenize(world, tmp_path / "tokens", data=tmp_path / "train.json") == 0
    assert len(read_encoded(tmp_path / "tokens")) == 24


def test_bad_rows_are_known_before_tokenizing_and_listed(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_rows(world / "train.json")
    rows[7]["conversations"][1]["value"] = " "
    (tmp_path / "bad.json").write_text(json.dumps([*rows, rows[0]]))
    assert tokenize(world, tmp_path / "tokens", data=tmp_path / "bad.json") == 2
    assert "turn 2 is an empty answer" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.json"]
    extra = ("--max-bad-share", "0.05")
    assert tokenize(world, tmp_path / "tokens", *extra, data=tmp_path / "bad.json") == 0
    printed = capsys.readouterr().out
    assert "1 bad row" in printed
    assert "1 conversation duplicates an earlier one" in printed
    index = json.loads((tmp_path / "tokens" / "index.json").read_text())
    assert index["skipped"][0]["row"].startswith("row 8 ")


def test_a_lone_surrogate_makes_a_bad_row(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON can hold half an emoji; no tokenizer takes it."""
    rows = read_rows(world / "train.json")
    rows[3]["conversations"][0]["value"] += " \ud83d"
    rows[4]["id"] = "\ud83d"  # not used, so no harm
    (tmp_path / "bad.json").write_text(json.dumps(rows))
    assert tokenize(world, tmp_path / "tokens", data=tmp_path / "bad.json") == 2
    assert "turn 1 holds half a character ('\\ud83d')" in capsys.readouterr().err
    extra = ("--max-bad-share", "0.05")
    assert tokenize(world, tmp_path / "tokens", *extra, data=tmp_path / "bad.json") == 0
    assert "left out: 1 bad row" in capsys.readouterr().out


def bad_answers(world: Path, path: Path, *answers: str) -> Path:
    """Write rows of which the first few have these answers; their ids are r0, r1 and so on."""
    rows = read_rows(world / "train.json")
    for number, (row, answer) in enumerate(zip(rows, answers, strict=False)):
        row["id"] = f"r{number}"
        row["conversations"][1]["value"] = answer
    path.write_text(json.dumps(rows))
    return path


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("it is <|im_end|> red", "contains a special token"),
        ("<|im_start|>", "contains a special token"),
        ("it is purple", "cannot represent an answer: 'it is purple'"),
        ("<unk>", "cannot represent an answer"),
    ],
)
@pytest.mark.parametrize("part", [1, 3, 2048])
def test_an_answer_that_cannot_be_learned_is_a_bad_row(
    world: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    reason: str,
    part: int,
) -> None:
    monkeypatch.setattr(tokenizing, "PART", part)
    data = bad_answers(world, tmp_path / "bad.json", "red", answer)
    assert tokenize(world, tmp_path / "tokens", data=data) == 2
    error = capsys.readouterr().err
    assert "1 of 25 rows is bad" in error
    assert f"row 2 (id 'r1'): {'an answer' if 'special' in reason else 'this tokenizer'}" in error
    assert reason in error
    assert [path.name for path in tmp_path.iterdir()] == ["bad.json"]
    assert tokenize(world, tmp_path / "tokens", "--max-bad-share", "0.05", data=data) == 0
    assert "24 conversations, 1 of them without an image" in (printed := capsys.readouterr().out)
    assert "left out: 1 bad row" in printed
    index = json.loads((tmp_path / "tokens" / "index.json").read_text())
    assert index["conversations"] == len(read_encoded(tmp_path / "tokens")) == 24
    assert [row["row"] for row in index["skipped"]] == ["row 2 (id 'r1')"]


def captions(world: Path) -> list[dict[str, Any]]:
    """Return the rows about an image that have one answer."""
    rows = read_rows(world / "train.json")
    return [row for row in rows if len(row["conversations"]) == 2 and row.get("image")]


@pytest.mark.parametrize("template", ["plain", "plain_llava"])
def test_a_caption_that_follows_nothing_is_a_bad_row(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], template: str
) -> None:
    """This tokenizer puts no token in front of a text, and without an image there is none either."""
    text = [{"from": "human", "value": "what ?"}, {"from": "gpt", "value": "red"}]
    rows = [*captions(world), {"id": "t", "conversations": text}]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    assert tokenize(world, tmp_path / "t", "--template", template, data=tmp_path / "rows.json") == 2
    assert f"row {len(rows)} (id 't'): nothing precedes its answer" in capsys.readouterr().err


def test_stage_1_in_both_forms_ends_with_its_own_token(world: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps(captions(world)))
    ends = {"plain": "<|im_end|>", "plain_llava": "\n"}
    for template, end in ends.items():
        extra = ("--template", template)
        assert tokenize(world, tmp_path / template, *extra, data=tmp_path / "rows.json") == 0
        stored = read_encoded(tmp_path / template)
        tokenizer = load_tokenizer(world / "llm")
        last = stored.ids[stored.offsets[1:] - 1].tolist()
        assert set(tokenizer.convert_ids_to_tokens(last)) == {end}
        assert stored.learned[stored.offsets[1:] - 1].all()
        encoder = ChatEncoder(tokenizer, template)
        assert tokenizer.convert_ids_to_tokens(encoder.end_id) == end
        assert encoder.prompts(["<image>\nwhat ?"]) == [[encoder.image_id]]
    left = [read_encoded(tmp_path / template) for template in ends]
    inner = [np.delete(stored.ids, stored.offsets[1:] - 1).tolist() for stored in left]
    assert inner[0] == inner[1]


def test_a_list_of_skipped_images_must_be_one(world: Path, tmp_path: Path) -> None:
    (tmp_path / "skipped.json").write_text('{"a": 1}')
    assert tokenize(world, tmp_path / "t", "--skipped", str(tmp_path / "skipped.json")) == 2
    (tmp_path / "skipped.json").write_text('[{"image": "3.png", "reason": "missing", "rows": 1}]')
    assert tokenize(world, tmp_path / "t", "--skipped", str(tmp_path / "skipped.json")) == 0
    stored = read_encoded(tmp_path / "t")
    assert (len(stored), "3.png" in stored.image_names) == (24, False)


def test_a_file_without_any_good_conversation_is_refused(world: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('[{"id": 1}]')
    code = tokenize(world, tmp_path / "t", "--max-bad-share", "1", data=tmp_path / "bad.json")
    assert code == 2
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("numbers", [[0, 5, 6, 7], [5, 5]], ids=["mixed", "text only"])
def test_text_only_conversations_train_beside_images(
    world: Path, tmp_path: Path, numbers: list[int]
) -> None:
    from paretoken.models.assemble import Choice, FeatureLayers, assemble, attach_encoder
    from paretoken.models.vision import load_encoder, read_vision_config

    assert tokenize(world, tmp_path / "tokens") == 0
    data = read_encoded(tmp_path / "tokens")
    assert data.images[5] == -1
    pixels = PixelStore(ImageSource(world / "images"), read_preprocessor(world / "vision", "pad"))
    batch = TrainingCollator(data, pixels, 4, 0, 96)(numbers)
    vision, layers = read_vision_config(world / "vision"), FeatureLayers((2, 3))
    model: Any = assemble(
        world / "llm", vision, Choice("average_pool", 4, (2, 3)), layers, data.image_token_id, 0
    )
    attach_encoder(model, load_encoder(world / "vision", layers.layers, False))
    loss = model(**batch)["loss"]
    assert torch.isfinite(loss)
    loss.backward()
    alone = [model(**TrainingCollator(data, pixels, 4, 0, 96)([n]))["loss"] for n in numbers]
    learned = [int(data.learned[data.offsets[n] : data.offsets[n + 1]].sum()) for n in numbers]
    expected = sum(a * n for a, n in zip(alone, learned, strict=True)) / sum(learned)
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)


def test_a_growing_array_is_an_ordinary_npy_file(tmp_path: Path) -> None:
    for length in (0, 1, 9, 10, 12_345):
        array = GrowingArray(tmp_path / "a.npy", np.dtype(np.int32))
        values = np.arange(length, dtype=np.int64)
        for start in range(0, length, 1000):
            array.append(values[start : start + 1000])
        array.finish()
        stored = np.load(tmp_path / "a.npy")
        assert stored.dtype == np.int32
        assert stored.tolist() == values.tolist()


def test_writing_in_parts_numbers_images_by_first_appearance(tmp_path: Path) -> None:
    names = ["b", None, "a", "b"]
    conversations = [Conversation("", name, ("q", "a")) for name in names]
    encoded = [
        EncodedConversation(np.array([i, 1], np.int32), np.array([False, True])) for i in range(4)
    ]
    write_encoded(tmp_path / "once", conversations, encoded, 9, {})
    (tmp_path / "parts").mkdir()
    with EncodedWriter(tmp_path / "parts") as writer:
        writer.add([], [])
        for i in range(4):
            writer.add(conversations[i : i + 1], encoded[i : i + 1])
        writer.finish(9, {})
    once, parts = read_encoded(tmp_path / "once"), read_encoded(tmp_path / "parts")
    assert once.images.tolist() == parts.images.tolist() == [0, -1, 1, 0]
    assert once.image_names == ["b", "a"]
    assert once.fingerprint == parts.fingerprint
