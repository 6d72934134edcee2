"""`paretoken train`: train one stage of one cell. The same command resumes an interrupted run.

On one device, run ``paretoken train ...``. On several, run ``paretoken launch --gpus 4 -- train ...``,
which uses all nodes of a SLURM job, or torchrun itself: ``torchrun --standalone --nproc-per-node 4 -m
paretoken train``. Except for rounding, the result does not depend on the number of devices. ``SIGUSR1``
stops a run: after the current step it writes a checkpoint, from which the same command resumes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import seed, share, threads
from paretoken.commands.runtime import limit_threads, quiet
from paretoken.commands.shared_arguments import add_changes
from paretoken.commands.token_arguments import add_choice_arguments
from paretoken.io.text_tables import counted
from paretoken.slurm.allocation import own_log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--stage",
        choices=("pretrain", "finetune"),
        required=True,
        help="pretrain: projector and compressor; finetune: the LLM too",
    )
    parser.add_argument("--recipe", type=Path, required=True, help="how to train, a YAML file")
    add_changes(parser, "--set", "the recipe: learning_rates.llm=3e-3")
    sources = parser.add_argument_group("sources")
    sources.add_argument("--llm", type=Path, required=True, help="folder of the language model")
    sources.add_argument("--vision", type=Path, required=True, help="folder of the vision encoder")
    sources.add_argument("--tokenized", type=Path, required=True, help="folder of `paretoken tokenize`")
    images = sources.add_mutually_exclusive_group()
    images.add_argument("--features", type=Path, help="folder of `paretoken features`")
    images.add_argument(
        "--images",
        type=Path,
        help="or: a folder of image files, or a data set whose rows hold them "
        "(.parquet, save_to_disk); encoded while training",
    )
    sources.add_argument(
        "--aspect",
        choices=("pad", "crop"),
        help="how an image becomes square (default with --images: pad; "
        "--features record how they were made)",
    )
    sources.add_argument(
        "--normalise",
        action="store_true",
        help="with --images: each layer to mean 0 and variance 1 per patch",
    )
    sources.add_argument(
        "--adapter", type=Path, help="for finetune: the `adapter` folder that pretrain wrote"
    )
    sources.add_argument(
        "--max-bad-share",
        type=share,
        default=0.0,
        help="largest share, from 0 to 1, of conversations without a labelled token "
        "within max_length, and of unreadable images; both are left out and "
        "listed in run.json",
    )
    cell = parser.add_argument_group("cell")
    add_choice_arguments(cell)
    cell.add_argument(
        "--seed", type=seed, default=0, metavar="S", help="random seed of new weights and order of data"
    )
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def run(arguments: argparse.Namespace) -> None:
    """Train the stage."""
    own_log()
    from paretoken.train.recipe import read_recipe

    a = arguments
    recipe = read_recipe(a.recipe, a.stage, a.set)  # before the slow imports, to report errors early
    quiet()
    limit_threads(a.threads)
    from paretoken.compressors.specification import specification
    from paretoken.models.assemble import Choice
    from paretoken.train.stage import StageInputs, run_stage

    layers = None if a.layers is None else tuple(a.layers)
    facts = specification(a.compressor)
    choice = Choice(  # with the compressor's constants, so that the run's key depends on them
        a.compressor,
        a.tokens,
        layers,
        facts.query_layer if a.query_layer is None else a.query_layer,
        a.compressor_heads or facts.heads,
        a.init_std,
        a.projector_width,
        a.whiten,
    )
    deepspeed = None if recipe.deepspeed is None else a.recipe.parent / recipe.deepspeed
    inputs = StageInputs(
        llm=a.llm, vision=a.vision, data=a.tokenized, out=a.out, choice=choice, seed=a.seed,
        features=a.features, images=a.images, aspect=a.aspect, normalise=a.normalise, adapter=a.adapter,
        deepspeed=deepspeed, max_bad_share=a.max_bad_share,
    )  # fmt: skip
    record = run_stage(inputs, recipe)
    if record:
        loss = f", loss {record['loss'][-1][1]:.4f}" if record["loss"] else ""
        print(
            f"{a.stage}: {counted(record['steps'], 'step')}{loss}, {record['wall_s']:.1f} s "
            f"({record['cpu_s']:.1f} s CPU), {record['training_flops']:.3g} FLOPs"
        )
