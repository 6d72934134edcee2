"""Tokenizers, preprocessors and weights that were made to do harm end in errors of the user's."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tokenizers import Regex, normalizers

import tiny
from hostile_text import replaced
from paretoken.data.labels import ChatEncoder
from paretoken.data.preprocessor import read_preprocessor
from paretoken.data.tokenizers import load_tokenizer
from paretoken.errors import UserError
from paretoken.model_files.library_errors import explained
from paretoken.model_files.model_json import require_usual_model
from paretoken.model_files.tokenizer_json import require_bounded_tokenizer
from paretoken.model_files.weight_files import LONGEST_HEADER, stored_parameters

#: What stands in the place of a value of JSON.
ODD = (None, True, 5, -1, 10**10, 1.5, "x", "", [], [1], [[1]], {}, {"a": 1}, {"type": "Replace"})


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer with a rule of each kind that is looked at."""
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny.tokenizer().save_pretrained(folder)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    token = {"SpecialToken": {"id": "<pad>", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    content["normalizer"] = {"type": "Replace", "pattern": {"String": "~"}, "content": "."}
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [token, text],
        "pair": [token, text],
        "special_tokens": {"<pad>": {"id": "<pad>", "ids": [0], "tokens": ["<pad>"]}},
    }
    path.write_text(json.dumps(content))
    return folder


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    pairs = (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    )
    for key, inner in pairs:
        yield from places(inner, (*place, key))


def use(folder: Path) -> None:
    chat = ChatEncoder(load_tokenizer(folder))
    chat.prompts(["what colour is it ?", "~" * 48])
    chat._spelling.texts([[0, 1, 2]])


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
def test_a_changed_tokenizer_is_used_or_refused(usual: Path, tmp_path: Path, file: str) -> None:
    for path in usual.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    use(tmp_path)
    content, refused = json.loads((usual / file).read_text()), 0
    for number, place in enumerate(places(content)):
        for value in ODD[number % 4 :: 4]:
            (tmp_path / file).write_text(json.dumps(replaced(content, place, value)))
            try:
                use(tmp_path)
            except UserError:
                refused += 1
    assert refused > 10


@pytest.mark.parametrize(
    ("part", "rule", "message"),
    [
        (
            "pre_tokenizer",
            {
                "type": "Split",
                "pattern": {"Regex": "([.]+[.]+)+y"},
                "invert": False,
                "behavior": "Isolated",
            },
            "cannot tokenize a text",
        ),
        ("model", {"type": "BPE", "vocab": {"a": 4 * 10**9, "b": 1}, "merges": ["a b"]}, "the id 4"),
        (
            "model",
            {
                "type": "WordPiece",
                "unk_token": "zz",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": {"a": 1},
            },
            "UNK",
        ),
        (
            "normalizer",
            {"type": "Precompiled", "precompiled_charsmap": "CAAAAAD8//94VjQSYWIA"},
            "damaged table of characters",
        ),
        (
            "normalizer",
            {"type": "Precompiled", "precompiled_charsmap": "BAAAAAD+/38="},
            "damaged table of characters",
        ),
    ],
)
def test_what_makes_the_library_give_up_is_a_user_error(
    usual: Path, tmp_path: Path, part: str, rule: Any, message: str
) -> None:
    for path in usual.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = json.loads((usual / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps(content | {part: rule}))
    with pytest.raises(UserError, match=message):
        use(tmp_path)


def changed(source: Path, folder: Path, **parts: Any) -> Path:
    """Copy a tokenizer with other parts; return its folder."""
    for path in source.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    content = json.loads((source / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(content | parts))
    return folder


BPE = {"type": "BPE", "vocab": {"a": 0, "aa": 1}, "merges": ["a a"]}
PIECES = {"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "##", "vocab": {"a": 0}}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (PIECES | {"max_input_chars_per_word": 10**12}, "splits words of more than 1,000"),
        (PIECES | {"max_input_chars_per_word": 1001}, "splits words of more than 1,000"),
        (PIECES | {"max_input_chars_per_word": 1000}, None),
        (
            PIECES | {"max_input_chars_per_word": 100, "continuing_subword_prefix": "#" * 101},
            "prefix of",
        ),
        (BPE | {"continuing_subword_prefix": "#" * 10**6}, "prefix of more"),
        (BPE | {"dropout": 0.999999}, "drops more than 90% of its merges"),
        (BPE | {"dropout": 0.1}, None),
        ({"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0], ["a" * 1001, 0.0]]}, "has a token of"),
        ({"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0], ["a" * 1000, 0.0]]}, None),
    ],
)
def test_models_that_take_more_than_linear_time_are_refused(
    usual: Path, tmp_path: Path, model: dict[str, Any], message: str | None
) -> None:
    changed(usual, tmp_path, model=model, added_tokens=[])
    if message is None:
        require_bounded_tokenizer(tmp_path / "tokenizer.json")
        return
    with pytest.raises(UserError, match=message):
        load_tokenizer(tmp_path)


#: Expressions, and whether they surely match a character at least.
EXPRESSIONS = {
    "[abc]": True,
    "[^a-z]+": True,
    r"\s+": True,
    " {2,}": True,
    "x{3}": True,
    r"\p{L}\d": True,
    ".": True,
    r"[\]\s]": True,
    "a b": True,
    r"\.": True,
    "": False,
    "a*": False,
    "a?": False,
    "a{0}": False,
    "a{,3}": False,
    "a{0,2}": False,
    "a{2,0}": False,
    "a+*": False,
    "a{2}?": False,
    "(a)": False,
    "a|": False,
    "^": False,
    "$": False,
    r"\b": False,
    r"\G": False,
    "(?=a)": False,
    "[]": False,
    "[a&&b]": False,
    "[[:alpha:]]": False,
    r"\1": False,
    "a" * 1001: False,
}


@pytest.mark.parametrize(("expression", "takes_text"), EXPRESSIONS.items())
def test_expressions_that_match_a_character_are_not_growth(
    usual: Path, tmp_path: Path, expression: str, takes_text: bool
) -> None:
    """Ten such rules would double a text each if they matched between all letters."""
    rule = {"type": "Replace", "pattern": {"Regex": expression}, "content": "."}
    rules = {"type": "Sequence", "normalizers": [rule] * 10}
    path = changed(usual, tmp_path, normalizer=rules) / "tokenizer.json"
    if not takes_text:
        with pytest.raises(UserError, match="more than 100 times as long"):
            require_bounded_tokenizer(path)
        return
    require_bounded_tokenizer(path)
    normalizer = normalizers.Replace(Regex(expression), ".")
    for text in ("", "x" * 10, "abcabc", "  \n 12..]", "\u00e9\u4e2d"):
        assert len(normalizer.normalize_str(text)) <= len(text)


def test_only_panics_of_rust_are_caught_beyond_exceptions() -> None:
    class PanicException(BaseException):  # as pyo3 derives it
        pass

    with (
        pytest.raises(UserError, match="x cannot be read: out of bounds"),
        explained("x cannot be read"),
    ):
        raise PanicException("out of bounds")
    for error in (KeyboardInterrupt, SystemExit, MemoryError):
        with pytest.raises(error), explained("x"):
            raise error


def test_files_beside_the_weights_are_not_read_without_bounds(tmp_path: Path) -> None:
    with (tmp_path / "chat_template.jinja").open("wb") as stream:
        stream.truncate(2**40)  # a hole, which takes no disk
    with pytest.raises(UserError, match=r"chat_template\.jinja has 1,099,511,627,776 bytes"):
        require_usual_model(tmp_path)


PREPROCESSOR = {
    "size": {"shortest_edge": 224},
    "crop_size": {"height": 224, "width": 224},
    "resample": 3,
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
    "rescale_factor": 1 / 255,
    "do_center_crop": True,
}
#: Numbers and objects that a preprocessor's fields could hold.
NUMBERS = (
    *ODD,
    float("nan"),
    float("inf"),
    10**400,
    10**6,
    0,
    {"height": [], "width": []},
    {"shortest_edge": [1]},
    [float("nan")] * 3,
    [10**400] * 3,
    [0.0] * 3,
    [1e-320] * 3,
)


@pytest.mark.parametrize("field", [*PREPROCESSOR, "size.shortest_edge", "crop_size.height"])
@pytest.mark.parametrize("value", NUMBERS)
def test_a_changed_preprocessor_is_used_or_refused(tmp_path: Path, field: str, value: Any) -> None:
    content = replaced(PREPROCESSOR, tuple(field.split(".")), value)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(content))
    try:
        preprocess = read_preprocessor(tmp_path, "pad")
    except UserError:
        return
    assert preprocess.size == 224
    preprocess([Image.new("RGB", (8, 4))])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("image_mean", [123, 117, 104]),
        ("image_mean", [0.5, 0.5, 1.1]),
        ("image_mean", [-0.1, 0.5, 0.5]),
        ("image_std", [58, 57, 57]),
        ("image_std", [0.5, 0.5, 1.5]),
        ("image_std", [0.5, 0.0, 0.5]),
    ],
)
def test_colours_of_another_scale_are_refused(tmp_path: Path, name: str, values: list[float]) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR | {name: values}))
    with pytest.raises(UserError, match=rf"{name} = .*; each must be from .* to 1, .*by 255"):
        read_preprocessor(tmp_path)


@pytest.mark.parametrize(
    ("mean", "std"),
    [([0.0] * 3, [1.0] * 3), ([0.5] * 3, [0.5] * 3), ([1.0] * 3, [0.01] * 3), ([0] * 3, [1] * 3)],
)
def test_usual_colours_are_read(tmp_path: Path, mean: list[float], std: list[float]) -> None:
    content = PREPROCESSOR | {"image_mean": mean, "image_std": std}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(content))
    assert read_preprocessor(tmp_path).std == tuple(std)


