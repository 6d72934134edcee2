"""Rules on recipes: whether they are valid with the study's overrides, and suit GPUs and devices."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from paretoken.errors import UserError
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.plan.from_config import stage_recipe
from paretoken.plan.resources import GPUS_PER_NODE
from paretoken.train.deepspeed_file import read_deepspeed_file
from paretoken.train.recipe import Recipe, Stage, read_recipe

STAGES: tuple[Stage, ...] = get_args(Stage)


def recipes_can_be_read(subject: Subject) -> Iterator[Finding]:
    """Find recipes that are missing or invalid, by themselves or with the study's overrides."""
    for stage in STAGES if subject.training is not None else ():
        yield from _repeated_changes(subject, stage)
        try:
            stage_recipe(subject.training, stage)
        except UserError as error:
            changed = changes(subject, stage) and _is_valid_alone(subject, stage)
            key, kind = ("overrides", Kind.CONFIG) if changed else ("recipes", Kind.FILE)
            yield subject.finding(f"training.{key}.{stage}", one_line(error), kind)


def changes(subject: Subject, stage: Stage) -> list[str]:
    """Return a study's overrides of the recipe of a stage."""
    return list(getattr(subject.training.overrides, stage))


def one_line(error: UserError) -> str:
    """Return a message that has one line per problem as one line."""
    head, *lines = str(error).splitlines()
    return f"{head} {'; '.join(line.strip(' -') for line in lines)}" if lines else head


def readable_recipe(subject: Subject, stage: Stage) -> Recipe | None:
    """Return the recipe of a stage with the study's overrides; None if it cannot be read."""
    try:
        return stage_recipe(subject.training, stage)
    except UserError:
        return None


def _is_valid_alone(subject: Subject, stage: Stage) -> bool:
    try:
        read_recipe(Path(getattr(subject.training.recipes, stage)), stage)
    except UserError:
        return False
    return True


def _repeated_changes(subject: Subject, stage: Stage) -> Iterator[Finding]:
    keys = Counter(text.partition("=")[0] for text in changes(subject, stage))
    for key, count in keys.items():
        if count > 1:
            yield subject.finding(
                f"training.overrides.{stage}", f"{key} appears {count} times; write it once"
            )


def gpus_divide_the_batch(subject: Subject) -> Iterator[Finding]:
    """Find numbers of GPUs that do not divide a step's conversations, or that nodes do not divide."""
    for stage in STAGES if subject.training is not None else ():
        recipe = readable_recipe(subject, stage)
        for llm in subject.study.llms if recipe is not None else ():
            record, place = subject.frozen.llm(llm), f"{subject.llm_place(llm)}.gpus.{stage}"
            if subject.generated and "gpus" not in record.model_fields_set:
                continue  # its jobs request no GPUs
            gpus, batch = getattr(record.gpus, stage), recipe.global_batch if recipe else 1
            if batch % gpus:
                allowed = [n for n in range(1, 2 * gpus + 1) if batch % n == 0]
                yield subject.elsewhere(
                    place,
                    f"{gpus} GPUs do not divide the {batch} conversations of a step of study "
                    f"{subject.study.name} (global_batch); write one of "
                    f"{', '.join(map(str, allowed))}, or change global_batch",
                )
            nodes = math.ceil(gpus / GPUS_PER_NODE)
            if gpus % nodes:
                yield subject.elsewhere(
                    place,
                    f"{gpus} GPUs cannot be spread evenly over {nodes} nodes of {GPUS_PER_NODE}; "
                    f"write a multiple of {nodes}",
                )


def answers_use_one_gpu(subject: Subject) -> Iterator[Finding]:
    """Find unused GPUs: one process answers a benchmark's questions, on one GPU."""
    for llm in subject.study.llms if subject.training is not None else ():
        gpus = subject.frozen.llm(llm).gpus.predict
        if gpus > 1:
            yield subject.elsewhere(
                f"{subject.llm_place(llm)}.gpus.predict",
                f"{gpus} GPUs are requested, but a job that answers a benchmark uses one; write 1, or "
                "take it out (each benchmark has its own job, and they run in parallel)",
            )


def recipes_fit_their_devices(subject: Subject) -> Iterator[Finding]:
    """Find requirements of a recipe that devices or installed packages do not meet."""
    for stage in STAGES if subject.training is not None else ():
        recipe, key = readable_recipe(subject, stage), f"training.recipes.{stage}"
        if recipe is None:
            continue
        if recipe.attention.startswith("flash") and recipe.precision != "bf16":
            yield subject.finding(
                key,
                f"attention: {recipe.attention} needs precision: bf16, but the recipe has "
                f"{recipe.precision}; write attention: auto, or precision: bf16",
                Kind.FILE,
            )
        if recipe.micro_batch == "auto" and recipe.memory_gib is None and subject.generated:
            yield subject.finding(
                key,
                "micro_batch: auto needs a GPU, or memory_gib in the recipe; write a number if the "
                "study is trained without GPUs",
                Kind.WARNING,
            )
        if recipe.deepspeed is not None:
            yield from _deepspeed(subject, stage, recipe.deepspeed)


def _deepspeed(subject: Subject, stage: Stage, name: str) -> Iterator[Finding]:
    key = f"training.recipes.{stage}"
    try:
        read_deepspeed_file(Path(getattr(subject.training.recipes, stage)).parent / name)
    except UserError as error:
        yield subject.finding(key, f"deepspeed: {one_line(error)}", Kind.FILE)
    if subject.generated and find_spec("deepspeed") is None:
        yield subject.finding(
            key,
            "the recipe trains with DeepSpeed, which is not installed here; run `pip install -c "
            "constraints.txt 'paretoken[deepspeed]'`, or write deepspeed: null",
            Kind.WARNING,
        )
