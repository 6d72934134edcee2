"""Rules on lengths: whether an image and its text fit into what a model reads."""

from __future__ import annotations

from collections.abc import Iterator

from paretoken.errors import UserError
from paretoken.feasibility.backbones import local_config
from paretoken.feasibility.findings import Finding, Kind, Subject
from paretoken.feasibility.generated import llm_recipe, world_settings
from paretoken.feasibility.recipes import STAGES, changes, readable_recipe
from paretoken.model_files.positions import positions_of
from paretoken.registry import BENCHMARKS

#: Tokens that a question and its answer take with a chat template at the least, and usually.
LEAST_TEXT, USUAL_TEXT = 64, 256
#: Text tokens that the longest question of a benchmark has at the least, its template included.
LEAST_QUESTION = 32
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
    if not subject.generated:
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
                f"answer take {needed} tokens, and the language models read {positions} (positions in "
                f"{place}); write smaller numbers, or more positions",
                Kind.FILE,
            )


def answers_fit_into_positions(subject: Subject) -> Iterator[Finding]:
    """Find benchmarks whose questions and longest answers do not fit into a language model's positions.

    `paretoken predict` refuses them, see `evaluate.prediction`. It warns of questions that can show so
    many pictures that they do not fit.
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
                f"or more: {{}}; take a model with more positions, {name} out of suites, or the larger "
                "tokens out of compressors"
            )
            if tokens + around > positions:
                yield subject.elsewhere(place, what.format(tokens, tokens + around), Kind.FILE)
            elif pictures * tokens + around > positions:
                shown = f"for the {pictures} pictures that a question can show {pictures} x {tokens}"
                total = pictures * tokens + around
                yield subject.elsewhere(place, what.format(shown, total), Kind.WARNING)


def _asked(subject: Subject) -> Iterator[tuple[str, int, int]]:
    """Yield a study's benchmarks with their longest answer, and the most pictures of a question.

    As the job finds them: those of its convention; other harnesses have numbers of their own.
    """
    for name in subject.study.benchmarks:
        own = subject.training.settings(name)
        if own.harness != "paretoken":
            continue
        try:
            benchmark = BENCHMARKS.load(name).variant(own.questions)
        except UserError:  # the rule on variants tells why
            continue
        if benchmark.hub is not None:
            yield name, benchmark.max_new_tokens, max(1, len(benchmark.hub.images))


def _positions(subject: Subject) -> Iterator[tuple[str, int]]:
    """Yield places and how many tokens the language model there reads, where that is known."""
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
