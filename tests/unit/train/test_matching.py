"""Parts of a stage that do not belong together are refused before any weight is loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import stages
import tiny
from paretoken.data.encoded import read_encoded
from paretoken.errors import UserError
from paretoken.models.assemble import Choice
from paretoken.train import stage as stage_module
from paretoken.train.stage import run_stage

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make sure that no model is loaded."""
    monkeypatch.setattr(stage_module, "build_model", lambda *_: pytest.fail("a model was loaded"))


@pytest.fixture(scope="module")
def adapter(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stage 1 of the tiny world wrote."""
    inputs = stages.inputs(tiny_world, tmp_path_factory.mktemp("adapter"))
    record = run_stage(inputs, stages.recipe(tiny_world, steps=1))
    assert set(record["sources"]) == {"llm", "vision"}
    return inputs.out / "adapter"


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def copied(source: Path, folder: Path) -> Path:
    return Path(shutil.copytree(source, folder / source.name))


def other_tokens(world: Path, folder: Path) -> dict[str, Any]:
    """A set of a tokenizer of as many tokens, two of which have changed places."""
    llm = copied(world / "llm", folder)
    text = (llm / "tokenizer.json").read_text()
    swapped = text.replace('"red"', '"?"', 1).replace('"green"', '"red"', 1).replace('"?"', '"green"', 1)
    (llm / "tokenizer.json").write_text(swapped)
    return {"llm": llm}


def no_record(world: Path, folder: Path, change: Callable[[Path], None]) -> dict[str, Any]:
    """A set of before, which does not say whose vocabulary it has."""
    tokens = copied(world / "tokens", folder)
    index = json.loads((tokens / "index.json").read_text())
    del index["vocabulary"], index["sha256"]
    (tokens / "index.json").write_text(json.dumps(index))
    change(tokens)
    return {"data": tokens}


def other_image_id(tokens: Path) -> None:
    rewrite(tokens / "index.json", image_token_id=3)


def large_id(tokens: Path) -> None:
    ids = np.load(tokens / "ids.npy")
    ids[-1] = 99
    np.save(tokens / "ids.npy", ids)


def other_features(world: Path, folder: Path, change: Callable[[Any], Any]) -> dict[str, Any]:
    """Features whose array, and index, have another shape."""
    features = copied(world / "features", folder)
    array = np.ascontiguousarray(change(np.load(features / "features.npy")))
    np.save(features / "features.npy", array)
    rewrite(features / "index.json", shape=list(array.shape))
    return {"features": features}


def small_pictures(world: Path, folder: Path) -> dict[str, Any]:
    """An encoder whose preprocessor makes images of another size."""
    vision = copied(world / "vision", folder)
    rewrite(
        vision / "preprocessor_config.json",
        size={"shortest_edge": 20},
        crop_size={"height": 20, "width": 20},
    )
    return {"vision": vision, "images": world / "images"}


def an_adapter(_: Path, folder: Path) -> dict[str, Any]:
    """Something under the name of an adapter."""
    (folder / "adapter.safetensors").touch()
    return {"adapter": folder}


MISMATCHES: dict[str, tuple[Callable[[Path, Path], dict[str, Any]], str]] = {
    "vocabulary": (other_tokens, r"not tokenized with the vocabulary of.*run `paretoken tokenize"),
    "image id": (lambda w, f: no_record(w, f, other_image_id), "not tokenized with the vocabulary of"),
    "token": (lambda w, f: no_record(w, f, large_id), r"holds the token id 99, but the embedding"),
    "patches": (
        lambda w, f: other_features(w, f, lambda a: a[:, :, :25]),
        r"have the shape \[2, 25, 32\] .* returns \[2, 36, 32\]",
    ),
    "width": (lambda w, f: other_features(w, f, lambda a: a[..., :16]), r"shape \[2, 36, 16\]"),
    "normalised": (lambda w, f: {"normalise": True}, "not normalised; leave --normalise out"),
    "aspect": (lambda w, f: {"aspect": "pad"}, "made square by crop, not by pad; leave --aspect out"),
    "layers": (
        lambda w, f: {"choice": Choice("average_pool", 4, layers=(1,))},
        r"needs the encoder layers \[1\], but the features hold \[2, 3\]",
    ),
    "pixels": (small_pictures, "makes images of 20 pixels, but its encoder takes 24"),
    "stage 1": (an_adapter, "--adapter is for finetune"),
}


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name", MISMATCHES)
def test_parts_that_do_not_fit_are_refused(tiny_world: Path, tmp_path: Path, name: str) -> None:
    change, message = MISMATCHES[name]
    inputs = stages.inputs(tiny_world, tmp_path / "out", **change(tiny_world, tmp_path))
    with pytest.raises(UserError, match=message):
        run_stage(inputs, stages.recipe(tiny_world))
    assert not inputs.out.exists()


@pytest.mark.usefixtures("no_work")
def test_no_sequence_may_be_longer_than_the_positions_of_the_model(
    tiny_world: Path, tmp_path: Path
) -> None:
    inputs = stages.inputs(tiny_world, tmp_path / "out")
    with pytest.raises(UserError, match="max_length = 257 exceeds the 256 positions"):
        run_stage(inputs, stages.recipe(tiny_world, max_length=257))


def test_an_older_set_is_read(tiny_world: Path, tmp_path: Path) -> None:
    data = no_record(tiny_world, tmp_path, lambda _: None)["data"]
    assert read_encoded(data).vocabulary is None
    again = tmp_path / "again"
    with pytest.raises(UserError, match="max_length = 999"):  # the next check: the first one passed
        run_stage(stages.inputs(tiny_world, again, data=data), stages.recipe(tiny_world, max_length=999))


def other_weights(part: str) -> Callable[[Path, Path], dict[str, Any]]:
    """Return a function that makes a backbone of the same shape and other weights."""

    def make(_: Path, folder: Path) -> dict[str, Any]:
        {"llm": tiny.save_llm, "vision": tiny.save_vision}[part](folder / part, seed=1)
        return {part: folder / part, "images": _ / "images"}

    return make


ADAPTERS: dict[str, tuple[Callable[[Path, Path], dict[str, Any]], str]] = {
    "compressor": (lambda w, f: {"choice": Choice("random", 4)}, "compressor = 'average_pool'"),
    "tokens": (lambda w, f: {"choice": Choice("average_pool", 9)}, "visual_tokens = 4, .* has 9"),
    "layers": (
        lambda w, f: {"choice": Choice("average_pool", 4, layers=(2,))},
        r"layers = \[3\], .* has \[2\]",
    ),
    "width": (
        lambda w, f: {"choice": Choice("average_pool", 4, projector_width=8)},
        "projector_width = None",
    ),
    "normalised": (
        lambda w, f: {"images": w / "images", "normalise": True},
        "normalise_features = False",
    ),
    "llm": (other_weights("llm"), "trained with a language model that differs from --llm"),
    "vision": (other_weights("vision"), "trained with a vision encoder that differs from --vision"),
}


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_of_another_choice_or_source_is_refused(
    tiny_world: Path, tmp_path: Path, adapter: Path, name: str
) -> None:
    change, message = ADAPTERS[name]
    inputs = stages.inputs(tiny_world, tmp_path / "out", adapter=adapter, **change(tiny_world, tmp_path))
    with pytest.raises(UserError, match=message):
        run_stage(inputs, stages.recipe(tiny_world, "finetune"))


def test_an_older_adapter_names_no_sources(tiny_world: Path, tmp_path: Path, adapter: Path) -> None:
    old = copied(adapter, tmp_path) / "adapter.safetensors"
    save_file(load_file(old), old, metadata={"format": "pt"})
    inputs = stages.inputs(tiny_world, tmp_path / "out", adapter=old.parent)
    record = run_stage(inputs, stages.recipe(tiny_world, "finetune", steps=1))
    assert record["steps"] == 1
