"""Which attention runs: with installations of FlashAttention of all kinds, usable and not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, PretrainedConfig, modeling_flash_attention_utils
from transformers.utils import import_utils

import families
import tiny
from paretoken.errors import UserError
from paretoken.models.language import load_language_model
from paretoken.train import stage
from paretoken.train.attention import attention_note, attention_of, packing_of, set_attention, supported
from paretoken.train.recipe import LearningRates, Recipe
from paretoken.train.stage import StageInputs, run_stage

FUNCTIONS = "flash_attn_func = flash_attn_varlen_func = flash_attn_with_kvcache = lambda *a, **k: None\n"
PADDING = "pad_input = unpad_input = lambda *a, **k: None\n"

#: Files of a folder on the import path: working, and broken in the ways in which people break them.
INSTALLATIONS: dict[str, dict[str, str]] = {
    "none": {},
    "usable": {
        "flash_attn/__init__.py": "__version__ = '2.8.3'\n" + FUNCTIONS,
        "flash_attn/bert_padding.py": PADDING,
        "flash_attn-2.8.3.dist-info/METADATA": "Name: flash-attn\nVersion: 2.8.3\n",
        "flash_attn-2.8.3.dist-info/top_level.txt": "flash_attn\n",
    },
    "FlashAttention 4": {  # a package without __init__.py, of the same name
        "flash_attn/cute/__init__.py": FUNCTIONS,
        "flash_attn_4-4.0.0.dist-info/METADATA": "Name: flash-attn-4\nVersion: 4.0.0\n",
        "flash_attn_4-4.0.0.dist-info/top_level.txt": "flash_attn\n",
    },
    "too old": {
        "flash_attn/__init__.py": "__version__ = '2.0.4'\n" + FUNCTIONS,
        "flash_attn/bert_padding.py": PADDING,
        "flash_attn-2.0.4.dist-info/METADATA": "Name: flash-attn\nVersion: 2.0.4\n",
        "flash_attn-2.0.4.dist-info/top_level.txt": "flash_attn\n",
    },
    "built for another PyTorch": {
        "flash_attn/__init__.py": "raise ImportError('flash_attn_2_cuda.so: undefined symbol: _ZN3')\n",
        "flash_attn-2.8.3.dist-info/METADATA": "Name: flash-attn\nVersion: 2.8.3\n",
        "flash_attn-2.8.3.dist-info/top_level.txt": "flash_attn\n",
    },
    "a library is missing": {
        "flash_attn/__init__.py": "raise OSError('libcudart.so.11.0: cannot open shared object file')\n",
        "flash_attn-2.8.3.dist-info/METADATA": "Name: flash-attn\nVersion: 2.8.3\n",
        "flash_attn-2.8.3.dist-info/top_level.txt": "flash_attn\n",
    },
    "half of it": {
        "flash_attn/__init__.py": FUNCTIONS,
        "flash_attn-2.8.3.dist-info/METADATA": "Name: flash-attn\nVersion: 2.8.3\n",
        "flash_attn-2.8.3.dist-info/top_level.txt": "flash_attn\n",
    },
    "what a removal left": {"flash_attn/ops/__pycache__/x.pyc": ""},
    "a folder of sources": {"flash_attn/__init__.py": "raise RuntimeError('build me first')\n"},
}

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return what puts an installation in front of the import path, on a machine that has a GPU."""

    def put(name: str) -> None:
        for file, content in INSTALLATIONS[name].items():
            (tmp_path / "site" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "site" / file).write_text(content)
        monkeypatch.syspath_prepend(tmp_path / "site")
        forget()

    gpu(monkeypatch)
    monkeypatch.setattr(modeling_flash_attention_utils, "_loaded_implementation", None)
    yield put
    monkeypatch.undo()
    forget()


def gpu(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] = (9, 0)) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)


