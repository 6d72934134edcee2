"""How many tokens a language model can tell apart by their places."""

from __future__ import annotations

from transformers import PretrainedConfig

#: Ways to stretch rotary positions by a factor, where the config still names the length before.
STRETCHED = ("linear", "dynamic", "yarn")


def positions_of(config: PretrainedConfig) -> int | None:
    """Return the longest sequence of a language model, in tokens; None if its config names none.

    Configs that stretch rotary positions name the length before (Vicuna-16k: 4096 and a factor of 4),
    or after with the one before beside it (Llama 3.1).
    """
    stated = getattr(config, "max_position_embeddings", None)
    if not isinstance(stated, int) or stated < 1:
        return None
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None)
    if not isinstance(scaling, dict):
        return stated
    kind, factor = scaling.get("rope_type", scaling.get("type")), scaling.get("factor")
    if kind not in STRETCHED or not isinstance(factor, int | float):
        return stated
    before = scaling.get("original_max_position_embeddings") or stated
    return max(stated, int(before * factor))
