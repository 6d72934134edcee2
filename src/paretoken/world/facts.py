"""The facts of the miniature world, and scenes in it; both depend on seeds only.

An *object* image shows one bright icon, which questions are about, among dim ones; a *text* image shows
digits in distinct colours. Facts are random relations between an icon and a value, so they can only be
memorised. The frequencies of relations in questions follow Zipf's law, so a larger language model, which
knows more of the tail, makes fewer errors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from paretoken.errors import UserError
from paretoken.io.arrays import Numbers
from paretoken.world.vocabulary import COLOURS, Vocabulary
from paretoken.world.world_settings import FACT, NUMBER, PROPERTY, WorldSettings

#: In pixels: sides of an image, a patch and an object's box, and the raster of the boxes' positions.
SIZE, PATCH, BOX, RASTER = 48, 8, 6, 4
GRID = SIZE // PATCH
MOST_DIGITS, MOST_CLUTTER = 6, 4
OBJECTS = 1 + MOST_DIGITS + MOST_CLUTTER

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Relations:
    """All facts of one kind.

    Attributes:
        question: id of the word of relation 0.
        answer: id of the word of answer 0.
        table: (icons, relations), index of the answer.
        share: (relations,), share of each relation in questions.
        held_out: (icons, relations), True for facts that VQA training never asks for.
    """

    question: int
    answer: int
    table: Ints
    share: Numbers
    held_out: NDArray[np.bool_]


@dataclass(frozen=True)
class Scenes:
    """The content of n images; every array has n rows.

    Attributes:
        text: (n,), True for a text image.
        icon: (n,), the icon that questions are about (object images).
        digits: (n,), number of digits; 0 in object images.
        clutter: (n,), number of dim icons; 0 in text images.
        colours: (n, 6), a permutation of the colours, of which the first ``digits`` are used.
        values: (n, 6), the digit of each of these colours.
        others: (n, 4), the dim icons; never the icon itself.
        places: (n, 11, 2), row and column in pixels of icon, digits and dim icons.
    """

    text: NDArray[np.bool_]
    icon: Ints
    digits: Ints
    clutter: Ints
    colours: Ints
    values: Ints
    others: Ints
    places: Ints

    def __len__(self) -> int:
        return len(self.icon)

    def take(self, rows: Ints) -> Scenes:
        """Return some of the scenes."""
        return Scenes(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class World:
    """A world of icons, words and facts.

    Args:
        settings: numbers of icons, words and facts.
        seed: seed of the world.

    Raises:
        UserError: all facts about some icon are held out.
    """

    def __init__(self, settings: WorldSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.words = words = Vocabulary(settings)
        rng = np.random.default_rng([seed, 11])
        self.patterns = icon_patterns(rng, settings.icons)
        kinds = {
            FACT: (words.relation, words.value, settings.relations, settings.values),
            NUMBER: (words.numeric, words.digit, settings.numeric, 10),
            PROPERTY: (words.property, words.no, settings.properties, 2),
        }
        self.facts = {kind: self._facts(rng, *sizes) for kind, sizes in kinds.items()}

    def _facts(
        self, rng: np.random.Generator, question: int, answer: int, relations: int, answers: int
    ) -> Relations:
        shape = (self.settings.icons, relations)
        share = (np.arange(relations) + self.settings.shift) ** -self.settings.zipf
        table = rng.integers(0, answers, shape)
        held_out = rng.random(shape) < self.settings.held_out
        if held_out.all(axis=1).any():
            raise UserError(
                f"held_out = {self.settings.held_out} leaves an icon without any of its {relations} "
                "facts to train on; lower held_out, or raise the number of relations"
            )
        return Relations(question, answer, table, share / share.sum(), held_out)

    def scenes(self, count: int, rng: np.random.Generator, text_share: float) -> Scenes:
        """Return random scenes, a share of them text images."""
        world = self.settings
        text = rng.random(count) < text_share
        icon = rng.integers(0, world.icons, count)
        return Scenes(
            text=text,
            icon=icon,
            digits=(1 + rng.choice(len(world.digits), count, p=world.digits)) * text,
            clutter=rng.choice(len(world.clutter), count, p=world.clutter) * ~text,
            colours=np.argsort(rng.random((count, len(COLOURS))), axis=1),
            values=rng.integers(0, 10, (count, MOST_DIGITS)),
            others=(icon[:, None] + rng.integers(1, world.icons, (count, MOST_CLUTTER))) % world.icons,
            places=_places(rng, count),
        )


def icon_patterns(rng: np.random.Generator, count: int) -> Numbers:
    """Return icons (count, 3, 3, 3) of 3 x 3 RGB cells; any two differ in at least five cells."""
    tints = np.array([(0, 0, 0), (1, 1, 1), (1, 0.55, 0), (0.6, 0.1, 1)])
    found: list[Ints] = []
    while len(found) < count:
        cells = rng.integers(0, 4, 9)
        if (cells > 0).sum() >= 6 and all((cells != other).sum() >= 5 for other in found):
            found.append(cells)
    return tints[np.array(found)].reshape(count, 3, 3, 3)


def _places(rng: np.random.Generator, count: int) -> Ints:
    """Return random positions of objects (count, objects, 2) whose boxes do not overlap."""
    slots = (SIZE - BOX) // RASTER + 1
    places = rng.integers(0, slots, (count, OBJECTS, 2)) * RASTER
    for number in range(1, OBJECTS):
        while True:
            apart = np.abs(places[:, number : number + 1] - places[:, :number])
            taken = (apart < BOX).all(-1).any(1)
            if not taken.any():
                break
            places[taken, number] = rng.integers(0, slots, (int(taken.sum()), 2)) * RASTER
    return places
