"""The attention implementation of the language model: what a recipe asks for and what can run here."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, PretrainedConfig, PreTrainedModel
from transformers.modeling_flash_attention_utils import lazy_import_flash_attention
from transformers.utils.import_utils import is_flash_attn_2_available, is_flash_attn_3_available

from paretoken.data.collation import Packing
from paretoken.errors import UserError
from paretoken.model_files.library_errors import reason_of
from paretoken.train.recipe import Recipe


class Flash(NamedTuple):
    """A version of FlashAttention: its package and distribution, and whether `transformers` finds it."""

    package: str
    distribution: str
    available: Callable[[], bool]


FLASH = {
    "flash_attention_2": Flash("flash_attn", "flash-attn, 2.3.3 or newer", is_flash_attn_2_available),
    "flash_attention_3": Flash("flash_attn_interface", "flash-attn-3", is_flash_attn_3_available),
}

#: The oldest generation of NVIDIA GPUs for both versions, Ampere: its major compute capability.
AMPERE = 8


def attention_of(recipe: Recipe, text: PretrainedConfig | None = None) -> str:
    """Return the attention implementation that a recipe selects for a language model.

    Args:
        recipe: how to train. ``attention: auto`` is FlashAttention 2 if it can run, otherwise SDPA, and
            eager attention for models without SDPA.
        text: configuration of the language model; None: of one that supports all implementations.

    Raises:
        UserError: the implementation that the recipe names cannot run here, or not with this model.
    """
    wanted, known = recipe.attention, supported(text)
    if wanted == "auto":
        possible = recipe.precision == "bf16" and "flash_attention_2" in known
        if possible and flash_problem("flash_attention_2") is None:
            return "flash_attention_2"
        return "sdpa" if "sdpa" in known else "eager"
    if wanted not in known:
        raise UserError(
            f"attention: {wanted} is not supported by models of type {text and text.model_type!r}; set "
            f"auto, or one of: {', '.join(known)}"
        )
    if wanted not in FLASH:
        return wanted
    problem = flash_problem(wanted)
    if recipe.precision != "bf16":
        problem = f"it needs precision: bf16, but the recipe has {recipe.precision}"
    if problem is not None:
        raise UserError(f"attention: {wanted} cannot run: {problem}; correct that, or set auto or sdpa")
    return wanted


def supported(text: PretrainedConfig | None) -> list[str]:
    """Return the implementations that the class of a language model supports; all for an unknown one."""
    kind: Any = None if text is None else MODEL_FOR_CAUSAL_LM_MAPPING.get(type(text), None)
    flash = list(FLASH) if kind is None or kind._supports_flash_attn else []
    sdpa = ["sdpa"] if kind is None or kind._supports_sdpa else []
    return [*flash, *sdpa, "eager"]


def flash_problem(name: str) -> str | None:
    """Return why a version of FlashAttention cannot run here, as a phrase; None if it can.

    `transformers` decides whether it is installed: FlashAttention 4 and remains of removed versions are
    packages of the same name. An import is tried, as it is built for one version of PyTorch.
    """
    flash = FLASH[name]
    if not torch.cuda.is_available():
        return "there is no GPU"
    major, minor = torch.cuda.get_device_capability()
    if major < AMPERE:
        return f"it needs compute capability {AMPERE}.0, and the GPU has {major}.{minor}"
    try:
        if not flash.available():
            return f"transformers finds no usable installation of {flash.distribution}"
        lazy_import_flash_attention(name)
    except Exception as error:  # a broken installation raises anything
        return f"the package {flash.package} cannot be imported: {reason_of(error)}"
    return None


def attention_note(recipe: Recipe, text: PretrainedConfig) -> str | None:
    """Return a message if ``attention: auto`` leaves out a FlashAttention that is there; None if not."""
    name = "flash_attention_2"
    if recipe.attention != "auto" or recipe.precision != "bf16" or name not in supported(text):
        return None
    if find_spec(FLASH[name].package) is None or (problem := flash_problem(name)) is None:
        return None
    return f"attention: {attention_of(recipe, text)}, as FlashAttention 2 cannot run: {problem}"


def set_attention(model: PreTrainedModel, recipe: Recipe) -> None:
    """Set the attention implementation of a language model to the one that `attention_of` returns.

    Raises:
        UserError: it cannot run here, or not with this model.
    """
    wanted, kind = attention_of(recipe, model.config), type(model).__name__
    try:
        model.set_attn_implementation(wanted)
    except (ValueError, ImportError) as error:
        raise UserError(f"{kind} does not run with attention: {wanted}: {reason_of(error)}") from error
    actual = model.config._attn_implementation
    if actual != wanted:  # transformers only warns about models whose implementation is fixed
        raise UserError(f"{kind} stays with attention: {actual} instead of {wanted}; set {actual}")


def packing_of(recipe: Recipe, text: PretrainedConfig | None = None) -> Packing | None:
    """Return how conversations are packed: flat with FlashAttention, which separates them."""
    if not recipe.packing:
        return None
    return "flat" if attention_of(recipe, text) in FLASH else "rows"
