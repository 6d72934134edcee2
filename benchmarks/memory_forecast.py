"""Compare the memory that `paretoken plan` forecasts with traces of real training steps, as a table.

    python benchmarks/memory_forecast.py [--study paper] [--tokens 1 144 576] [--llms NAME ...]

For each language model of a study, number of visual tokens and stage, one step of the micro batch that
is planned for the config's device runs on fake tensors (`traced_step`). A ratio above 1 means that more
is forecast than the step takes. It needs a few seconds per step, no GPU, and no weights.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from paretoken.config.config import load
from paretoken.config.devices import device as known_device
from paretoken.costs.activation_memory import MicroBatch, activation_cost
from paretoken.costs.gpu_memory import GIB
from paretoken.io.text_tables import aligned
from paretoken.models.assemble import Choice
from paretoken.plan import from_config
from paretoken.plan.layout import Layout, layout
from paretoken.plan.stage_estimate import model_of, training_set
from paretoken.plan.stage_work import training_work
from paretoken.study.grid import cells
from paretoken.train.recipe import Recipe
from traced_step import Trace, traced


@dataclass(frozen=True)
class Step:
    """A training step: its model, recipe and layout, and its trace."""

    llm: str
    compressor: str
    tokens: int
    stage: str
    way: Layout
    recipe: Recipe

    def trace(self) -> Trace:
        """Run it on fake tensors."""
        trainee = self.way.trainee
        assert trainee.vision is not None
        assert trainee.vision.encoder is not None
        return traced(
            trainee.llm,
            trainee.vision.encoder,
            Choice(self.compressor, self.tokens),
            self.recipe,
            self.way.micro,
            zero=self.way.split.zero > 0,
        )


def terms(step: Step, trace: Trace) -> dict[str, tuple[float, float]]:
    """Return forecast and trace of each term, in bytes."""
    micro = step.way.micro
    cost = activation_cost(step.way.trainee, step.way.split.zero)
    return {
        "encoder": (cost.encoding.of(micro), trace.peaks["encoding"]),
        "logits": (cost.loss.of(micro), trace.peaks["loss"]),
        "backward": (cost.backward.of(micro), trace.peaks["backward"]),
        "peak": (cost.of(micro), trace.peak),
        "compressor": (cost.adapter * micro.images, trace.adapter),
        "optimiser": (2 * 4 * step.way.trainee.trained, trace.optimizer),
    }


def planned(study_name: str, llms: list[str], tokens: list[int]) -> Iterator[Step]:
    """Yield the steps of a study."""
    config = load(Path("config.yaml"))
    (study,) = [study for study in config.studies if study.name == study_name]
    training, frozen = from_config.training_of(study), config.freeze(study_name)
    for cell in cells(study):
        if cell.tokens not in tokens or (llms and cell.llm not in llms):
            continue
        for stage in ("pretrain", "finetune"):
            recipe, (model, _) = from_config.stage_recipe(training, stage), model_of(frozen, cell)
            work = training_work(
                model, training_set(frozen, cell, stage), stage == "finetune", recipe.global_batch,
                recipe.max_length, recipe.steps, recipe.epochs,
            )  # fmt: skip
            gpus = getattr(frozen.llm(cell.llm).gpus, stage)
            zero = from_config.zero_of(training, stage)
            way = layout(work, model, recipe, gpus, zero, known_device(config.device))
            micro = whole(way.micro)
            yield Step(cell.llm, cell.compressor, cell.tokens, stage, replace(way, micro=micro), recipe)


def whole(micro: MicroBatch) -> MicroBatch:
    """Return a micro batch in whole numbers."""
    return MicroBatch(
        conversations=micro.conversations,
        rows=math.ceil(micro.rows),
        length=math.ceil(micro.length),
        learned=math.ceil(micro.learned),
        images=max(1, math.ceil(micro.images)),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--study", default="paper")
    parser.add_argument("--llms", nargs="*", default=[])
    parser.add_argument("--tokens", nargs="*", type=int, default=[1, 144, 576])
    options = parser.parse_args()
    rows = []
    for step in planned(options.study, options.llms, options.tokens):
        for term, (forecast, found) in terms(step, step.trace()).items():
            rows.append(
                [
                    step.llm, str(step.tokens), step.stage, term, f"{forecast / GIB:.2f}",
                    f"{found / GIB:.2f}", f"{forecast / found:.2f}",
                ]
            )  # fmt: skip
    header = ["llm", "V", "stage", "term", "forecast GiB", "trace GiB", "ratio"]
    print(aligned(header, rows, [False, True, False, False, True, True, True]))


if __name__ == "__main__":
    main()
