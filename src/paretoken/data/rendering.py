"""Rendering turns to text, with the positions of the answers and of the tokens that end them.

A template is reduced once to the constant text between the messages (its skeleton), so that a
conversation is rendered by joining strings. The skeleton is validated against the template itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from paretoken.data.chat_rendering import render
from paretoken.data.conversations import Conversation
from paretoken.data.image_places import IMAGE_TEXT
from paretoken.data.tokenizers import CAPTIONS_ONLY, CHAT, encode, template_text
from paretoken.errors import UserError
from paretoken.registry import TEMPLATES

#: Stand-ins for messages, from a private-use plane, so that no template contains them.
_OPEN, _CLOSE = "\U000f0000", "\U000f0001"

#: Variables that templates may read, the same in training and prediction: no thinking (Qwen3), and a
#: fixed date (Llama 3.1 and later write today's date into each prompt).
FIXED = {"enable_thinking": False, "date_string": "26 Jul 2024"}


@dataclass(frozen=True)
class End:
    """The token that ends an answer, and its position in the text that follows the answer."""

    token: int
    start: int
    stop: int


@dataclass(frozen=True)
class Region:
    """The position of an answer in a text, in characters.

    Attributes:
        begin: end of the prompt: all that follows has to be generated, including a blank.
        end: start of the text of the token that ends the answer.
        stop: end of that text.
    """

    begin: int
    end: int
    stop: int


@dataclass(frozen=True)
class Rendered:
    """A conversation as text, and the regions of its answers."""

    text: str
    regions: tuple[Region, ...]


class Rendering:
    """A renderer of conversations with a chat template.

    The text up to an answer is the template's generation prompt for that answer, even if the template
    renders a whole conversation differently: Qwen3's puts empty thoughts before the last answer only,
    although the generation prompt of each answer has them.

    Args:
        tokenizer: a fast tokenizer.
        template: see `paretoken.data.tokenizers.template_text`.
        stops: ids of the tokens that can end an answer.

    Raises:
        UserError: there is no such template, or the tokenizer has none of its own.
    """

    def __init__(self, tokenizer: Any, template: str, stops: Collection[int]) -> None:
        self.tokenizer, self.template, self.stops = tokenizer, template, stops
        self.text = template_text(tokenizer, template)
        self._skeletons: dict[tuple[int, bool], list[str]] = {}
        self._ends: dict[str, End] = {}

    def prompt(self, question: str) -> str:
        """Return the text that the model reads before it answers ``question``."""
        if self.template in CAPTIONS_ONLY:
            return self.start + (IMAGE_TEXT if IMAGE_TEXT in question else "")
        glue = self._skeleton(1, generate=True)
        return glue[0] + question + glue[1]

    def conversation(self, turns: Sequence[str]) -> Rendered:
        """Return the text of a conversation.

        Raises:
            UserError: the template rewrites its messages, or does not end each answer with the same
                special token, or the tokenizer does not read that one after a text.
        """
        if self.template in CAPTIONS_ONLY:
            prompt, last = self.prompt(turns[0]), self._caption_end
            text = prompt + turns[1]
            return Rendered(text + last, (Region(len(prompt), len(text), len(text) + len(last)),))
        glue = self._skeleton(len(turns), generate=False)
        text, regions, begin = self._skeleton(1, generate=True)[0], [], 0
        for index, turn in enumerate(turns):
            text, after = text + turn, glue[index + 1]
            if index % 2:
                end = self._end_in(after)
                regions.append(Region(begin, len(text) + end.start, len(text) + end.stop))
            else:
                asked = self._skeleton(index + 1, generate=True)[-1]
                begin = len(text) + len(asked)
                after = asked + (after[len(asked) :] if after.startswith(asked) else "")
            text += after
        return Rendered(text, tuple(regions))

    @cached_property
    def end(self) -> int:
        """The token that ends an answer.

        Raises:
            UserError: the template does not end an answer with a special token, or the tokenizer does
                not read it after a text.
        """
        if self.template in CAPTIONS_ONLY:
            return int(self.tokenizer.eos_token_id)
        return self._first_stop(self._skeleton(2, generate=False)[2]).token

    @cached_property
    def start(self) -> str:
        """The token that the tokenizer itself puts before every text (Llama, Gemma); else empty."""
        ids, first = encode(self.tokenizer, "")["input_ids"], self.tokenizer.bos_token_id
        return str(self.tokenizer.bos_token) if ids[:1] == [first] and first is not None else ""

    @cached_property
    def _caption_end(self) -> str:
        end = str(self.tokenizer.eos_token)
        self._require_read(end, End(int(self.tokenizer.eos_token_id), 0, len(end)))
        return end

    def _require_read(self, after: str, end: End) -> None:
        """Raise `UserError` unless the token that ends an answer is also read as one after a text.

        A token that is matched in the normalized text only may be found at the start of a text or after
        a blank, but be split after a word.
        """
        text, place = "a" + after, 1 + end.start
        made = encode(self.tokenizer, text, add_special_tokens=False, return_offsets_mapping=True)
        read = zip(made["input_ids"], made["offset_mapping"], strict=True)
        if not any(number == end.token and start <= place < stop for number, (start, stop) in read):
            raise UserError(
                f"the tokenizer {self.tokenizer.name_or_path} does not read "
                f"{after[end.start : end.stop]!r:.80}, with which {self._called()} ends answers, as one "
                'token after a text, so no answer would have an end: give it "special": true, '
                '"normalized": false and "single_word": false among the added_tokens of tokenizer.json, '
                "or use a template that ends answers with another token"
            )

    def _end_in(self, after: str) -> End:
        if after not in self._ends:
            found = self._first_stop(after)
            if found.token != self.end:
                raise UserError(self._endless())
            self._ends[after] = found
        return self._ends[after]

    def _first_stop(self, after: str) -> End:
        made = encode(self.tokenizer, after, add_special_tokens=False, return_offsets_mapping=True)
        for token, (start, stop) in zip(made["input_ids"], made["offset_mapping"], strict=True):
            if token in self.stops:
                end = End(int(token), start, stop)
                self._require_read(after, end)
                return end
        raise UserError(self._endless())

    def _skeleton(self, count: int, generate: bool) -> list[str]:
        """Return the constant texts around ``count`` messages."""
        key = (count, generate)
        if key not in self._skeletons:
            marks = [f"{_OPEN}{i}{_CLOSE}" for i in range(count)]
            text = self._apply(marks, generate)
            glue = []
            for mark in marks:
                before, found, text = text.partition(mark)
                if not found:
                    raise UserError(self._rewritten())
                glue.append(before)
            self._skeletons[key] = [*glue, text]
            self._check(self._skeletons[key], count, generate)
        return self._skeletons[key]

    def _check(self, glue: list[str], count: int, generate: bool) -> None:
        words = [f"{IMAGE_TEXT}\nWhat is {i}?\n" if i == 0 else f"word {i}" for i in range(count)]
        words = [word.strip() for word in words]
        joined = glue[0] + "".join(w + g for w, g in zip(words, glue[1:], strict=True))
        if joined != self._apply(words, generate):
            raise UserError(self._rewritten())

    def _called(self) -> str:
        own = f"the chat template of {self.tokenizer.name_or_path}"
        return own if self.template == CHAT else f"template {self.template!r}"

    def _rewritten(self) -> str:
        return (
            f"{self._called()} rewrites or drops messages; labels cannot be placed; use a template "
            f"that inserts each message as it is, {self._others()} for example"
        )

    def _endless(self) -> str:
        return (
            f"{self._called()} does not end answers with a special token of "
            f"{self.tokenizer.name_or_path}, the same one after each: a model trained with it could "
            f"not stop; use another template, {self._others()} for example"
        )

    def _others(self) -> str:
        """Return the names of known templates whose text differs from this one."""
        texts = {name: template_text(self.tokenizer, name) for name in TEMPLATES}
        return ", ".join(name for name, text in texts.items() if text != self.text) or CHAT

    def _apply(self, texts: Sequence[str], generate: bool) -> str:
        messages = Conversation("", None, tuple(texts)).messages()
        variables = {**self.tokenizer.special_tokens_map, "add_generation_prompt": generate, **FIXED}
        return render(str(self.text), messages, variables, self._called())
