"""The text that the miniature's language models are trained on, generated on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from paretoken.world.facts import Ints, World
from paretoken.world.world_questions import ask, dialogue, kind_shares, slot_words
from paretoken.world.world_settings import KINDS, READ, Kind


@dataclass(frozen=True)
class TextBatch:
    """Token ids (rows, length) of conversations, and which columns are learned (length,)."""

    ids: Ints
    learned: NDArray[np.bool_]

    def without_end(self) -> TextBatch:
        """Return the batch without its last token, the end of the last answer."""
        return TextBatch(self.ids[:, :-1], self.learned[:-1])


def draw_text(
    world: World,
    rng: np.random.Generator,
    rows: int,
    turns: int,
    slots: int,
    kinds: Mapping[Kind, float],
    text_share: float,
) -> TextBatch:
    """Return random conversations about scenes that are described in words.

    Args:
        world: the world of the facts; held-out facts are included, as only VQA training omits them.
        rng: generator of all draws.
        rows: number of conversations.
        turns: questions per conversation.
        slots: number of words that describe a scene (1: the icon's name alone).
        kinds: shares of the kinds of questions about objects.
        text_share: share of scenes with digits.
    """
    scenes = world.scenes(rows, rng, text_share)
    shown = replace(scenes, digits=np.minimum(scenes.digits, slots))
    drawn = rng.choice(len(KINDS), (rows, turns), p=kind_shares(kinds))
    asked = ask(world, shown, drawn, rng, skip_held_out=False)
    ids, learned = dialogue(world, asked, slot_words(world, shown, slots, rng))
    return TextBatch(ids, learned)


def draw_exam(world: World, rng: np.random.Generator, rows: int, slots: int, kind: Kind) -> TextBatch:
    """Return a question of one kind per random scene, each described by ``slots`` words."""
    share = float(KINDS.index(kind) == READ)
    return draw_text(world, rng, rows, 1, slots, {kind: 1.0}, text_share=share).without_end()
