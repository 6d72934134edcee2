"""Texts that would do something where they are shown, and the places of a config that take text."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

#: Each of them, unescaped, would be seen in some format.
HOSTILE = {
    "script": "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'",
    "template": "{{7*7}}{% raw %}&lt;b&gt;",
    "image": "![x](http://127.0.0.1/x.png)\n\n# Heading\n\n- item\n<b>b</b> [l](javascript:a) `c` | d |",
    "formula": "$\\frac{ \\input{/etc/passwd} ~^_ %",
    "cell": "=cmd|' /C calc'!A0",
    "terminal": "\x1b[2J\x1b]0;title\x07\x9b2J\r\b\x7f",
    "direction": "\u202edesrever\u2066 \u2028 \u200b",
    "nul": "a\x00b",
    "line": "one\ntwo\r\n\tthree",
}
#: What stays between two hostile texts, to find them again.
Path = tuple[str | int, ...]


def text_places(model: type[BaseModel], raw: Any, place: Path = ()) -> Iterator[Path]:
    """Yield where a record takes text, by its model: fields that the raw one lacks, too.

    Of lists of records and of texts, every element that is there is followed.
    """
    if not isinstance(raw, Mapping):
        return
    for name, field in model.model_fields.items():
        value, at = raw.get(name), (*place, name)
        models = list(_models(field.annotation))
        if models:
            items = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, item in items:
                for each in models:
                    yield from text_places(each, item, at if index is None else (*at, index))
        elif str in set(_leaves(field.annotation)):
            yield from ((*at, i) for i in range(len(value))) if isinstance(value, list) else [at]


def replaced(raw: Any, place: Path, value: Any) -> Any:
    """Return a copy of a raw config with another value at a place."""
    copied = copy.deepcopy(raw)
    within = copied
    for part in place[:-1]:
        within = within[part]
    within[place[-1]] = value
    return copied


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _leaves(annotation: Any) -> Iterator[Any]:
    arguments = get_args(annotation)
    if annotation is str:
        yield str
    for argument in arguments:
        yield from _leaves(argument)
