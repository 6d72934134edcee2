"""Rules on lengths: whether an image and its text fit into a model's context."""

from __future__ import annotations

from collections.abc import Iterator

from paretoken.errors import UserError
from paretoken.feasibility.backbones import local_config
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.feasibility.generated import llm_recipe, world_settings
from paretoken.feasibility.recipes import STAGES, changes, readable_recipe
from paretoken.io.text_tables import counted, visual_tokens
from paretoken.model_files.positions import positions_of
from paretoken.registry import BENCHMARKS

#: Text tokens of a question and its answer with a chat template: the minimum, and a usual number.
LEAST_TEXT, USUAL_TEXT = 64, 256
#: A lower bound for the text tokens of a benchmark's longest question, its template included.
LEAST_QUESTION = 32
#: Tokens of a turn of the miniature: the speaker, the question, the answer and its end.
MINIATURE_TURN = 4
#: Tokens of the longest answer of the miniature.
MINIATURE_ANSWER = 2


def images_fit_into_max_length(subject: Subject) -> Iterator[Finding]:
    """Find stages whose `max_length` leaves too little room for text beside the visual tokens."""
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
                f"max_length = {recipe.max_length} has no room for {visual_tokens(most)} and text, "
                f"which takes {least} or more; write {most + usual} or more, or take the larger tokens "
                "out of compressors",
                Kind.CONFIG if changed else Kind.FILE,
            )
        elif room < usual:
            yield subject.finding(
                key,
                f"max_length = {recipe.max_length} leaves {counted(room, 'token')} for text beside "
                f"{visual_tokens(most)}, and longer conversations are truncated; write "
                f"{most + usual} or more",
                Kind.WARNING,
            )


def _text(subject: Subject, stage: str) -> tuple[int, int]:
    """Return the least and the usual number of text tokens of a conversation."""
    if not subject.generated:
        return LEAST_TEXT, USUAL_TEXT
    world = world_settings(subject)
    turns = 1 if world is None else getattr(world, stage).turns
    return MINIATURE_TURN, turns * MINIATURE_TURN


def models_read_max_length(subject: Subject) -> Iterator[Finding]:
    """Find stages and questions that are longer than the positions of a language model."""
    for stage in STAGES if subject.training is not None else ():
        recipe = readable_recipe(subject, stage)
        for place, positions in _positions(subject) if recipe is not None else ():
            if recipe is not None and recipe.max_length > positions:
                yield subject.elsewhere(
                    place,
                    f"the model reads {positions} tokens at most, but {stage} of study "
                    f"{subject.study.name} has max_length = {recipe.max_length}; write {positions} or "
                    "less there",
                    Kind.FILE,
                )
    training = subject.training
    longest = max(training.lengthened, default=None) if training else None
    if longest is None or not subject.generated:
        return
    needed = longest + subject.largest_tokens + MINIATURE_ANSWER
    for place, positions in _positions(subject):
        if needed > positions:
            yield subject.finding(
                "training.lengthened",
                f"a question of {longest} text tokens, {subject.largest_tokens} visual tokens and the "
                f"answer take {needed} tokens, but the language models read {positions} (positions in "
                f"{place}); write smaller numbers, or more positions",
                Kind.FILE,
            )


def answers_fit_into_positions(subject: Subject) -> Iterator[Finding]:
    """Find benchmarks whose questions and longest answers do not fit into a language model's positions.

    `paretoken predict` rejects them, see `evaluate.prediction`. Questions that may not fit because they
    can show several images get a warning.
    """
    if not subject.fetched:
        return
    tokens = max(V for entry in subject.study.compressors for V in entry.tokens)
    for place, positions in _positions(subject):
        for name, longest, pictures in _asked(subject):
            around = longest + LEAST_QUESTION
            what = (
                f"the model reads {positions} tokens at most, and {name} of study {subject.study.name} "
                f"has {{}} visual tokens, answers of up to {longest} and questions of {LEAST_QUESTION} "
                f"or more: {{}}; use a model with more positions, or take {name} out of suites, or the "
                "larger tokens out of compressors"
            )
            if tokens + around > positions:
                yield subject.elsewhere(place, what.format(tokens, tokens + around), Kind.FILE)
            elif pictures * tokens + around > positions:
                shown = f"for the {pictures} pictures that a question can show {pictures} x {tokens}"
                total = pictures * tokens + around
                yield subject.elsewhere(place, what.format(shown, total), Kind.WARNING)


def _asked(subject: Subject) -> Iterator[tuple[str, int, int]]:
    """Yield a study's benchmarks, each with its longest answer and its most images per question.

    The numbers are those of the variant that the job asks; benchmarks of other harnesses are skipped.
    """
    for name in subject.study.benchmarks:
        own = subject.training.settings(name)
        if own.harness != "paretoken":
            continue
        try:
            benchmark = BENCHMARKS.load(name).variant(own.questions)
        except UserError:  # the rule on variants reports it
            continue
        if benchmark.hub is not None:
            yield name, benchmark.max_new_tokens, max(1, len(benchmark.hub.images))


def _positions(subject: Subject) -> Iterator[tuple[str, int]]:
    """Yield the places of language models and the tokens that they read, where that is known."""
    recipes: dict[str, tuple[str, int]] = {}
    for llm in subject.study.llms if subject.generated else ():
        record = subject.frozen.llm(llm)
        recipe = llm_recipe(record)
        if recipe is not None and record.make is not None:
            place = f"{subject.llm_place(llm)}.make.recipe"
            recipes.setdefault(record.make.recipe, (place, recipe.positions))
    yield from recipes.values()  # models share recipes
    for llm in subject.study.llms if subject.fetched else ():
        try:
            config = local_config(subject.frozen.llm(llm).hub) or {}
        except UserError:
            continue
        positions = positions_of(config)
        if positions is not None:
            yield f"{subject.llm_place(llm)}.hub", positions
