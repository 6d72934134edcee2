"""The image's placeholder in texts, and misspelt placeholders, which would be read as text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from paretoken.io.escape import shown

#: The image's placeholder in a human turn.
IMAGE_TEXT = "<image>"

#: Names of placeholders: image, Picture 1, image_token, start_of_image, vision_start. ``im`` may have
#: fewer suffixes, since ``im_start`` begins a turn.
_NAME = r"""
    (?:(?:start|begin|end|insert|input|the)[\s_-]{0,3}(?:of[\s_-]{0,3})?)?
    (?:image|img|picture|photo|pic|video|frame|vision|visual)s?
    (?:[\s_:#.-]{0,3}(?:\d{1,4}|here|tokens?|placeholders?|place|pad|start|end|soft|patch|path|file)){0,3}+
    |im(?:[\s_-]{0,3}(?:\d{1,4}|here|patch))?
"""
#: These names in brackets: <Image>, < image >, </img>, <|image|>, [IMG], {image}.
_ALMOST = re.compile(
    rf"""
    (?:<{{1,2}}|&lt;) [\s|/]{{0,3}} (?:{_NAME}) [\s|/]{{0,3}} (?:>{{1,2}}|&gt;)
    | \[{{1,2}} \s{{0,3}} (?:{_NAME}) \s{{0,3}} \]{{1,2}}
    | \{{{{1,2}} \s{{0,3}} (?:{_NAME}) \s{{0,3}} \}}{{1,2}}
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: A placeholder that is closed like an HTML element, whose closing tag would remain.
_CLOSED = re.compile(rf"{IMAGE_TEXT}\s{{0,3}}</image>", re.IGNORECASE)


def spelling_problem(
    questions: Mapping[str, str], answers: Mapping[str, str] | None = None
) -> str | None:
    """Return what is wrong with the placeholder in a row that has an image; None if nothing is.

    Other spellings are searched only if no question has the placeholder: the texts of other rows may be
    about HTML.

    Args:
        questions: questions by what to call them in the message.
        answers: answers, which must not have placeholders, by what to call them.
    """
    for name, text in questions.items():
        if closed := _CLOSED.search(text):
            return f"{name} has {shown(closed.group())}; write {IMAGE_TEXT} only"
    if any(IMAGE_TEXT in text for text in questions.values()):
        return None
    for name, text in questions.items():
        if found := _ALMOST.search(text):
            return f"{name} has the placeholder {shown(found.group())}; write {IMAGE_TEXT}"
    for name, text in (answers or {}).items():
        if found := _ALMOST.search(text):
            return (
                f"{name}, an answer, has {shown(found.group())}, but no question has {IMAGE_TEXT}; "
                f"write {IMAGE_TEXT} in the question about the image, and remove it from the answer, "
                "where it would be learned as text, unless that is intended"
            )
    return None
