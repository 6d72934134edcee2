"""A local directory is refused by `check` exactly where `paretoken fetch` refuses it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tiny
from feasible_studies import ROOT, Raw, data_of, found, shipped, study_of
from paretoken.config.config import parse
from paretoken.errors import UserError
from paretoken.hub.fetch import MAIN, Request, fetch

Spoil = Callable[[Path], Any]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny.save_llm(folder / "llm")
    tiny.save_vision(folder / "vision")
    return folder


def told(kind: str, folder: Path, **values: Any) -> list[str]:
    """Return the problems of a study with a local model in the place of one of its own."""
    raw: Raw = shipped()
    study = study_of(raw, "paper")
    raw.update(run=["paper"], studies=[study])
    if kind == "llm":
        record = raw["llms"][0]
        record.update(hub=str(folder), revision=None, params=None, **{"template": "chat", **values})
        study["training"]["overrides"] = {s: ["max_length=256"] for s in ("pretrain", "finetune")}
        study.update(fit={"laws": []}, figures=[], claims=[], holdout=[], text_tokens=[0])
        study["compressors"] = [{"name": "random", "tokens": [1, 4]}]
        study["suites"] = [{**study["suites"][0], "benchmarks": ["mme"]}]
        data_of(raw, "paper")["root"] = "none"
    else:
        record = {"name": "local", "grid": 6, "hub": str(folder), **values}
        raw["vision"].append(record)
        study.update(vision="local", compressors=[{"name": "average_pool", "tokens": [1, 4, 9]}])
    place = f"{'llms[0]' if kind == 'llm' else 'vision[2]'}."
    return [str(finding) for finding in found(parse(raw)) if finding.place.startswith(place)]


def refused(kind: Any, folder: Path, out: Path, template: str = "chat") -> str | None:
    try:
        fetch(Request(str(folder), MAIN, kind, template=template), out, lambda text: None)
    except UserError as error:
        return str(error)
    return None


def edited(name: str, **changes: Any) -> Spoil:
    """Return a change of keys in a JSON file; a value of None takes the key out."""

    def edit(folder: Path) -> None:
        content = json.loads((folder / name).read_text()) | changes
        kept = {key: value for key, value in content.items() if value is not None}
        (folder / name).write_text(json.dumps(kept))

    return edit


def without(pattern: str) -> Spoil:
    return lambda folder: [path.unlink() for path in folder.glob(pattern)]


def written(name: str, content: bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(content)


LLM: dict[str, Spoil] = {
    "as it is": lambda folder: None,
    "no tokenizer": without("tokenizer*"),
    "no weights": without("*.safetensors"),
    "half of the weights": lambda f: written(
        "model.safetensors", (f / "model.safetensors").read_bytes()[:-99]
    )(f),
    "no config": without("config.json"),
    "another architecture": edited("config.json", model_type="phi"),
    "more layers than weights": edited("config.json", num_hidden_layers=3),
    "gptq": edited("config.json", quantization_config={"quant_method": "gptq"}),
    "int8": edited("config.json", dtype="int8"),
    "int8, as it was written": edited("config.json", dtype=None, torch_dtype="int8"),
    "a type of its own": edited("config.json", torch_dtype="float99"),
    "bfloat16": edited("config.json", dtype="bfloat16"),
    "a tokenizer of another model": edited("config.json", vocab_size=4),
    "no chat template": without("chat_template*"),
    "a template that drops answers": written("chat_template.jinja", b"{{ messages[0]['content'] }}"),
    "a generation config without sense": written("generation_config.json", b'{"eos_token_id": "x"}'),
    "a tokenizer without sense": written("tokenizer.json", b"{}"),
}
VISION: dict[str, Spoil] = {
    "as it is": lambda folder: None,
    "no preprocessor": without("preprocessor_config.json"),
    "a preprocessor without sense": written("preprocessor_config.json", b"garbage"),
    "an empty preprocessor": written("preprocessor_config.json", b"{}"),
    "images of another size": edited("preprocessor_config.json", crop_size=48, size=48),
    "std of 0": edited("preprocessor_config.json", image_std=[0, 0, 0]),
    "no layers": edited("config.json", num_hidden_layers=0),
    "a list of sizes": edited("config.json", image_size=[24, 24]),
    "sizes that differ": edited("config.json", image_size=[24, 36]),
    "a size that is left out": edited("config.json", image_size=None),
    "a patch that is left out": edited("config.json", patch_size=None),
    "a patch of 0": edited("config.json", patch_size=0),
    "no weights": without("*.safetensors"),
    "another family": edited("config.json", model_type="vit"),
    "gptq": edited("config.json", quantization_config={"quant_method": "gptq"}),
}


@pytest.mark.parametrize(
    ("kind", "what"), [*(("llm", what) for what in LLM), *(("vision", what) for what in VISION)]
)
def test_check_and_fetch_agree(models: Path, tmp_path: Path, kind: str, what: str) -> None:
    folder = shutil.copytree(models / kind, tmp_path / "model")
    (LLM if kind == "llm" else VISION)[what](folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    lines = told(kind, folder)
    reason = refused(kind, folder, tmp_path / "out")
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}, "nothing is changed"
    assert bool(lines) == (reason is not None), (lines, reason)
    assert (reason is None) == (what in ("as it is", "bfloat16"))


@pytest.mark.parametrize(
    ("kind", "what", "words"),
    [
        ("llm", "no tokenizer", "holds no tokenizer"),
        ("llm", "no weights", "holds no weights"),
        ("llm", "gptq", "holds quantised weights"),
        ("llm", "int8, as it was written", "torch_dtype = 'int8'; write float32"),
        ("llm", "no chat template", "has no chat template; name one"),
        ("vision", "no preprocessor", "preprocessor_config.json"),
        ("vision", "images of another size", "makes images of 48 pixels, but its encoder takes 24"),
        ("vision", "no layers", "num_hidden_layers = 0"),
        ("vision", "a list of sizes", "image_size"),
    ],
)
def test_the_reason_is_told(models: Path, tmp_path: Path, kind: str, what: str, words: str) -> None:
    folder = shutil.copytree(models / kind, tmp_path / "model")
    (LLM if kind == "llm" else VISION)[what](folder)
    lines = told(kind, folder)
    assert any(words in line and str(folder) in line for line in lines), lines


def test_a_named_template_stands_for_a_lacking_one(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "llm", tmp_path / "model")
    LLM["no chat template"](folder)
    assert refused("llm", folder, tmp_path / "out", "chatml") is None
    assert told("llm", folder, template="chatml") == []
    assert told("llm", folder)
    (folder / "chat_template.jinja").write_text(tiny.CHATML)
    assert told("llm", folder) == [], "a changed directory is looked at again"


def test_the_parameters_of_an_encoder_are_counted(models: Path) -> None:
    right = fetched_parameters(models / "vision")
    assert told("vision", models / "vision", params=right) == []
    (line,) = told("vision", models / "vision", params=2 * right)
    assert "parameters, but params says" in line


def fetched_parameters(folder: Path) -> int:
    from paretoken.hub.fetch import verify_local

    return int(verify_local(Request(str(folder), MAIN, "vision"))["parameters"])


def test_layers_that_an_encoder_does_not_have_are_found_before_any_job(models: Path) -> None:
    """Layer 0 is what enters the first layer."""
    depth = json.loads((models / "vision" / "config.json").read_text())["num_hidden_layers"]

    def complaints(layers: list[int]) -> list[str]:
        raw: Raw = shipped()
        study = study_of(raw, "paper")
        raw.update(run=["paper"], studies=[study])
        raw["vision"].append({"name": "local", "grid": 6, "hub": str(models / "vision")})
        study.update(vision="local", compressors=[{"name": "average_pool", "tokens": [1, 4, 9]}])
        study["training"]["layers"] = layers
        return [str(f) for f in found(parse(raw)) if f.place.endswith("training.layers")]

    assert complaints([0, depth]) == []
    (wrong,) = complaints([depth, depth + 1, depth + 7])
    assert f": {depth + 1}, {depth + 7} cannot be read: " in wrong
    assert f"layers 0 (the embeddings) to {depth}" in wrong
