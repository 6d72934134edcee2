"""Splitting the tokens of a conversation between prompts and answers.

A conversation is tokenized as a whole. If the ids of the prompt at prediction time are a prefix of its
ids, the rest has to be generated. If tokens merge across that border (an answer that begins with a line
end after a prompt that ends with one), the answer is tokenized separately.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paretoken.data.conversations import BadRowError
from paretoken.data.rendering import Rendered
from paretoken.data.spelling import Spelling
from paretoken.data.tokenizers import encode, ending_tokens, splitting_tokens


@dataclass(frozen=True)
class Answer:
    """The ids of one answer, and those before it.

    Attributes:
        prompt: ids since the previous answer.
        ids: ids that have to be generated, including the token that ends the answer.
        text: the text of the answer.
    """

    prompt: list[int]
    ids: list[int]
    text: str


@dataclass(frozen=True)
class Parts:
    """The answers of a conversation with their prompts, and the ids after the last answer."""

    answers: list[Answer]
    rest: list[int]


@dataclass(frozen=True)
class _Border:
    """The range of a conversation's tokens that holds an answer.

    ``anchor`` is the index of the last token before the answer at which texts are split (None without
    one), ``last`` that of the token that ends the answer; ``given`` is the text from the anchor to the
    start of the answer.
    """

    anchor: int | None
    last: int
    given: str


class AnswerSplitter:
    """A tokenizer of conversations that separates prompts from answers.

    Text after a token that splits texts cannot change the tokens before it. Therefore only the text
    since the last such token is tokenized once more, without the answer, to find the prompt's ids.

    Args:
        tokenizer: a fast tokenizer.
        spelling: a `Spelling` of the same tokenizer.
    """

    def __init__(self, tokenizer: Any, spelling: Spelling) -> None:
        self.tokenizer, self.spelling = tokenizer, spelling
        self.stops, self.splits = ending_tokens(tokenizer), splitting_tokens(tokenizer)
        self._special = self.stops | self.splits

    def split(self, conversations: Sequence[Rendered]) -> list[Parts | BadRowError]:
        """Tokenize conversations and split them at their answers.

        A conversation is replaced by a reason if an answer in it contains a special token, if its end is
        not read as one token, or if its tokens cannot be separated from those of its prompt.
        """
        encoding = encode(
            self.tokenizer,
            [rendered.text for rendered in conversations],
            add_special_tokens=False,
            return_offsets_mapping=True,
        )
        ids, offsets = encoding["input_ids"], encoding["offset_mapping"]
        borders = [self._borders(*each) for each in zip(ids, offsets, conversations, strict=True)]
        texts = sorted({b.given for own in borders if isinstance(own, list) for b in own})
        given = dict(zip(texts, self.spelling.ids(texts), strict=True))
        return [
            own if isinstance(own, BadRowError) else self._parts(row, own, given, rendered)
            for row, own, rendered in zip(ids, borders, conversations, strict=True)
        ]

    def _borders(
        self, ids: Sequence[int], offsets: Sequence[tuple[int, int]], rendered: Rendered
    ) -> list[_Border] | BadRowError:
        special = [place for place, token in enumerate(ids) if token in self._special]
        borders = []
        for region in rendered.regions:
            before = [p for p in special if offsets[p][1] <= region.begin and ids[p] in self.splits]
            anchor = before[-1] if before else None
            start = 0 if anchor is None else offsets[anchor][0]
            inside = (p for p in special if offsets[p][0] >= region.begin and ids[p] in self.stops)
            last = next(inside, None)
            answer = f"{rendered.text[region.begin : region.end]!r:.80}"
            if last is None or offsets[last][0] > region.end:
                return BadRowError(
                    "the tokenizer does not read the end of answers as one token after this one, which "
                    f"would have no end: {answer}"
                )
            if region.end >= offsets[last][1]:
                return BadRowError(
                    "an answer contains a special token of the tokenizer, with which generation would "
                    f"end: {answer}"
                )
            borders.append(_Border(anchor, last, rendered.text[start : region.begin]))
        return borders

    def _parts(
        self,
        ids: list[int],
        borders: Sequence[_Border],
        given: Mapping[str, list[int]],
        rendered: Rendered,
    ) -> Parts | BadRowError:
        answers: list[Answer] = []
        position = 0
        for border, region in zip(borders, rendered.regions, strict=True):
            start, prompt = border.anchor or 0, given[border.given]
            text = rendered.text[region.begin : region.stop]
            learned: list[int] | None = ids[start + len(prompt) : border.last + 1]
            if ids[start : start + len(prompt)] != prompt:
                learned = self._apart(ids, border, position, prompt, text)
            if learned is None:
                return BadRowError(
                    "the tokens of an answer and of the prompt before it cannot be separated: "
                    f"{text!r:.80}"
                )
            # The anchor may be the token that ended the previous answer.
            before = (ids[position:start] + prompt)[max(0, position - start) :]
            answers.append(Answer(before, learned, rendered.text[region.begin : region.end]))
            position = border.last + 1
        return Parts(answers, ids[position:])

    def _apart(
        self, ids: list[int], border: _Border, position: int, prompt: list[int], text: str
    ) -> list[int] | None:
        """Return ids of an answer that follow its prompt's, instead of those that merge with them."""
        start = border.anchor or 0
        kept = border.anchor is None or prompt[:1] == ids[start : start + 1]
        if start < position - 1 or not kept:
            return None  # no token splits the text between this answer and the previous one
        return self.spelling.after(prompt, text, ids[start : border.last + 1])
