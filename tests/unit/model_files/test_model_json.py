"""Models that describe themselves absurdly are refused before anything is built, and run no code."""

from __future__ import annotations

import ast
import base64
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paretoken.costs.shapes import decoder_shape, encoder_shape
from paretoken.errors import UserError
from paretoken.model_files.model_json import LARGEST, read_model_json, require_usual_model, shards_of
from paretoken.model_files.pretrained import load_pretrained
from paretoken.model_files.tokenizer_json import require_bounded_tokenizer

SOURCE = Path(__file__).parents[3] / "src"

CONFIG = {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
          "intermediate_size": 64, "vocab_size": 300, "rope_theta": 10**9,
          "max_position_embeddings": 10_485_760}  # fmt: skip


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_usual_model_is_accepted(tmp_path: Path) -> None:
    write(tmp_path / "config.json", CONFIG | {"text_config": CONFIG, "eos_token_id": [1, -1]})
    write(tmp_path / "model.safetensors.index.json", {"weight_map": {"a": "model-1-of-1.safetensors"}})
    require_usual_model(tmp_path)


@pytest.mark.parametrize("key", [*LARGEST, "num_labels", "num_experts", "whatever"])
@pytest.mark.parametrize("inner", [False, True])
def test_absurd_numbers_are_refused(tmp_path: Path, key: str, inner: bool) -> None:
    config = CONFIG | {key: 10**13}
    write(tmp_path / "config.json", {"text_config": config} if inner else config)
    with pytest.raises(UserError, match=rf"config\.json has {key} = 10000000000000; .* plausible"):
        require_usual_model(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(CONFIG | {"num_hidden_layers": 100_000}), "num_hidden_layers = 100000; at most"),
        ('{"hidden_size": ' + "9" * 4000 + "}", "hidden_size = a number with more than 20 digits"),
        ('{"hidden_size": ' + "9" * 5000 + "}", "not valid JSON"),
        ('{"a":' * 50 + "1" + "}" * 50, "objects nested more than"),
        ('{"a":' * 100_000, "valid JSON"),
        (json.dumps(CONFIG | {"_attn_implementation": "evil/kernel"}), "code from a hub is never run"),
        (json.dumps(CONFIG | {"a": {"experts_implementation": "evil/kernel@v1"}}), "never run"),
        (json.dumps({"model_type": "evil", "auto_map": {"AutoConfig": "m.C"}}), "code .* is never run"),
        (json.dumps({"model_type": ["x"], "auto_map": {"AutoConfig": "m.C"}}), "code .* is never run"),
        (json.dumps({"auto_map": {"AutoConfig": "evil/repo--m.C"}}), "code .* is never run"),
    ],
)
def test_what_else_is_refused_in_a_config(tmp_path: Path, content: str, message: str) -> None:
    write(tmp_path / "config.json", content)
    with pytest.raises(UserError, match=message) as error:
        require_usual_model(tmp_path)
    assert len(str(error.value)) < 500


def test_large_files_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as stream:
        stream.truncate(2**40)  # a hole, which takes no disk
    with pytest.raises(UserError, match="has 1,099,511,627,776 bytes"):
        read_model_json(tmp_path / "config.json")


@pytest.mark.parametrize(
    "name", ["../../x.safetensors", "/etc/x", "a/b", "..", ".", "", "a\\b", 3, None, ["x"], "a\nb"]
)
def test_shards_elsewhere_are_refused(tmp_path: Path, name: Any) -> None:
    write(tmp_path / "config.json", CONFIG)
    write(tmp_path / "model.safetensors.index.json", {"weight_map": {"a": "ok", "b": name}})
    with pytest.raises(UserError, match="must be the name of a file in"):
        require_usual_model(tmp_path)


@pytest.mark.parametrize("content", [{}, {"weight_map": {}}, {"weight_map": [1]}])
def test_an_index_without_weights_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(UserError, match="lists no weights"):
        shards_of(write(tmp_path / "x.index.json", content))


def test_adapters_of_other_models_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "adapter_config.json", {"base_model_name_or_path": "/elsewhere"})
    with pytest.raises(UserError, match="holds an adapter"):
        require_usual_model(tmp_path)


def test_shapes_of_absurd_size_are_refused() -> None:
    sizes = {"hidden_size": 10**6, "num_hidden_layers": 1000, "intermediate_size": 10**6}
    with pytest.raises(UserError, match="parameters, but at most 10,000,000,000,000 are plausible"):
        decoder_shape(CONFIG | sizes)
    clip = {"model_type": "clip_vision_model", "hidden_size": 8, "num_hidden_layers": 1,
            "intermediate_size": 8, "image_size": 10_000, "patch_size": 1}  # fmt: skip
    with pytest.raises(UserError, match="100,000,001 tokens per image"):
        encoder_shape(clip)


