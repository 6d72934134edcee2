"""How many tokens a language model can tell apart by their places, from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Ways to stretch rotary positions by a factor, where the config still names the length before.
STRETCHED = ("linear", "dynamic", "yarn")


def positions_of(config: Any) -> int | None:
    """Return the longest sequence of a language model, in tokens; None if its config names none.

    Configs that stretch rotary positions name the length before (Vicuna-16k: 4096 and a factor of 4),
    or after with the one before beside it (Llama 3.1).

    Args:
        config: of `transformers`, or the content of a config.json.
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
