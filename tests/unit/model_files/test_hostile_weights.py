"""Weights that unpack to gigabytes, and configs that describe more of them than there are."""

from __future__ import annotations

import json
import pickle
import resource
import shutil
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from paretoken.errors import UserError
from paretoken.io.bounded import MIB
from paretoken.model_files.model_json import require_usual_model
from paretoken.model_files.pickled_weights import LONGEST_PICKLE, MEMORY, pickled_sizes
from paretoken.model_files.weight_files import loaded_files, stored_parameters, tensor_sizes
from paretoken.models.language import load_language_model
from paretoken.models.vision import load_encoder

BIN = "pytorch_model.bin"
#: Bytes by which a command may grow beyond what it has imported; the files here would take more.
GROWTH = 2000 * MIB


def run_limited(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `paretoken` whose memory is limited once PyTorch is imported."""
    script = f"""
import resource, sys
from pathlib import Path
import torch, transformers
from paretoken.cli import main
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {GROWTH}, used + {GROWTH}))
sys.exit(main({list(words)!r}))
"""
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model as llm, with pickled weights as bin, and an encoder as vision."""
    folder = tmp_path_factory.mktemp("models")
    tiny.save_llm(folder / "llm")
    tiny.save_vision(folder / "vision")
    tiny.save_data(folder)
    shutil.copytree(folder / "llm", folder / "bin")
    (folder / "bin" / "model.safetensors").unlink()
    model = load_language_model(folder / "llm")
    torch.save(model.state_dict(), folder / "bin" / BIN)
    return folder