@pytest.mark.parametrize("side", [0, -1, 10_001, 10**6, True, 1.5])
def test_images_of_absurd_size_are_refused(tmp_path: Path, side: Any) -> None:
    content = PREPROCESSOR | {"size": {"height": side, "width": side}, "do_center_crop": False}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(content))
    with pytest.raises(UserError):
        read_preprocessor(tmp_path)


def tensors(header: Any, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(8)


def tensor(shape: list[int], *offsets: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        tensors(b"{}", 2**62),
        tensors(b"{}", 2**64 - 1),
        tensors(b"[1]"),
        tensors(b'{"a":' * 100_000),
        tensors({"a": tensor([-2], 0, 8)}),
        tensors({"a": tensor([2**40, 2**40], 0, 8)}),
        tensors({"a": tensor([2], 80, 88)}),
        tensors({"a": tensor([2], 0, 8), "b": tensor([2], 0, 8)}),
        tensors(b"{}", LONGEST_HEADER + 1),
    ],
)
def test_damaged_safetensors_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="is not a whole safetensors file") as error:
        stored_parameters(tmp_path, ["model.safetensors"])
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("content", [b"", b"\x80\x02cos\nsystem\n.", b"PK\x03\x04", b"\x80\x02K\x01."])
def test_pickles_of_more_than_tensors_are_refused_without_bad_advice(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(UserError, match=r"pytorch_model\.bin") as error:
        stored_parameters(tmp_path, ["pytorch_model.bin"])
    assert "weights_only" not in str(error.value)
