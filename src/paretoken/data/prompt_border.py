"""Where a prompt's tokens end and an answer's begin, and what to do where a token would lie on both.

A conversation is tokenized as a whole. Where the ids of what is given at prediction time are the start
of it, the rest is what has to be generated. Where tokens merge across that border (an answer that
begins with a line end after a prompt that ends with one), the answer is tokenized apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from paretoken.data.conversations import BadRowError
from paretoken.data.rendering import Region, Rendered

#: What an answer is tokenized behind where it cannot be tokenized behind its prompt. Tokenizers of the
#: Llama kind write a blank in front of a text; behind a line end, with which no piece merges, they do not.
ANCHORS = ("", "\n", ":")


@dataclass(frozen=True)
class Answer:
    """One answer's ids, and those before it.

    Attributes:
        prompt: ids since the answer before.
        ids: what has to be generated.
        end: how many of the last ids are the token that ends the answer, 0 or 1.
        text: what the ids before that spell.
    """

    prompt: list[int]
    ids: list[int]
    end: int
    text: str


class Spelling:
    """Texts of ids, and ids of answers apart from their prompts.

    Args:
        tokenizer: a fast tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def texts(self, ids: Sequence[list[int]], special: bool = False) -> list[str]:
        """Return what ids spell, special tokens left out unless ``special``."""
        found: list[str] = self.tokenizer.backend_tokenizer.decode_batch(
            ids, skip_special_tokens=not special
        )
        return found

    @staticmethod
    def same(written: str, text: str) -> bool:
        """Whether two texts are equal but for what tokenizers change on purpose: blanks, case, form."""
        return written.strip() == text.strip() or _folded(written) == _folded(text)

    def after(self, prompt: list[int], text: str, whole: str) -> list[int]:
        """Return ids of ``text`` so that they spell ``whole`` behind those of a prompt.

        Raises:
            BadRowError: the tokenizer has none.
        """
        for anchor in ANCHORS:
            start, ids = self._ids(anchor), self._ids(anchor + text)
            found = ids[len(start) :]
            if ids[: len(start)] == start and self._spells(prompt + found, whole):
                return found
        raise BadRowError(
            f"the tokens of an answer and of the prompt before it cannot be separated: {text!r:.80}"
        )

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _spells(self, ids: list[int], whole: str) -> bool:
        written = self.texts([ids], special=True)[0]
        return unicodedata.normalize("NFC", written) == unicodedata.normalize("NFC", whole)


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def split_answers(
    ids: list[int],
    offsets: Sequence[tuple[int, int]],
    rendered: Rendered,
    prompts: Sequence[list[int]],
    stops: Collection[int],
    spelling: Spelling,
) -> tuple[list[Answer], list[int]]:
    """Split the ids of a conversation at its answers.

    Args:
        ids: of the whole text.
        offsets: where each token starts and stops in it.
        rendered: the text and its answers.
        prompts: ids of `Rendered.prompts`.
        stops: ids of the tokens that can end an answer.
        spelling: of the same tokenizer.

    Returns:
        The answers, and the ids behind the last one.

    Raises:
        BadRowError: an answer contains a special token, or tokens merge that cannot be separated.
    """
    special = [place for place, token in enumerate(ids) if token in stops]
    answers: list[Answer] = []
    position = 0
    for region, given in zip(rendered.regions, prompts, strict=True):
        text = rendered.text[region.begin : region.stop]
        last = _end_place(offsets, special, region, text)
        piece = ids[position : last + 1]
        before = (
            ids[position - 1 : position] if answers else []
        )  # the token that ended the answer before
        prompt = given[len(before) :]
        if piece[: len(prompt)] == prompt:
            learned = piece[len(prompt) :]
        else:
            whole = spelling.texts([before + piece], special=True)[0]
            learned = spelling.after(given, text, whole)
        answers.append(Answer(prompt, learned, 1, rendered.text[region.begin : region.end]))
        position = last + 1
    return answers, ids[position:]


def _end_place(
    offsets: Sequence[tuple[int, int]], special: Sequence[int], region: Region, text: str
) -> int:
    """Return the place of the token that ends an answer: the first special one of its region."""
    for place in special:
        start, stop = offsets[place]
        if start < region.begin:
            continue
        if start <= region.end < stop:
            return place
        break
    raise BadRowError(
        f"an answer contains a special token of the tokenizer, with which generation would end: "
        f"{text!r:.80}"
    )