def forget() -> None:
    """Forget what is installed: transformers remembers its answers."""
    for value in vars(import_utils).values():
        if callable(getattr(value, "cache_clear", None)):
            value.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "flash_attn"]:
        del sys.modules[name]


def recipe(**changes: object) -> Recipe:
    common = {"stage": "pretrain", "learning_rates": LearningRates(projector=1e-3), "global_batch": 8,
              "micro_batch": 8, "steps": 1, "precision": "bf16"}  # fmt: skip
    return Recipe.model_validate(common | changes)


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PretrainedConfig]:
    folder = tmp_path_factory.mktemp("families")
    for name in ("qwen1.5", "gemma2"):
        families.save_llm(folder / name, name)
    return {name: AutoConfig.from_pretrained(folder / name) for name in ("qwen1.5", "gemma2")}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "no usable installation of flash-attn, 2.3.3 or newer"),
        ("FlashAttention 4", "no usable installation of flash-attn"),
        ("too old", "no usable installation of flash-attn"),
        ("built for another PyTorch", "flash_attn cannot be imported: .*undefined symbol"),
        ("a library is missing", "flash_attn cannot be imported: libcudart"),
        ("half of it", "flash_attn cannot be imported: No module named 'flash_attn.bert_padding'"),
        ("what a removal left", "no usable installation of flash-attn"),
        ("a folder of sources", "build me first"),
    ],
)
def test_an_unusable_installation_is_left_out_and_an_error_if_it_is_asked_for(
    install: Install, configs: dict[str, PretrainedConfig], name: str, words: str
) -> None:
    install(name)
    for text in (None, configs["qwen1.5"]):
        assert attention_of(recipe(), text) == "sdpa"
        assert packing_of(recipe(packing=True), text) == "rows"
        for wanted in ("sdpa", "eager"):
            assert attention_of(recipe(attention=wanted), text) == wanted
        with pytest.raises(UserError, match=f"attention: flash_attention_2 cannot run: .*{words}"):
            attention_of(recipe(attention="flash_attention_2"), text)
    note = attention_note(recipe(), configs["qwen1.5"])
    if name == "none":
        assert note is None, "nobody expects it"
    else:
        assert note is not None
        assert note.startswith("attention: sdpa, as FlashAttention 2 cannot run: ")
    assert attention_note(recipe(attention="sdpa"), configs["qwen1.5"]) is None
    assert attention_note(recipe(precision="fp32"), configs["qwen1.5"]) is None


def test_a_usable_installation_is_used(install: Install, configs: dict[str, PretrainedConfig]) -> None:
    install("usable")
    for text in (None, *configs.values()):
        assert attention_of(recipe(), text) == "flash_attention_2"
        assert attention_of(recipe(attention="flash_attention_2"), text) == "flash_attention_2"
        assert packing_of(recipe(packing=True), text) == "flat"
    assert attention_note(recipe(), configs["qwen1.5"]) is None
    assert packing_of(recipe()) is None
    assert attention_of(recipe(precision="fp32")) == "sdpa"
    with pytest.raises(UserError, match="it needs precision: bf16, but the recipe has fp32"):
        attention_of(recipe(attention="flash_attention_2", precision="fp32"))
    with pytest.raises(UserError, match=r"3 cannot run: .* of flash-attn-3; correct that"):
        attention_of(recipe(attention="flash_attention_3"))


