"""Questions about scenes as word ids; each question and each answer is one word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretoken.io.arrays import Numbers
from paretoken.world.facts import MOST_DIGITS, Ints, Relations, Scenes, World
from paretoken.world.world_settings import KINDS, NAME, READ, Kind


@dataclass(frozen=True)
class Questions:
    """Questions about n scenes, T turns each; every array is (n, T).

    ``question`` and ``answer`` are word ids; ``kind`` is an index in `KINDS`; ``held_out`` is True for
    facts that VQA training never asks for.
    """

    question: Ints
    answer: Ints
    kind: Ints
    held_out: NDArray[np.bool_]


def kind_shares(shares: Mapping[Kind, float]) -> Numbers:
    """Return the shares in the order of `KINDS`."""
    return np.array([shares.get(kind, 0.0) for kind in KINDS])


def ask(
    world: World, scenes: Scenes, kinds: Ints, rng: np.random.Generator, skip_held_out: bool
) -> Questions:
    """Return questions about scenes.

    All questions about text images are of the kind ``read``, and no others are: ``read`` and ``name``
    replace other ``kinds``.

    Args:
        world: the world of the facts.
        scenes: n scenes.
        kinds: (n, T), indices in `KINDS`.
        rng: generator of relations and colours.
        skip_held_out: whether to omit held-out facts, as in VQA training.
    """
    count, turns = kinds.shape
    kinds = np.where(scenes.text[:, None], READ, np.where(kinds == READ, NAME, kinds))
    icon = np.repeat(scenes.icon[:, None], turns, axis=1)
    drawn = rng.random((count, turns)) * np.maximum(scenes.digits, 1)[:, None]
    which = drawn.astype(np.int64)
    colour = np.take_along_axis(scenes.colours, which, axis=1)
    digit = np.take_along_axis(scenes.values, which, axis=1)
    words = world.words
    question = np.where(kinds == READ, words.colour + colour, words.what)
    answer = np.where(kinds == READ, words.digit + digit, words.icon + icon)
    held_out = np.zeros((count, turns), bool)
    for kind, facts in world.facts.items():
        at = kinds == kind
        relation = draw_relations(facts, icon[at], rng, skip_held_out)
        question[at] = facts.question + relation
        answer[at] = facts.answer + facts.table[icon[at], relation]
        held_out[at] = facts.held_out[icon[at], relation]
    return Questions(question, answer, kinds, held_out)


def draw_relations(facts: Relations, icon: Ints, rng: np.random.Generator, skip_held_out: bool) -> Ints:
    """Return a random relation for each icon, with the frequencies of Zipf's law."""
    drawn: Ints = rng.choice(len(facts.share), len(icon), p=facts.share)
    while skip_held_out:
        bad = facts.held_out[icon, drawn]
        if not bad.any():
            break
        drawn[bad] = rng.choice(len(facts.share), int(bad.sum()), p=facts.share)
    return drawn


def slot_words(world: World, scenes: Scenes, slots: int, rng: np.random.Generator) -> Ints:
    """Return words (n, slots) that describe scenes, in random order and padded with fillers.

    They are the text analogue of visual tokens: an icon is its name, a digit a tag such as ``red7``. If
    there are more digits than slots, the first ones are kept.
    """
    words = world.words
    out = np.full((len(scenes), slots), words.nothing)
    for number in range(min(MOST_DIGITS, slots)):
        tag = words.tag + 10 * scenes.colours[:, number] + scenes.values[:, number]
        out[:, number] = np.where(scenes.digits > number, tag, out[:, number])
    out[:, 0] = np.where(scenes.text, out[:, 0], words.icon + scenes.icon)
    return np.take_along_axis(out, np.argsort(rng.random(out.shape), axis=1), axis=1)


def dialogue(world: World, asked: Questions, slots: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return token ids (n, slots + 4 T) of text conversations, and which are learned.

    A turn is ``<user> question answer <end>``; the slots precede the first question. The chat template
    gives the same tokens (tested). There is no tag before the answer, because small models do not learn
    to attend from a tag to the question.
    """
    count, turns = asked.question.shape
    user, end = (np.full((count, turns), world.words.id[word]) for word in ("<user>", "<end>"))
    flat = np.stack([user, asked.question, asked.answer, end], axis=-1).reshape(count, 4 * turns)
    ids = np.concatenate([flat[:, :1], slots, flat[:, 1:]], axis=1)
    learned = np.tile(np.array([False, False, True, True]), turns)
    return ids, np.concatenate([learned[:1], np.zeros(slots.shape[1], bool), learned[1:]])
