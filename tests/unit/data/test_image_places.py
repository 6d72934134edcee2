"""Other spellings of the image's place are refused where they would be read as text."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import pytest

from paretoken.data.conversations import BadRowError, parse_conversation
from paretoken.data.image_places import IMAGE_TEXT, spelling_problem
from paretoken.evaluate.questions import sort_questions

NAMES = [
    *("image", "Image", "IMG", "picture", "photo", "video", "image 1", "Picture 2", "image_1", "images"),
    *("image_token", "image-placeholder", "ImageHere", "image_pad", "start_of_image"),
]
FORMS = (
    "<{}>",
    "< {} >",
    "<|{}|>",
    "</{}>",
    "<{}/>",
    "[{}]",
    "{{{}}}",
    "{{{{{}}}}}",
    "&lt;{}&gt;",
    "<<{}>>",
)
SPELLINGS = [
    *(form.format(name) for form, name in product(FORMS, NAMES)),
    "<|vision_start|><|image_pad|><|vision_end|>",
    "<im>",
    "<im_patch>",
    "![image](a.png)",
    "<|image_1|>",
]
SPELLINGS = [text for text in SPELLINGS if IMAGE_TEXT not in text]

#: Texts that have nothing to do with it.
OTHERS = ("<|im_start|>", "(image)", "the image", "<imagine>", "[1]", "{imagination}", "<p>",
          "<img src='a.png'>", "[image of a cat]", "<frameset>", "x[image_width]")  # fmt: skip


def row(question: str, answer: str = "red", image: str | None = "a.png") -> dict[str, Any]:
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"id": "1", "image": image, "conversations": turns}


def question(text: str, own: bool, image: str | None = "a.png") -> dict[str, Any]:
    if own:
        return {"_id": "1", "prompt": text, "image": image}
    return {"question_id": 1, "question": text, "answer": "red", "image": image}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_is_refused_where_the_place_is_missing(spelling: str) -> None:
    text = f"{spelling}\nwhat ?"
    with pytest.raises(BadRowError, match=r"turn 1 has the placeholder .*; write <image>"):
        parse_conversation(row(text))
    for own, name in ((True, "prompt"), (False, "question")):
        bad = sort_questions([question(text, own)])[1]
        assert bad[1].startswith(f"its {name} has the placeholder ")
        assert sort_questions([question(text, own)], as_they_are=True)[1] == {}
        for good in (question(f"<image>\nso\n{text}", own), question(text, own, None)):
            assert sort_questions([good])[1] == {}
    assert parse_conversation(row(f"<image>\nso\n{text}")).turns[0].endswith(text)
    assert parse_conversation(row(text, image=None)).turns[0] == text


@pytest.mark.parametrize("spelling", SPELLINGS[::7])
def test_following_the_message_about_an_answer_helps(spelling: str) -> None:
    with pytest.raises(BadRowError, match=r"turn 2, an answer, has .*write <image> in the question"):
        parse_conversation(row("what ?", f"red {spelling}"))
    followed = parse_conversation(row("<image>\nwhat ?", f"red {spelling}"))
    assert followed.turns == ("<image>\nwhat ?", f"red {spelling}")
    assert parse_conversation(row("what ?", "red")).turns[0] == "<image>\nwhat ?"


@pytest.mark.parametrize("text", OTHERS)
def test_other_texts_are_left_alone(text: str) -> None:
    assert spelling_problem({"turn 1": text}, {"turn 2": text}) is None
    assert parse_conversation(row(text)).turns[0] == f"<image>\n{text}"


@pytest.mark.parametrize(
    "text", ["<image></image>\nwhat ?", "what <image> </image>", "<image>\n</Image> ?"]
)
def test_a_place_that_is_closed_is_refused(text: str) -> None:
    with pytest.raises(BadRowError, match=r"turn 1 has .*; write <image> only"):
        parse_conversation(row(text))
    assert "write <image> only" in sort_questions([question(text, False)])[1][1]


@pytest.mark.parametrize(
    "part", ["<", "<image ", "image1", "[[the ", "{img here", "<|image_", "&lt;pic "]
)
def test_long_texts_are_searched_in_a_moment(part: str) -> None:
    started = time.monotonic()
    spelling_problem({"turn 1": part * 20_000})
    assert time.monotonic() - started < 5
