"""Where a text has the image's place, and spellings of it that would be read as text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from paretoken.io.escape import shown

#: Where the image stands in a human turn.
IMAGE_TEXT = "<image>"

#: What a place is called: image, Picture 1, image_token, start_of_image, vision_start; ``im`` with less
#: behind it, since ``im_start`` begins a turn.
_NAME = r"""
    (?:(?:start|begin|end|insert|input|the)[\s_-]{0,3}(?:of[\s_-]{0,3})?)?
    (?:image|img|picture|photo|pic|video|frame|vision|visual)s?
    (?:[\s_:#.-]{0,3}(?:\d{1,4}|here|tokens?|placeholders?|place|pad|start|end|soft|patch|path|file)){0,3}+
    |im(?:[\s_-]{0,3}(?:\d{1,4}|here|patch))?
"""
#: The same with what such tokens stand in: <Image>, < image >, </img>, <|image|>, [IMG], {image}.
_ALMOST = re.compile(
    rf"""
    (?:<{{1,2}}|&lt;) [\s|/]{{0,3}} (?:{_NAME}) [\s|/]{{0,3}} (?:>{{1,2}}|&gt;)
    | \[{{1,2}} \s{{0,3}} (?:{_NAME}) \s{{0,3}} \]{{1,2}}
    | \{{{{1,2}} \s{{0,3}} (?:{_NAME}) \s{{0,3}} \}}{{1,2}}
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: A place that is closed like an element of HTML; its end would remain.
_CLOSED = re.compile(rf"{IMAGE_TEXT}\s{{0,3}}</image>", re.IGNORECASE)


def spelling_problem(
    questions: Mapping[str, str], answers: Mapping[str, str] | None = None
) -> str | None:
    """Return what is wrong with the image's place in a row that has an image; None if nothing is.

    Other spellings are looked for only where no question has the place: so the texts of a row that has
    it may be about HTML.

    Args:
        questions: texts by what to call them in the message.
        answers: the same, where places must not stand.
    """
    for name, text in questions.items():
        if closed := _CLOSED.search(text):
            return f"{name} has {shown(closed.group())}; write {IMAGE_TEXT} only"
    if any(IMAGE_TEXT in text for text in questions.values()):
        return None
    for name, text in questions.items():
        if found := _ALMOST.search(text):
            return f"{name} writes the image's place as {shown(found.group())}; write {IMAGE_TEXT}"
    for name, text in (answers or {}).items():
        if found := _ALMOST.search(text):
            return (
                f"{name}, an answer, has {shown(found.group())}, but no question has {IMAGE_TEXT}; "
                f"write {IMAGE_TEXT} in the question about the image; what looks like it in an answer "
                "is then learned as text, so take it out unless that is meant"
            )
    return None
