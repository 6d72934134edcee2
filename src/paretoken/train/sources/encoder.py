"""The miniature's vision encoder: a small CLIP tower that learns what each patch shows.

450 steps take about half a minute on one core, so there are no checkpoints: a killed run starts again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPVisionConfig, CLIPVisionModel

from paretoken.config.settings import digest
from paretoken.data.preprocessor import Preprocessor, read_preprocessor
from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.io.files import write_json
from paretoken.io.finished import already_done
from paretoken.model_files.pretrained import saving
from paretoken.models.vision import normalise
from paretoken.train.run_record import write_run
from paretoken.train.sources.loop import train
from paretoken.train.sources.source_recipes import VisionRecipe
from paretoken.world.drawing import BRIGHT_ICON, render
from paretoken.world.facts import PATCH, SIZE, World
from paretoken.world.vocabulary import COLOURS
from paretoken.world.world_settings import WorldSettings

#: Number of classes of a patch's digit label (or none) and of its colour label (or none).
DIGITS, MARKS = 11, len(COLOURS) + 3

PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": SIZE},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": SIZE, "width": SIZE},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "do_convert_rgb": True,
}


class PatchReader(nn.Module):
    """A vision tower with three linear heads, which are discarded after training."""

    def __init__(self, tower: CLIPVisionModel, icons: int) -> None:
        super().__init__()
        self.tower = tower
        width = tower.config.hidden_size
        self.heads = nn.ModuleList(nn.Linear(width, size) for size in (icons + 1, DIGITS, MARKS))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the logits (images, patches, classes) of icon, digit and colour."""
        patches = normalise(self.tower(pixel_values=pixels).last_hidden_state[:, 1:])
        return [head(patches) for head in self.heads]


def pretrain_vision(
    out: Path,
    recipe: VisionRecipe,
    settings: WorldSettings,
    seed: int,
    world_seed: int,
    progress: ProgressCallback = silent,
    say: Callable[[str], None] = print,
) -> None:
    """Train an encoder and write it: weights, configuration, image processor, ``run.json``.

    Args:
        out: folder to write, atomically.
        recipe: architecture and training.
        settings: the world whose images the encoder sees.
        seed: seed of weights and images.
        world_seed: seed of the icons.
        progress: called with the steps done and the number of all steps.
        say: prints a message: that there is nothing to do.

    Raises:
        UserError: the folder holds another run, or training was stopped.
    """
    key = digest("pretrain-vision", recipe, settings, seed, world_seed)
    if already_done(out, key, say):
        return
    wall, cpu = time.monotonic(), time.process_time()
    world = World(settings, world_seed)
    rng = np.random.default_rng([seed, 21])
    with saving(out) as folder:
        write_json(folder / "preprocessor_config.json", PREPROCESSOR)
        preprocess = read_preprocessor(folder, "crop")
        reader = new_reader(recipe, settings.icons, seed)
        pixels, labels = draw(world, recipe.images, recipe.text_share, rng, preprocess)
        history = _fit(reader, recipe, pixels, labels, rng, progress)
        fresh = draw(world, recipe.check_images, recipe.text_share, rng, preprocess)
        reader.tower.save_pretrained(folder)
        record = {
            "key": key,
            "seed": seed,
            "world_seed": world_seed,
            "recipe": recipe.model_dump(mode="json"),
            "world": settings.model_dump(mode="json"),
            "steps": recipe.steps,
            "loss": history,
            "accuracy": accuracies(reader, *fresh),
            "parameters": sum(p.numel() for p in reader.tower.parameters()),
            "wall_s": time.monotonic() - wall,
            "cpu_s": time.process_time() - cpu,
        }
        write_run(folder, record)


def new_reader(recipe: VisionRecipe, icons: int, seed: int) -> PatchReader:
    """Return a tower and its heads with random weights."""
    config = CLIPVisionConfig(
        hidden_size=recipe.width,
        intermediate_size=recipe.mlp_ratio * recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        image_size=SIZE,
        patch_size=PATCH,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PatchReader(CLIPVisionModel(config), icons)


def draw(
    world: World, count: int, text_share: float, rng: np.random.Generator, preprocess: Preprocessor
) -> tuple[Tensor, Tensor]:
    """Return random images as pixel values (images, 3, size, size), and their patch labels."""
    images, labels = render(world, world.scenes(count, rng, text_share), rng)
    return torch.from_numpy(preprocess([Image.fromarray(image) for image in images])), torch.from_numpy(
        labels
    )


def _fit(
    reader: PatchReader,
    recipe: VisionRecipe,
    pixels: Tensor,
    labels: Tensor,
    rng: np.random.Generator,
    progress: ProgressCallback,
) -> list[list[float]]:
    parameters = list(reader.parameters())
    optimiser = torch.optim.AdamW(
        parameters, lr=recipe.learning_rate, betas=recipe.betas, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps, pct_start=recipe.warmup
    )

    def losses() -> Iterator[Tensor]:
        rows: NDArray[np.int64] = rng.integers(0, len(pixels), recipe.batch)
        chosen = torch.from_numpy(rows)
        yield patch_loss(reader(pixels[chosen]), labels[chosen], recipe.empty_weight)

    return train(parameters, losses, optimiser, schedule, recipe, progress)


def patch_loss(logits: list[Tensor], labels: Tensor, empty_weight: float) -> Tensor:
    """Return the loss of the three heads: the mean over filled patches plus the mean over empty ones.

    Args:
        logits: one tensor (images, patches, classes) per head.
        labels: (images, patches, 3).
        empty_weight: weight of the empty patches, which are many and easy.
    """
    empty = labels[..., 2] == 0
    total = logits[0].new_zeros(())
    for number, scores in enumerate(logits):
        loss = functional.cross_entropy(scores.transpose(1, 2), labels[..., number], reduction="none")
        # A sum over max(1, count): a batch without empty patches contributes 0, not 0 / 0.
        total = total + _mean(loss, ~empty) + empty_weight * _mean(loss, empty)
    return total


def _mean(loss: Tensor, where: Tensor) -> Tensor:
    return (loss * where).sum() / where.sum().clamp(min=1)


@torch.no_grad()
def accuracies(reader: PatchReader, pixels: Tensor, labels: Tensor) -> dict[str, float | None]:
    """Return the accuracy of the heads on bright icons, digits, filled and empty patches."""
    reader.train(False)
    logits = [reader(part) for part in torch.split(pixels, 500)]
    guesses = [torch.cat([part[k] for part in logits]).argmax(-1) for k in range(3)]
    mark = labels[..., 2]
    judged = {
        "icon": (0, mark == BRIGHT_ICON),
        "digit": (1, (mark > 0) & (mark < BRIGHT_ICON)),
        "colour": (2, mark > 0),
        "empty": (2, mark == 0),
    }
    right: dict[str, Any] = {}
    for name, (head, where) in judged.items():
        hits = (guesses[head] == labels[..., head])[where]
        right[name] = hits.float().mean().item() if len(hits) else None
    return right