def rewritten(
    source: Path, target: Path, compression: int = zipfile.ZIP_STORED, content: bytes | None = None
) -> None:
    """Copy a zip of `torch.save` with another compression, or another pickle."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for member in old.infolist():
            is_pickle = member.filename.endswith("data.pkl")
            new.writestr(
                member.filename, old.read(member) if content is None or not is_pickle else content
            )


def test_a_compressed_pickle_is_refused_before_it_unpacks(models: Path, tmp_path: Path) -> None:
    model = shutil.copytree(models / "bin", tmp_path / "model")
    with zipfile.ZipFile(model / BIN, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("archive/data.pkl", "w", force_zip64=True) as member:
            for _ in range(1536):
                member.write(bytes(MIB))
        archive.writestr("archive/version", "3\n")
    assert (model / BIN).stat().st_size < 16 * MIB
    done = run_limited("fetch", "--kind", "llm", "--source", str(model), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "'archive/data.pkl' in compressed form" in done.stderr
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="in compressed form"):
        load_language_model(model)


def test_weights_that_torch_saved_are_read_and_compressed_ones_are_not(
    models: Path, tmp_path: Path
) -> None:
    sizes = tensor_sizes(models / "bin" / BIN)
    assert sum(sizes.values()) >= stored_parameters(models / "llm", ["model.safetensors"])
    state = torch.load(models / "bin" / BIN, weights_only=True)
    torch.save(state, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    assert pickled_sizes(tmp_path / "old.bin") == sizes
    rewritten(models / "bin" / BIN, tmp_path / "plain.bin")
    assert pickled_sizes(tmp_path / "plain.bin") == sizes
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        rewritten(models / "bin" / BIN, tmp_path / "packed.bin", compression)
        with pytest.raises(UserError, match="in compressed form"):
            pickled_sizes(tmp_path / "packed.bin")
    assert isinstance(load_language_model(models / "bin"), torch.nn.Module)


def reduced(function: str, *arguments: bytes) -> bytes:
    """Return a pickle that calls a function."""
    module, _, name = function.rpartition(".")
    return b"\x80\x02c%s\n%s\n(%stR." % (module.encode(), name.encode(), b"".join(arguments))


PICKLES = {
    "a long pickle": bytes(LONGEST_PICKLE + 1),
    "an allocation": reduced("builtins.bytearray", b"\x8a\x05" + (3 * MEMORY).to_bytes(5, "little")),
    "many objects": b"\x80\x02(" + b"]" * (LONGEST_PICKLE // 8) + b"t.",
    "cut off": b"\x80\x02(",
    "a number": pickle.dumps(1, 2),
}


@pytest.mark.parametrize("content", PICKLES.values(), ids=PICKLES)
@pytest.mark.parametrize("form", ["zip", "old"])
def test_pickles_that_would_fill_the_memory_are_refused(
    models: Path, tmp_path: Path, content: bytes, form: str
) -> None:
    path = tmp_path / BIN
    if form == "zip":
        rewritten(models / "bin" / BIN, path, content=content)
    else:
        numbers = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "protocol_version": 1001})
        path.write_bytes(b"".join(pickle.dumps(each, 2) for each in numbers) + content)
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(UserError, match=rf"{BIN} (is damaged|holds)") as error:
        pickled_sizes(path)
    assert len(str(error.value)) < 3000
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_tensors_larger_than_their_file_are_refused(tmp_path: Path) -> None:
    number = torch.zeros(1)
    for state in (
        {"a": number.expand(10**9)},
        {f"a{n}": torch.zeros(1000).expand(50, 1000) for n in range(50)},
        OrderedDict(a=torch.empty(10**6, 10**6, device="meta")),
    ):
        torch.save(state, tmp_path / BIN)
        with pytest.raises(UserError, match="describes tensors of"):
            pickled_sizes(tmp_path / BIN)
    tied = torch.zeros(100, 100)
    torch.save({"embedding": tied, "head": tied, "steps": 3}, tmp_path / BIN)
    assert pickled_sizes(tmp_path / BIN) == {"embedding": 10_000, "head": 10_000}


def test_a_file_from_before_zip_weights_is_read_up_to_a_size(tmp_path: Path) -> None:
    with (tmp_path / BIN).open("wb") as stream:
        stream.truncate(2**40)  # a hole, which takes no disk
    with pytest.raises(UserError, match="is a pickle from before torch"):
        pickled_sizes(tmp_path / BIN)


def change(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def one_number() -> bytes:
    text = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(4)


def test_a_config_of_more_weights_than_the_files_hold_is_refused_before_any_is_made(
    models: Path, tmp_path: Path
) -> None:
    vision = shutil.copytree(models / "vision", tmp_path / "vision")
    change(vision, hidden_size=16384, intermediate_size=65536, num_hidden_layers=100)
    (vision / "model.safetensors").write_bytes(one_number())
    done = run_limited(
        "features",
        "--vision",
        str(vision),
        "--data",
        str(models / "train.jsonl"),
        "--images",
        str(models / "images"),
        "--out",
        str(tmp_path / "out"),
    )
    assert done.returncode == 2
    assert "do not fit its config.json: they hold 1 number, it describes 32" in done.stderr


def test_so_is_a_language_model_and_what_fits_is_loaded(models: Path, tmp_path: Path) -> None:
    for name in ("llm", "bin"):
        model = shutil.copytree(models / name, tmp_path / name)
        change(model, intermediate_size=10**6)
        with pytest.raises(UserError, match=r"do not fit its config\.json: they hold"):
            load_language_model(model)
    sharded = shutil.copytree(models / "llm", tmp_path / "sharded")
    model = load_language_model(models / "llm")
    (sharded / "model.safetensors").unlink()
    model.save_pretrained(sharded, max_shard_size="15KB")
    assert len(loaded_files(sharded)) > 2
    load_language_model(sharded)
    load_encoder(models / "vision", [1], False)


def test_no_other_file_of_weights_is_read_than_the_one_that_is_looked_at(
    models: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(models / "llm", tmp_path / "model")
    assert loaded_files(model) == ["model.safetensors"]
    shutil.copy(models / "bin" / BIN, model)
    assert loaded_files(model) == ["model.safetensors"]
    change(model, transformers_weights="other.safetensors")
    with pytest.raises(UserError, match="transformers_weights = 'other"):
        require_usual_model(model)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no weights"):
        loaded_files(tmp_path / "empty")
