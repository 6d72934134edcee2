"""Selecting the files of a repository that are needed, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatch

from paretoken.errors import UserError

#: Beside the weights: configuration, tokenizer, chat template, preprocessor, licence.
SMALL = ("*.json", "*.jinja", "*.model", "merges.txt", "vocab.txt", "LICENSE*", "NOTICE*")

#: Formats of weights, in the order in which `from_pretrained` looks for them: one file, or an index and
#: its shards. Safetensors come first: they hold nothing but tensors.
WEIGHTS = (
    ("model.safetensors", None),
    ("model.safetensors.index.json", "model-*-of-*.safetensors"),
    ("pytorch_model.bin", None),
    ("pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"),
)


def model_files(names: Iterable[str], source: str) -> list[str]:
    """Return the files of a model that `from_pretrained` needs, and no others.

    Subfolders and programs are left out, and weights are taken in one format only: repositories often
    hold the same weights several times (``original/``, ``consolidated.safetensors``, Flax, ONNX).

    Raises:
        UserError: there is no configuration, or there are no weights.
    """
    top = sorted(name for name in names if "/" not in name)
    if "config.json" not in top:
        raise UserError(f"{source} holds no config.json: it is not a model that `from_pretrained` loads")
    weights = weight_files(top)
    if not weights:
        wanted = ", ".join(name for name, _ in WEIGHTS)
        raise UserError(f"{source} holds no weights that `from_pretrained` loads: none of {wanted}")
    small = [
        name
        for name in top
        if any(fnmatch(name, pattern) for pattern in SMALL) and not name.endswith(".index.json")
    ]
    return sorted({*small, *weights})


def weight_files(names: Sequence[str]) -> list[str]:
    """Return the weight files among ``names`` in the first format that exists, index included."""
    for name, shards in WEIGHTS:
        if name in names:
            return [name, *(n for n in names if shards is not None and fnmatch(n, shards))]
    return []


def dataset_files(names: Iterable[str], include: Sequence[str], source: str) -> list[str]:
    """Return the files of a data set that match a pattern of ``include`` (empty: all files).

    Programs are left out: a data set is read, never run.

    Raises:
        UserError: there is no file, or a pattern matches none.
    """
    data = sorted(name for name in names if not name.endswith(".py"))
    if not data:
        raise UserError(f"{source} holds no data: it has no files, or programs only")
    for pattern in include:
        if not any(fnmatch(name, pattern) for name in data):
            raise UserError(f"--include {pattern}: no file of {source} matches; it holds {_some(data)}")
    return [n for n in data if not include or any(fnmatch(n, pattern) for pattern in include)]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
