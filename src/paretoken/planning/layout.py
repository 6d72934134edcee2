"""How a training stage is laid out on GPUs, and what it leaves on disk."""

from __future__ import annotations

from paretoken.cost_memory import MemoryPlan, training_memory
from paretoken.devices import Device
from paretoken.planning.work import Model, Work
from paretoken.train.recipe import Recipe

#: With `micro_batch: auto`, the most conversations that a GPU is given at once.
AUTO_BATCH = 32


def layout(
    work: Work, model: Model, recipe: Recipe, gpus: int, zero: int | None, device: Device
) -> MemoryPlan:
    """Return how a stage is laid out: the first way that fits the device, of those that are open.

    Open are the ZeRO stage if the recipe names no DeepSpeed file (2, then 3; none on one GPU), and the
    micro batch if the recipe leaves it open. If nothing fits, the first way is returned.
    """
    share = max(1, recipe.global_batch // gpus)
    given = recipe.micro_batch if isinstance(recipe.micro_batch, int) else None
    batches = [min(share, given or AUTO_BATCH)]
    while given is None and batches[-1] > 1:
        batches.append(batches[-1] // 2)
    stages = [zero] if zero is not None else [0] if gpus == 1 else [2, 3]
    plans = [
        MemoryPlan(
            parameters=work.parameters,
            trained=work.trained,
            shape=model.llm,
            gpus=gpus,
            zero=stage,
            micro_tokens=tokens,
            micro_learned=learned,
            checkpointing=recipe.gradient_checkpointing,
        )
        for micro in batches
        for tokens, learned in [_micro_batch(work, recipe, micro)]
        for stage in stages
    ]
    fitting = (plan for plan in plans if training_memory(plan).fits(device.memory_gib))
    return next(fitting, plans[0])


def _micro_batch(work: Work, recipe: Recipe, conversations: int) -> tuple[float, float]:
    """Return the most tokens, and learned tokens, that a GPU takes at once.

    Packed rows hold so many conversations of mean length; without packing, sorting by length puts the
    longest ones together.
    """
    if not recipe.packing:
        return conversations * work.longest, conversations * work.longest_learned
    shown = max(1.0, work.conversations)
    tokens = max(conversations * work.tokens / shown, work.longest)
    return tokens, tokens * work.learned / max(1.0, work.tokens)


def training_disk(work: Work, model: Model, recipe: Recipe) -> tuple[float, float]:
    """Return bytes at the peak (kept checkpoints and one being written) and bytes that stay."""
    size = 2 if recipe.precision == "bf16" else 4
    result = size * work.parameters if recipe.stage == "finetune" else 4 * model.adapter_parameters
    # Weights and both moments of AdamW in fp32; DeepSpeed writes a bf16 copy of the weights too.
    checkpoint = 12 * work.trained + (2 * work.parameters if recipe.deepspeed else 0)
    kept = min(recipe.keep_checkpoints, work.steps // recipe.save_every)
    return result + (kept + 1) * checkpoint, float(result)
