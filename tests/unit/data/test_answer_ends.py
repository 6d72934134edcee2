"""A token that ends answers must be read as one after a text; if not, one message says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paretoken.cli import main
from paretoken.data.conversations import BadRowError, Conversation
from paretoken.data.labels import ChatEncoder
from paretoken.data.tokenizers import load_tokenizer
from paretoken.errors import UserError

END = "<|im_end|>"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ▁\n<>|_?.:/[]"
TALK = Conversation("a", "a.png", ("<image>\nWhat is this?", "2", "and that?", "it is grey."))

#: How the end token is added: whether it is found behind any text.
FLAGS: dict[str, tuple[dict[str, bool], bool]] = {
    "plain, normalized": ({"special": False, "normalized": True}, False),
    "special, normalized": ({"special": True, "normalized": True}, False),
    "single word": ({"special": True, "normalized": False, "single_word": True}, False),
    "plain": ({"special": False, "normalized": False}, True),
    "special": ({"special": True, "normalized": False}, True),
    "left blanks": ({"special": True, "normalized": False, "lstrip": True}, True),
}


def save(folder: Path, flags: dict[str, bool]) -> Path:
    """Write a tokenizer of letters that puts a blank in front of a text, as Llama 2's does."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    names = ["<unk>", "<s>", *LETTERS]
    raw = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, [], unk_token="<unk>"))
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    raw.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    raw.add_special_tokens([AddedToken("<s>", special=True, normalized=False)])
    raw.add_tokens([AddedToken(END, **flags)])
    PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token=END, unk_token="<unk>"
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("template", ["chatml", "vicuna_v1", "plain"])
@pytest.mark.parametrize("name", FLAGS)
def test_an_end_token_that_is_not_read_behind_a_text_is_reported_once(
    tmp_path: Path, name: str, template: str
) -> None:
    flags, good = FLAGS[name]
    encoder = ChatEncoder(load_tokenizer(save(tmp_path, flags)), template)
    talk = TALK if template != "plain" else Conversation("a", "a.png", TALK.turns[:2])
    if good:
        (encoded,) = encoder.encode([talk])
        assert int(encoded.ids[encoded.learned][-1]) == encoder.tokenizer.eos_token_id
        return
    own = r"does not read '<\|im_end\|>', .* as one token after a text"
    with pytest.raises(UserError, match=f"{own}|does not end answers with a special token"):
        encoder.encode_each([talk])


def test_an_answer_with_a_special_token_is_still_called_that(tmp_path: Path) -> None:
    encoder = ChatEncoder(load_tokenizer(save(tmp_path, FLAGS["special"][0])), "chatml")
    (found,) = encoder.encode_each([Conversation("a", "a.png", ("<image>\nWhat?", f"red {END} or"))])
    assert isinstance(found, BadRowError)
    assert "an answer contains a special token" in str(found)


def test_the_command_says_it_before_it_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns: list[dict[str, Any]] = [
        {"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(TALK.turns)
    ]
    (tmp_path / "rows.json").write_text(json.dumps([{"image": "a.png", "conversations": turns}] * 9))
    llm = save(tmp_path / "llm", FLAGS["plain, normalized"][0])
    assert main(["tokenize", "--data", str(tmp_path / "rows.json"), "--llm", str(llm),
                 "--template", "chatml", "--out", str(tmp_path / "out")]) == 2  # fmt: skip
    told = capsys.readouterr().err
    assert told.count("as one token after a text") == 1
    assert "special token of the tokenizer" not in told
    assert not (tmp_path / "out").exists()
