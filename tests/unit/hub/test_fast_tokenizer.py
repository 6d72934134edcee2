"""Tokenizers that are stored in SentencePiece's format only, as Vicuna-1.5's."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import families
from paretoken.data.labels import ChatEncoder
from paretoken.data.tokenizers import load_tokenizer
from paretoken.errors import UserError
from paretoken.hub.fast_tokenizer import make_fast
from paretoken.hub.fetch import Request, fetch

SPECIALS = {
    name: {"__type": "AddedToken", "content": text, "lstrip": False, "normalized": False,
           "rstrip": False, "single_word": False}
    for name, text in (("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>"))
}  # fmt: skip


def save_sentencepiece(folder: Path) -> Any:
    """Write ``tokenizer.model`` and a config as Vicuna-1.5 has it; return the original tokenizer."""
    sentencepiece = pytest.importorskip("sentencepiece")
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(families.TEXT), model_writer=written, vocab_size=420,
        model_type="bpe", byte_fallback=True, hard_vocab_limit=False, pad_id=-1,
        normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(written.getvalue())
    content = {
        "add_bos_token": True, "add_eos_token": False, "clean_up_tokenization_spaces": False,
        "legacy": False, "model_max_length": 4096, "pad_token": None, "padding_side": "right",
        "sp_model_kwargs": {}, "tokenizer_class": "LlamaTokenizer", **SPECIALS,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(content))
    return sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())


def test_a_converted_tokenizer_splits_as_the_original(tmp_path: Path) -> None:
    original = save_sentencepiece(tmp_path / "model")
    families.save_llm(tmp_path / "llm", "vicuna")
    for name in ("tokenizer.model", "tokenizer_config.json"):
        (tmp_path / "model" / name).replace(tmp_path / "llm" / name)
    for name in ("tokenizer.json", "special_tokens_map.json"):
        (tmp_path / "llm" / name).unlink(missing_ok=True)
    config = json.loads((tmp_path / "llm" / "config.json").read_text())
    rows = original.get_piece_size()
    families_config = {**config, "vocab_size": rows}
    _resize(tmp_path / "llm", families_config)
    record = fetch(
        Request(str(tmp_path / "llm"), "main", "llm", template="vicuna_v1"), tmp_path / "out", print
    )
    assert record["tokenizer_converted"]
    assert record["vocabulary"] == {"rows": rows, "tokens": rows + 1}  # and <image>
    tokenizer = load_tokenizer(tmp_path / "out")
    for text in ("what colour is it?", "The dog is grey. Zürich, 7 × 8\nand  two spaces", "A cat"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids == original.encode(text)
    assert tokenizer("A cat")["input_ids"][0] == original.bos_id()
    chat = ChatEncoder(tokenizer, "chat")  # the named template is the directory's own now
    assert chat.end_id == original.eos_id()
    question = "<image>\nWhat is this?"
    assert chat.prompt_text(question).startswith("<s>A chat between")
    assert chat.prompt_text(question).endswith("USER: <image>\nWhat is this? ASSISTANT:")


def _resize(folder: Path, config: dict[str, Any]) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    LlamaForCausalLM(LlamaConfig(**config)).save_pretrained(folder)


def test_without_the_library_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    monkeypatch.setattr("paretoken.hub.fast_tokenizer.find_spec", lambda name: None)
    with pytest.raises(UserError, match="install sentencepiece and protobuf"):
        make_fast(tmp_path)


def test_a_damaged_sentencepiece_model_is_refused(tmp_path: Path) -> None:
    save_sentencepiece(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(UserError):
        make_fast(tmp_path)