EVIL = """
import sys
from pathlib import Path
from transformers import AutoConfig, AutoTokenizer
from paretoken.errors import UserError
from paretoken.model_files.pretrained import load_pretrained
for auto in (AutoConfig, AutoTokenizer):
    try:
        load_pretrained(auto, Path(sys.argv[1]))
        print("loaded")
    except UserError as error:
        print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("family", ["evil", "llama"])
def test_code_of_a_model_is_never_run_whatever_is_answered(tmp_path: Path, family: str) -> None:
    code = f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "evil.py").write_text(code + "class C: pass\n")
    own = {"auto_map": {"AutoConfig": "evil.C", "AutoTokenizer": ["evil.C", None]}}
    write(tmp_path / "m" / "config.json", CONFIG | own | {"model_type": family})
    write(tmp_path / "m" / "tokenizer_config.json", own | {"tokenizer_class": "EvilTokenizer"})
    done = subprocess.run(
        [sys.executable, "-c", EVIL, str(tmp_path / "m")],
        input="yes\n" * 100,
        text=True,
        capture_output=True,
        timeout=300,
        check=True,
    )
    assert not (tmp_path / "ran").exists()
    assert "[y/N]" not in done.stdout + done.stderr
    if family == "evil":
        assert done.stdout.count("is never run") == 2
    else:  # a family that transformers itself implements needs none of it
        assert done.stdout.startswith("loaded\n")


def _calls(tree: ast.AST) -> list[ast.Call]:
    names = {"from_pretrained", "from_config"}
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
    ]


def test_every_call_that_loads_a_model_refuses_its_code() -> None:
    found = 0
    for path in sorted(SOURCE.rglob("*.py")):
        for call in _calls(ast.parse(path.read_text())):
            if ast.unparse(call.func) == "Processor.from_pretrained":  # ours: calls `load_pretrained`
                continue
            values = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert values.get("trust_remote_code") == "False", f"{path}:{call.lineno}"
            found += 1
    assert found >= 4


def rules(**parts: Any) -> dict[str, Any]:
    return {"model": {"type": "BPE"}, **parts}


def replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def charsmap(*texts: str) -> str:
    return base64.b64encode(
        struct.pack("<L", 1024) + bytes(1024) + "\0".join(texts).encode() + b"\0"
    ).decode()


USUAL = [
    rules(normalizer=None, padding=None),
    rules(normalizer={"type": "NFC"}),
    rules(normalizer={"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"}, replace({"String": " "}, "▁")]}),
    rules(normalizer={"type": "Sequence", "normalizers": [
        {"type": "Precompiled", "precompiled_charsmap": charsmap("ab", "x" * 18)},
        replace({"Regex": " {2,}"}, "▁")]}),
    rules(decoder={"type": "Sequence", "decoders": [replace({"String": "▁"}, " "), {"type": "Fuse"}]}),
    rules(post_processor={"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}),
]  # fmt: skip

GROWING = [
    replace({"String": "a"}, "a" * 101),
    replace({"Regex": ""}, "a" * 100),
    {"type": "Sequence", "normalizers": [replace({"String": "a"}, "aa")] * 7},
    {"type": "Sequence", "normalizers": [replace({"Regex": "x*"}, "y")] * 7},
    {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "y" * 2000}]},
    {"type": "Sequence", "normalizers": [{"type": "NFC"}] * 300},
    {"type": "Precompiled", "precompiled_charsmap": charsmap("a" * 1000)},
    {"type": "Precompiled", "precompiled_charsmap": "?"},
    {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}] * 200},
    {"type": "TemplateProcessing", "special_tokens": {"x": {"ids": [1] * 2000}}},
]


def nested(depth: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"type": "NFC"}
    for _ in range(depth):
        rule = {"type": "Sequence", "normalizers": [rule]}
    return rule


@pytest.mark.parametrize("content", USUAL)
def test_usual_tokenizers_are_accepted(tmp_path: Path, content: dict[str, Any]) -> None:
    require_bounded_tokenizer(write(tmp_path / "tokenizer.json", content))


@pytest.mark.parametrize("part", ["normalizer", "pre_tokenizer", "post_processor", "decoder"])
@pytest.mark.parametrize("rule", [*GROWING, nested(50)])
def test_rules_that_multiply_texts_are_refused(tmp_path: Path, part: str, rule: dict[str, Any]) -> None:
    path = write(tmp_path / "tokenizer.json", rules(**{part: rule}))
    with pytest.raises(UserError, match="not a usual tokenizer") as error:
        require_bounded_tokenizer(path)
    assert len(str(error.value)) < 500


def test_padding_to_a_length_without_bound_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "tokenizer.json", rules(padding={"strategy": {"Fixed": 10**9}}))
    with pytest.raises(UserError, match="more than a million tokens"):
        require_bounded_tokenizer(path)


def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a directory"):
        load_pretrained(None, tmp_path / "none")
