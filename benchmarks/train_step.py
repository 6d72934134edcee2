"""Compare training throughput with the same model in a plain padded loop, as ratios within one run.

``--device cuda`` measures random-weight Qwen1.5 models on a GPU instead, see `gpu_steps`; so does
`gpu_acceptance`, which tries everything else on a GPU, too.

The plain loop is the Hugging Face Trainer in its own random order, with batches padded to their longest
row and logits of all positions; it runs once on the same stored features, and once with images encoded
in every step. Our loop is that of `paretoken train`. Rounds alternate, so that a change in the machine's
load affects all loops.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PrinterCallback, Trainer, TrainingArguments

from paretoken.cli import main as paretoken
from paretoken.commands.runtime import quiet
from paretoken.data.collation import TrainingCollator, VisualStore
from paretoken.data.encoded import read_encoded
from paretoken.data.features import FeatureStore, PixelStore
from paretoken.data.images import ImageSource
from paretoken.data.order import data_order, plan_batches
from paretoken.data.preprocessor import read_preprocessor
from paretoken.models.adapter import freeze_all_but, trainable_prefixes
from paretoken.models.assemble import Choice, FeatureLayers, assemble, attach_encoder
from paretoken.models.vision import load_encoder, read_vision_config
from paretoken.models.vlm import ParetokenModel
from paretoken.train.recipe import LearningRates, Recipe
from paretoken.train.speed import Spent
from paretoken.train.trainer import RowNumbers, StageTrainer
from paretoken.train.trainer_arguments import training_arguments
from timed_world import make_world

STEPS, BATCH, TOKENS, ROUNDS = 20, 16, 4, 3
RECIPE = Recipe(
    stage="finetune",
    learning_rates=LearningRates(projector=1e-3, llm=1e-3),
    global_batch=BATCH,
    micro_batch=BATCH,
    steps=STEPS,
    save_every=10**6,
    log_every=10**6,
)


class Plain(nn.Module):
    """The same model with the loss over the logits of all positions."""

    def __init__(self, model: ParetokenModel) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def forward(self, labels: torch.Tensor, **inputs: Any) -> dict[str, torch.Tensor]:
        """Return the loss."""
        logits = self.model(**inputs).logits[:, :-1].float()
        return {"loss": nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())}


def build(world: Path, encoder: bool) -> ParetokenModel:
    """Return a fresh model for stage 2."""
    layers = FeatureLayers((2, 3))
    token = read_encoded(world / "tokens").image_token_id
    choice = Choice("tokenpacker", TOKENS)
    model = assemble(world / "llm", read_vision_config(world / "vision"), choice, layers, token, 0)
    if encoder:
        attach_encoder(model, load_encoder(world / "vision", layers.layers, False))
    freeze_all_but(model, trainable_prefixes("finetune"))
    return model


def ours(world: Path) -> float:
    """Return tokens per CPU second of this project's loop."""
    data = read_encoded(world / "tokens")
    collator = TrainingCollator(data, FeatureStore(world / "features"), TOKENS, 0, 2048)
    plan, out = plan_batches(BATCH, BATCH, 1), world / "checkpoints"
    order = data_order(collator.lengths, STEPS, BATCH, 0, by_length=True)
    arguments = training_arguments(RECIPE, plan, STEPS, out, 0)
    arguments.set_save(strategy="no")
    model = build(world, encoder=False)
    trainer = StageTrainer(model, RECIPE, plan, order, collator, out, "", Spent(), arguments, [])
    started = time.process_time()
    trainer.train()
    return float(collator.lengths[order].sum()) / (time.process_time() - started)


def plain(world: Path, visual: VisualStore) -> float:
    """Return tokens per CPU second of the plain Trainer."""
    data = read_encoded(world / "tokens")
    collator = TrainingCollator(data, visual, TOKENS, 0, 2048)
    seen: list[int] = []

    def collate(numbers: list[int]) -> dict[str, Any]:
        seen.extend(numbers)
        return collator(numbers)

    arguments = TrainingArguments(
        output_dir=str(world / "plain"), max_steps=STEPS, per_device_train_batch_size=BATCH,
        report_to="none", disable_tqdm=True, save_strategy="no", remove_unused_columns=False,
        use_cpu=not torch.cuda.is_available(), dataloader_pin_memory=False, logging_steps=10**6,
    )  # fmt: skip
    model = Plain(build(world, encoder=visual.argument == "pixel_values"))
    trainer = Trainer(model, arguments, collate, train_dataset=RowNumbers(len(data)))
    trainer.remove_callback(PrinterCallback)
    started = time.process_time()
    trainer.train()
    return float(collator.lengths[seen[: STEPS * BATCH]].sum()) / (time.process_time() - started)


def main() -> None:
    """Run the measurement that the command line requests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--tiny", action="store_true", help="run the cuda measurement with tiny shapes")
    arguments = parser.parse_args()
    quiet()
    if arguments.tiny or arguments.device == "cuda":
        import gpu_steps

        gpu_steps.measure(arguments.device, arguments.tiny)
    else:
        compare_loops()


def compare_loops() -> None:
    """Print the throughputs of our loop and of the plain loops on a CPU, and their ratios."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        world = make_world(Path(name))
        data = str(world / "train.jsonl")
        vision, images = str(world / "vision"), str(world / "images")
        paretoken(["features", "--vision", vision, "--data", data, "--images", images,
                   "--out", str(world / "features")])  # fmt: skip
        paretoken(
            ["tokenize", "--data", data, "--llm", str(world / "llm"), "--out", str(world / "tokens")]
        )
        stored = FeatureStore(world / "features")
        pixels = PixelStore(ImageSource(world / "images"), read_preprocessor(world / "vision", "pad"))
        rounds = [(ours(world), plain(world, stored), plain(world, pixels)) for _ in range(ROUNDS)]
    for column, what in enumerate(("ours", "plain, stored features", "plain, images encoded")):
        print(f"{what}: {', '.join(f'{r[column]:.0f}' for r in rounds)} tokens per CPU second")
    for column, what in ((1, "stored features"), (2, "images encoded in every step")):
        ratio = statistics.median(r[0] / r[column] for r in rounds)
        print(f"ratio to plain with {what} (median): {ratio:.2f}")


if __name__ == "__main__":
    main()
