"""Rules on lengths: whether an image and its text fit into what a model reads."""

from __future__ import annotations

from collections.abc import Iterator

from paretoken.errors import UserError
from paretoken.feasibility.backbones import local_config
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.feasibility.miniature import llm_recipe, world_settings
from paretoken.feasibility.recipes import STAGES, changes, readable_recipe

#: Tokens that a question and its answer take with a chat template at the least, and usually.
LEAST_TEXT, USUAL_TEXT = 64, 256
#: A turn of the miniature: who speaks, the question, the answer and its end.
MINIATURE_TURN = 4
#: Tokens of the longest answer of the miniature.
MINIATURE_ANSWER = 2


def images_fit_into_max_length(subject: Subject) -> Iterator[Finding]:
    """Find stages whose `max_length` leaves no room for text beside the largest number of tokens."""
    for stage in STAGES if subject.training is not None else ():
        recipe = readable_recipe(subject, stage)
        if recipe is None:
            continue
        changed = any(text.startswith("max_length=") for text in changes(subject, stage))
        key = f"training.{'overrides' if changed else 'recipes'}.{stage}"
        most, (least, usual) = subject.largest_tokens, _text(subject, stage)
        room = recipe.max_length - most
        if room < least:
            yield subject.finding(
                key,
                f"max_length = {recipe.max_length} has no room for {most} visual tokens and text, which "
                f"takes {least} or more; write {most + usual} or more, or take the larger tokens out of "
                "compressors",
                Kind.CONFIG if changed else Kind.FILE,
            )
        elif room < usual:
            yield subject.finding(
                key,
                f"max_length = {recipe.max_length} leaves {room} tokens for text beside {most} visual "
                f"tokens; conversations that are longer are cut: write {most + usual} or more",
                Kind.WARNING,
            )


def _text(subject: Subject, stage: str) -> tuple[int, int]:
    """Return the text tokens that a conversation takes at the least, and usually."""
    if subject.kind != "miniature":
        return LEAST_TEXT, USUAL_TEXT
    world = world_settings(subject)
    turns = 1 if world is None else getattr(world, stage).turns
    return MINIATURE_TURN, turns * MINIATURE_TURN


def models_read_max_length(subject: Subject) -> Iterator[Finding]:
    """Find stages and questions that are longer than the positions that a language model knows."""
    for stage in STAGES if subject.training is not None else ():
        recipe = readable_recipe(subject, stage)
        for place, positions in _positions(subject) if recipe is not None else ():
            if recipe is not None and recipe.max_length > positions:
                yield subject.elsewhere(
                    place,
                    f"the model reads {positions} tokens at most, and {stage} of study "
                    f"{subject.study.name} has max_length = {recipe.max_length}; write {positions} or "
                    "less there",
                    Kind.FILE,
                )
    longest = max(getattr(subject.training, "lengthened", []), default=None)
    recipe_of_llm = llm_recipe(subject) if subject.kind == "miniature" else None
    if longest is None or recipe_of_llm is None:
        return
    needed = longest + subject.largest_tokens + MINIATURE_ANSWER
    if needed > recipe_of_llm.positions:
        yield subject.finding(
            "training.lengthened",
            f"a question of {longest} text tokens, {subject.largest_tokens} visual tokens and the "
            f"answer take {needed} tokens, and the language models read {recipe_of_llm.positions} "
            "(positions in the recipe llm); write smaller numbers, or more positions",
            Kind.FILE,
        )


def _positions(subject: Subject) -> Iterator[tuple[str, int]]:
    """Yield places and how many tokens the language model there reads, where that is known."""
    if subject.kind == "miniature":
        recipe = llm_recipe(subject)
        if recipe is not None:
            yield f"studies[{subject.index}].training.recipes.llm", recipe.positions
        return
    for llm in subject.study.llms:
        try:
            config = local_config(subject.frozen.llm(llm).hub) or {}
        except UserError:
            continue
        positions = config.get("max_position_embeddings")
        if isinstance(positions, int) and not isinstance(positions, bool):
            yield f"{subject.llm_place(llm)}.hub", positions