def test_without_a_gpu_or_with_an_old_one_it_is_left_out(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("usable")
    gpu(monkeypatch, (7, 5))
    assert attention_of(recipe()) == "sdpa"
    with pytest.raises(UserError, match=r"needs compute capability 8\.0, and the GPU has 7\.5"):
        attention_of(recipe(attention="flash_attention_2"))
    gpu(monkeypatch, (8, 0))
    assert attention_of(recipe()) == "flash_attention_2"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert attention_of(recipe()) == "sdpa"
    with pytest.raises(UserError, match="flash_attention_2 cannot run: there is no GPU"):
        attention_of(recipe(attention="flash_attention_2"))


def test_what_the_class_of_a_model_does_not_support_is_not_chosen(
    install: Install, configs: dict[str, PretrainedConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("none")
    capped = configs["gemma2"]  # its fused kernels do not support capped scores
    assert attention_of(recipe(), capped) == "eager"
    assert "sdpa" not in supported(capped)
    with pytest.raises(UserError, match=r"sdpa is not supported by models of type 'gemma2'; set"):
        attention_of(recipe(attention="sdpa"), capped)
    install("usable")
    from transformers import Qwen2ForCausalLM

    monkeypatch.setattr(Qwen2ForCausalLM, "_supports_flash_attn", False)
    text = configs["qwen1.5"]
    assert attention_of(recipe(), text) == "sdpa"
    assert packing_of(recipe(packing=True), text) == "rows"
    with pytest.raises(UserError, match="flash_attention_2 is not supported by models of type 'qwen2'"):
        attention_of(recipe(attention="flash_attention_2"), text)


@pytest.mark.parametrize("name", ["qwen1.5", "gemma2"])
def test_a_model_has_the_attention_that_is_chosen(
    tmp_path: Path, install: Install, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    families.save_llm(tmp_path / "llm", name)
    install("usable")
    for wanted in ("eager", "sdpa", "flash_attention_2", "auto"):
        model = load_language_model(tmp_path / "llm")
        asked = recipe(attention=wanted)
        if wanted not in [*supported(model.config), "auto"]:
            with pytest.raises(UserError, match="is not supported by models of type"):
                set_attention(model, asked)
            continue
        set_attention(model, asked)
        assert model.config._attn_implementation == attention_of(asked, model.config)
        assert wanted in ("auto", model.config._attn_implementation)
    # transformers warns only about models whose attention is part of their code.
    model = load_language_model(tmp_path / "llm")
    monkeypatch.setattr(type(model), "_can_set_attn_implementation", classmethod(lambda _: False))
    fixed = model.config._attn_implementation
    other = "eager" if fixed == "sdpa" else "flash_attention_2"
    with pytest.raises(UserError, match=f"stays with attention: {fixed} instead of {other}"):
        set_attention(model, recipe(attention=other))


@pytest.mark.parametrize(("wanted", "used"), [("sdpa", "sdpa"), ("eager", "eager"), ("auto", "sdpa")])
def test_a_recipe_reaches_the_run(tmp_path: Path, wanted: str, used: str) -> None:
    from paretoken.models.assemble import Choice
    from paretoken.train.recipe import read_recipe

    world = tiny.save_prepared_world(tmp_path / "world")
    asked = read_recipe(world / "pretrain.yaml", "pretrain", [("attention", wanted), ("steps", "2")])
    inputs = StageInputs(
        llm=world / "llm", vision=world / "vision", data=world / "tokens", out=tmp_path / "out",
        choice=Choice("average_pool", 4), seed=0, features=world / "features",
    )  # fmt: skip
    assert run_stage(inputs, asked)["attention"] == used


def test_a_run_says_why_an_installation_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note: Any = lambda recipe, text: f"attention: sdpa for {text.model_type}"  # noqa: E731
    monkeypatch.setattr(stage, "attention_note", note)
    from paretoken.models.assemble import Choice
    from paretoken.train.recipe import read_recipe

    world, said = tiny.save_prepared_world(tmp_path / "world"), list[str]()
    asked = read_recipe(world / "pretrain.yaml", "pretrain", [("steps", "2")])
    inputs = StageInputs(
        llm=world / "llm", vision=world / "vision", data=world / "tokens", out=tmp_path / "out",
        choice=Choice("average_pool", 4), seed=0, features=world / "features",
    )  # fmt: skip
    run_stage(inputs, asked, said.append)
    assert "attention: sdpa for qwen2" in said
