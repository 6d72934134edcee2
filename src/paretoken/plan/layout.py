"""The layout of a training stage on GPUs, and its use of disk space."""

from __future__ import annotations

from dataclasses import dataclass

from paretoken.config.devices import Device
from paretoken.costs.activation_memory import MicroBatch, Trainee
from paretoken.costs.gpu_memory import Memory, Split, training_memory
from paretoken.plan.stage_work import Model, Work
from paretoken.train.recipe import Recipe

#: The largest number of GPUs that `smallest_remedy` tries.
MOST_GPUS = 64


@dataclass(frozen=True)
class Layout:
    """A trained model, its split over GPUs, and the micro batch of each GPU."""

    trainee: Trainee
    split: Split
    micro: MicroBatch

    @property
    def memory(self) -> Memory:
        """The memory on each GPU."""
        return training_memory(self.trainee, self.split, self.micro)


def layout(
    work: Work, model: Model, recipe: Recipe, gpus: int, zero: int | None, device: Device
) -> Layout:
    """Return the first layout of a stage that fits the device, or the first one if none fits.

    The ZeRO stage varies if the recipe names no DeepSpeed file (2, then 3; none on one GPU), and the
    micro batch if the recipe does not set it.
    """
    trainee = trainee_of(work, model, recipe)
    share = max(1, recipe.global_batch // gpus)
    given = recipe.micro_batch if isinstance(recipe.micro_batch, int) else None
    sizes = [min(share, given or share)]
    while given is None and sizes[-1] > 1:
        sizes.append(sizes[-1] // 2)
    stages = [zero] if zero is not None else [0] if gpus == 1 else [2, 3]
    ways = [
        Layout(trainee, Split(gpus, stage), _micro_batch(work, recipe, size))
        for size in sizes
        for stage in stages
    ]
    return next((way for way in ways if way.memory.fits(device.memory_gib)), ways[0])


def trainee_of(work: Work, model: Model, recipe: Recipe) -> Trainee:
    """Return what a stage trains, as `paretoken train` does on a GPU.

    It is unknown whether FlashAttention will be installed there, so `attention: auto` is counted
    without it.
    """
    return Trainee(
        trained=work.trained,
        frozen=work.parameters - work.trained,
        llm=model.llm,
        llm_learns=recipe.stage == "finetune",
        vision=model.vision,
        bf16=recipe.precision == "bf16",
        checkpointing=recipe.gradient_checkpointing,
        masked=recipe.packing and not recipe.attention.startswith("flash"),
    )


def _micro_batch(work: Work, recipe: Recipe, conversations: int) -> MicroBatch:
    """Return the largest micro batch of ``conversations`` conversations on a GPU.

    With packing, conversations have the mean length; without it, sorting by length puts the longest
    conversations together.
    """
    shown = max(1.0, work.conversations)
    images = conversations * work.images / shown
    if not recipe.packing:
        learned = conversations * work.longest_learned
        return MicroBatch(conversations, conversations, work.longest, learned, images)
    tokens = max(conversations * work.tokens / shown, work.longest)
    learned = tokens * work.learned / max(1.0, work.tokens)
    return MicroBatch(conversations, tokens / max(1.0, work.longest), work.longest, learned, images)


def smallest_remedy(way: Layout, memory_gib: float) -> tuple[Layout, str]:
    """Return the smallest change with which a stage fits, and its name; empty if it fits unchanged.

    The changes are tried in this order: a smaller micro batch (the global batch and so the result stay
    the same), ZeRO-3, both, more GPUs. A name that starts with ``none`` means that none was enough.
    """
    if way.memory.fits(memory_gib):
        return way, ""
    split, devices = way.split, way.split.devices
    while devices <= MOST_GPUS:
        for zero in sorted({split.zero, 3} if devices == split.devices else {3}):
            for parts in (p for p in (1, 2, 4, 8, 16) if p <= max(1.0, way.micro.conversations)):
                changed = Layout(way.trainee, Split(devices, zero), way.micro.divided(parts))
                if changed.memory.fits(memory_gib):
                    return changed, _named(split, changed.split, parts)
        devices *= 2
    return way, f"none found up to {MOST_GPUS} GPUs; use a larger device"


def _named(split: Split, changed: Split, parts: int) -> str:
    words = []
    if changed.devices != split.devices:
        words.append(f"{changed.devices} GPUs")
    if changed.zero != split.zero:
        words.append(f"ZeRO-{changed.zero}")
    if parts > 1:
        words.append(f"micro_batch / {parts}")
    return ", ".join(words)


def training_disk(work: Work, model: Model, recipe: Recipe) -> tuple[float, float]:
    """Return the bytes at the peak (kept checkpoints and one that is being written) and in the end."""
    size = 2 if recipe.precision == "bf16" else 4
    result = size * work.parameters if recipe.stage == "finetune" else 4 * model.adapter_parameters
    # Weights and both moments of AdamW are in fp32; DeepSpeed also writes a bf16 copy of the weights.
    checkpoint = 12 * work.trained + (2 * work.parameters if recipe.deepspeed else 0)
    kept = min(recipe.keep_checkpoints, work.steps // recipe.save_every)
    return result + (kept + 1) * checkpoint, float(result)
