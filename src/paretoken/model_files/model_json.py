"""Validating the JSON files of untrusted models before anything is built from them.

`transformers` trusts a config.json: it builds 100,000 layers, asks whether to run code of the model's
author, reads shards from other folders. The limits here leave room to spare above usual models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.io.bounded import read_bounded, require_regular
from paretoken.io.files import read_object
from paretoken.io.json_values import require_few_values

#: Most bytes of a tokenizer.json (Gemma 3 has 33 million), of a config.json (one that names 22,000
#: classes has two million), and of any other file (an index of 90,000 tensors has nine million).
TOKENIZER_BYTES, CONFIG_BYTES, OTHER_BYTES = 256 * 2**20, 4 * 2**20, 32 * 2**20

#: Suffixes of the files beside the weights.
SIDE_FILES = {".json", ".jinja", ".txt", ".model"}

#: Largest value of a config's numbers, by key; the largest models have 130 layers of width 20,000.
LARGEST = {
    "num_hidden_layers": 1_000,
    "num_layers": 1_000,
    "n_layer": 1_000,
    "n_layers": 1_000,
    "depth": 1_000,
    "num_attention_heads": 10_000,
    "num_key_value_heads": 10_000,
    "num_channels": 1_000,
    "hidden_size": 1_000_000,
    "intermediate_size": 10_000_000,
    "vocab_size": 10_000_000,
    "head_dim": 100_000,
    "image_size": 10_000,
    "patch_size": 10_000,
    "projection_dim": 1_000_000,
}
#: The same for other keys that begin with ``num_`` or ``n_``, and for all others.
LARGEST_COUNT, LARGEST_NUMBER = 100_000, 10**12

#: Most levels of configs that contain configs.
DEEPEST = 8


def read_model_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of a model.

    Raises:
        UserError: it is missing, too large or not a JSON object.
    """
    other = CONFIG_BYTES if path.name == "config.json" else OTHER_BYTES
    limit = TOKENIZER_BYTES if path.name.startswith("tokenizer") else other
    try:
        size = path.stat().st_size if path.is_file() else 0
        if size > limit:
            raise UserError(f"{path} has {size:,} bytes; at most {limit:,} are usual")
        return read_object(path)
    except ValueError as error:  # a number with more digits than Python converts
        raise UserError(f"{path} is not valid JSON: {error}") from error


def require_usual_model(folder: Path) -> None:
    """Validate the JSON files of a model directory before `from_pretrained` reads them.

    Raises:
        UserError: a number in its config.json is implausibly large, it needs code of its own, it is an
            adapter of another model, its shards are elsewhere, or a file beside its weights is too
            large.
    """
    require_small_files(folder)
    path = folder / "config.json"
    if path.is_file():
        config = read_model_json(path)
        _require_no_code(path, config)
        _require_usual_numbers(path, config)
        if config.get("transformers_weights"):  # would be loaded instead of the files validated here
            raise UserError(
                f"{path} has transformers_weights = {_short(config['transformers_weights'])}; rename "
                "the file to model.safetensors and remove that line"
            )
    if (folder / "adapter_config.json").is_file():
        raise UserError(
            f"{folder} holds an adapter (adapter_config.json) of another model, which would be loaded "
            "from wherever it says; merge the two and give the result"
        )
    for index in sorted(folder.glob("*.index.json")):
        shards_of(index)


def require_small_files(folder: Path) -> None:
    """Check the sizes of the files beside the weights, which `transformers` reads whole.

    Raises:
        UserError: one is too large, is JSON with too many values, or is not a regular file.
    """
    for path in sorted([*folder.glob("*"), *folder.glob("additional_chat_templates/*")]):
        if path.suffix in SIDE_FILES and not path.is_dir():
            require_regular(path, TOKENIZER_BYTES)
            if path.suffix == ".json":
                require_few_values(read_bounded(path, TOKENIZER_BYTES), str(path))


def shards_of(index: Path) -> dict[str, str]:
    """Return the name of the shard of each tensor, from an index file.

    Raises:
        UserError: it lists none, or a shard is not a file name in the index's folder.
    """
    listed = read_model_json(index).get("weight_map")
    if not isinstance(listed, dict) or not listed:
        raise UserError(f"{index} lists no weights (no weight_map)")
    for name in listed.values():
        if not isinstance(name, str) or name in {"", ".", ".."} or not _is_plain(name):
            raise UserError(
                f"{index} names {_short(name)} as a file of weights; it must be the name of a file in "
                f"{index.parent}"
            )
    return listed


def _is_plain(name: str) -> bool:
    return not {"/", "\\"} & set(name) and name.isprintable()


def _require_no_code(path: Path, config: Mapping[str, Any]) -> None:
    """Raise `UserError` for a model whose classes are defined by code of its author's.

    Configs of families that `transformers` implements may name such code (Phi-3 does): it is not needed.
    """
    if not config.get("auto_map"):
        return
    from transformers import CONFIG_MAPPING

    family = config.get("model_type")
    if not isinstance(family, str) or family not in CONFIG_MAPPING:
        raise UserError(
            f"{path} is of a model that needs code of its own (auto_map), and code that comes with "
            "models is never run; use a model of a family that transformers itself implements"
        )


def _require_usual_numbers(path: Path, config: Mapping[str, Any]) -> None:
    for key, value in _fields(config, path, 0):
        if isinstance(value, str):
            if key.endswith("_implementation") and "/" in value:  # a kernel, downloaded and run
                raise UserError(f"{path} has {key} = {_short(value)}: code from a hub is never run")
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        limit = LARGEST.get(key)
        if limit is None:
            limit = LARGEST_COUNT if key.startswith(("num_", "n_")) else LARGEST_NUMBER
        if isinstance(value, int) and abs(value) > limit:
            raise UserError(
                f"{path} has {key} = {_short(value)}; at most {limit:,} is plausible: "
                "the file is damaged, or not of a model"
            )


def _fields(config: Mapping[str, Any], path: Path, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > DEEPEST:
        raise UserError(f"{path} has objects nested more than {DEEPEST} deep")
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _fields(value, path, depth + 1)
        for each in value if isinstance(value, list) else [value]:
            yield key, each


def _short(value: Any) -> str:
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number with more than 20 digits"
    return repr(value) if isinstance(value, int | float | None) else repr(str(value)[:60])
