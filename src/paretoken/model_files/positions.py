"""The longest sequence that a language model supports, from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Kinds of RoPE scaling by a factor for which the config may still name the original length.
STRETCHED = ("linear", "dynamic", "yarn")


def positions_of(config: Any) -> int | None:
    """Return the longest sequence of a language model, in tokens; None if its config names none.

    Configs with RoPE scaling name the original length (Vicuna-16k: 4096 and a factor of 4), or the
    scaled length with the original one beside it (Llama 3.1).

    Args:
        config: a configuration of `transformers`, or the content of a config.json.
    """
    stated = _read(config, "max_position_embeddings")
    if not isinstance(stated, int) or isinstance(stated, bool) or stated < 1:
        return None
    scaling = _read(config, "rope_parameters") or _read(config, "rope_scaling")
    if not isinstance(scaling, Mapping):
        return stated
    kind, factor = scaling.get("rope_type", scaling.get("type")), scaling.get("factor")
    if kind not in STRETCHED or not isinstance(factor, int | float):
        return stated
    before = scaling.get("original_max_position_embeddings") or stated
    return max(stated, int(before * factor))


def _read(config: Any, name: str) -> Any:
    return config.get(name) if isinstance(config, Mapping) else getattr(config, name, None)
