"""The words of the miniature world; every question and every answer is one word."""

from __future__ import annotations

from collections.abc import Iterable

from paretoken.world.world_settings import WorldSettings

PAD, UNKNOWN, USER, END, IMAGE = SPECIALS = ("<pad>", "<unk>", "<user>", "<end>", "<image>")

#: Colours of digits, as RGB from 0 to 1.
COLOURS = {
    "red": (1.0, 0.1, 0.1),
    "green": (0.1, 0.9, 0.1),
    "blue": (0.25, 0.35, 1.0),
    "yellow": (1.0, 0.95, 0.1),
    "cyan": (0.1, 0.9, 0.95),
    "magenta": (1.0, 0.2, 0.9),
}


class Vocabulary:
    """The words, and the first id of each kind of word; word k of a kind has the id ``first + k``."""

    def __init__(self, settings: WorldSettings) -> None:
        self.words = [*SPECIALS, "nothing", "what", "no", "yes"]
        self.nothing, self.what, self.no = 5, 6, 7
        self.icon = self._add(f"icon{i}" for i in range(settings.icons))
        self.relation = self._add(f"rel{i}" for i in range(settings.relations))
        self.numeric = self._add(f"num{i}" for i in range(settings.numeric))
        self.property = self._add(f"prop{i}" for i in range(settings.properties))
        self.value = self._add(f"val{i}" for i in range(settings.values))
        self.digit = self._add(str(i) for i in range(10))
        self.colour = self._add(COLOURS)
        #: Words for coloured digits in text, such as `red7`.
        self.tag = self._add(f"{colour}{digit}" for colour in COLOURS for digit in range(10))
        self.id = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def _add(self, words: Iterable[str]) -> int:
        start = len(self.words)
        self.words.extend(words)
        return start
