"""Make one change at a time to JSON-like documents: rows, configs, recipes, manifests."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

Place = tuple[str | int, ...]

LONG = "word " * 4000
#: Texts that occur in real files, or that somebody might hide in them.
ODD_TEXTS = (
    "",
    " ",
    "\t\n",
    LONG,
    "\ud83d",
    "cut \ud800 here",
    "\x00",
    "nul\x00inside",
    "\u202ereversed",
    "e\u0301",
    "\ufeffmark",
    "\u00a0",
    "\u200b",
    "日本語",
    "🙂",
    "2",
    "-1",
    "1998",
    "9" * 400,
    "1e999",
    "<image>",
    "<image>\n<image>",
    "<image 1>",
    "<|im_end|>",
    "</s>",
    "None",
    "nan",
    "null",
    "true",
    "../../outside.jpg",
    "/etc/hostname",
    "folder\\name.jpg",
    "C:\\name.png",
    "~/name.jpg",
    "[",
    "{}",
    "%s",
    "{0}",
    "'",
    '"',
    "a\r\nb",
    "\u2028",
    "no such name",
)
ODD_NUMBERS = (0, -1, 0.5, 1e308, 10**30, 2**63, float("nan"), float("inf"), float("-inf"), 1e-320)
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    7,
    0.5,
    float("nan"),
    float("inf"),
    10**30,
    [],
    {},
    [[]],
    [None],
    {"a": None},
    "",
    "text",
    ["text"],
    [["text"]],
)
#: Names that people write for a key. Other keys get an s, lose their end, or change their case.
LOOK_ALIKES = {
    "image": ("images", "Image", "img", "image_path"),
    "conversations": ("conversation", "Conversations", "messages"),
    "from": ("role", "From"),
    "value": ("content", "text", "Value"),
    "answer": ("answers", "Answer", "label"),
    "answers": ("answer", "Answers"),
    "question": ("questions", "Question", "text"),
    "prediction": ("predictions", "Prediction", "response", "text"),
    "question_id": ("questionId", "questionid", "id"),
}


@dataclass(frozen=True)
class Change:
    """A change of one value, and its place.

    Attributes:
        kind: one of the names in `KINDS`.
        place: keys and indices from the top of the document.
        before: the value before the change.
        after: the value after it, or the new name of a renamed key; None for a dropped value.
    """

    kind: str
    place: Place
    before: Any
    after: Any = None

    def __str__(self) -> str:
        way = ".".join(map(str, self.place))
        return f"{self.kind} at {way}: {_short(self.before)} -> {_short(self.after)}"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def places(document: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every place below the top of a document, with its value."""
    items: Sequence[tuple[str | int, Any]] = ()
    if isinstance(document, dict):
        items = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document))
    for key, value in items:
        yield (*place, key), value
        yield from places(value, (*place, key))


def parent(document: Any, place: Place) -> Any:
    """Return the list or dict that contains a place."""
    for key in place[:-1]:
        document = document[key]
    return document


def _drop(rng: Random, holder: Any, key: Any) -> Any:
    del holder[key]


def _rename(rng: Random, holder: Any, key: Any) -> Any:
    if not isinstance(holder, dict) or not isinstance(key, str):
        raise _NotHereError
    cased = key.upper() if key != key.upper() else key.lower()
    names = LOOK_ALIKES.get(key, (f"{key}s", key[:-1] or "x", key.capitalize(), cased))
    free = [name for name in names if name not in holder]
    if not free:
        raise _NotHereError
    name = rng.choice(free)
    renamed = {name if old == key else old: value for old, value in holder.items()}
    holder.clear()
    holder.update(renamed)
    return name


def _repeat(rng: Random, holder: Any, key: Any) -> Any:
    if not isinstance(holder, list):
        raise _NotHereError
    holder.insert(rng.randint(0, len(holder)), copy.deepcopy(holder[key]))
    return holder[key]


def _swap(rng: Random, holder: Any, key: Any) -> Any:
    others = [k for k in (holder if isinstance(holder, dict) else range(len(holder))) if k != key]
    if not others:
        raise _NotHereError
    other = rng.choice(others)
    holder[key], holder[other] = holder[other], holder[key]
    return holder[key]


def _retype(rng: Random, holder: Any, key: Any) -> Any:
    old = holder[key]
    other = [value for value in ODD_VALUES if type(value) is not type(old)]
    holder[key] = copy.deepcopy(rng.choice(other))
    return holder[key]


def _wrap(rng: Random, holder: Any, key: Any) -> Any:
    old = holder[key]
    holder[key] = rng.choice([[old], [[old]], [old, copy.deepcopy(old)], {"value": old}])
    return holder[key]


def _odd_text(rng: Random, holder: Any, key: Any) -> Any:
    old, odd = holder[key], rng.choice(ODD_TEXTS)
    if not isinstance(old, str):
        raise _NotHereError
    cut = rng.randint(0, len(old))
    holder[key] = rng.choice([odd, old + odd, odd + old, old[:cut] + odd + old[cut:]])
    return holder[key]


def _odd_number(rng: Random, holder: Any, key: Any) -> Any:
    old = holder[key]
    if isinstance(old, bool) or not isinstance(old, int | float):
        raise _NotHereError
    holder[key] = rng.choice([*ODD_NUMBERS, -old, str(old), f"{old}x"])
    return holder[key]


class _NotHereError(Exception):
    """This kind of change does not apply at a place, so that another one is tried."""


KINDS: dict[str, Callable[[Random, Any, Any], Any]] = {
    "drop": _drop,
    "rename": _rename,
    "repeat": _repeat,
    "swap": _swap,
    "retype": _retype,
    "wrap": _wrap,
    "odd text": _odd_text,
    "odd number": _odd_number,
}


def mutate(
    rng: Random, document: Any, below: Place = (), kinds: Sequence[str] = tuple(KINDS)
) -> tuple[Any, Change]:
    """Return a changed copy of a document, and the change.

    Args:
        rng: chooses kind and place.
        document: lists, dicts and plain values.
        below: the place under which to make the change; by default the whole document.
        kinds: the kinds to choose from.
    """
    found = [place for place, _ in places(document) if place[: len(below)] == below and place != below]
    while True:
        made, kind, place = copy.deepcopy(document), rng.choice(kinds), rng.choice(found)
        holder = parent(made, place)
        before = copy.deepcopy(holder[place[-1]])
        try:
            after = KINDS[kind](rng, holder, place[-1])
        except _NotHereError:
            continue
        return made, Change(kind, place, before, copy.deepcopy(after))


def mutate_often(rng: Random, document: Any, below: Place = ()) -> tuple[Any, str]:
    """Return a copy with one change, or rarely two or none, and the changes in words."""
    words = []
    for _ in range(rng.choices([0, 1, 2], [1, 8, 1])[0]):
        document, change = mutate(rng, document, below)
        words.append(str(change))
    return document, "; ".join(words)
