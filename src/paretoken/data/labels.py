"""From a chat template to token ids and labels: loss over answers and their end, nothing else.

A template is reduced once to the constant text between the messages (its skeleton), so that a
conversation is rendered by joining strings; a check against the template itself makes sure of it.

For ChatML models LLaVA-NeXT also learns each newline, ``<|im_start|>`` and ``<|im_end|>`` of the
question and the system prompt. That is not copied: those tokens are given, never generated, so
learning them changes the model but no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoken.data.conversations import IMAGE_TEXT, Conversation
from paretoken.data.tokenizers import CHAT, PLAIN, template_text
from paretoken.errors import UserError
from paretoken.registry import TEMPLATES

#: Stand-ins for messages, from a private-use plane, so that no template contains them.
_OPEN, _CLOSE = "\U000f0000", "\U000f0001"

#: What an image without a question is asked, as in the authors' code of QueCC.
NO_QUESTION = "image"

#: What templates may ask for, the same in training and prediction: no room for thoughts (Qwen3), and
#: a day that does not pass (Llama 3.1 and later write today's date into each prompt).
FIXED = {"enable_thinking": False, "date_string": "26 Jul 2024"}


@dataclass(frozen=True)
class EncodedConversation:
    """Token ids of one conversation and which of them are learned.

    ``ids`` (length,) int32 hold one placeholder for the image; ``learned`` (length,) bool; ``question``
    (any length,) int32 is the text of the first turn alone, see `ChatEncoder.questions`.
    """

    ids: NDArray[np.int32]
    learned: NDArray[np.bool_]
    question: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))


class ChatEncoder:
    """Renders and tokenizes conversations with a chat template.

    Args:
        tokenizer: a fast tokenizer whose vocabulary contains ``<image>`` (see `load_tokenizer`).
        template: ``chat``: the tokenizer's own template; ``plain``: image, answer, end of text; or
            one of `paretoken.registry.TEMPLATES`.

    Raises:
        UserError: there is no such template, the tokenizer has none of its own, or it has no token
            that ends an answer.
    """

    def __init__(self, tokenizer: Any, template: str = CHAT) -> None:
        self.tokenizer, self.template = tokenizer, template
        self._text = template_text(tokenizer, template)
        if tokenizer.eos_token_id is None:
            raise UserError(f"{tokenizer.name_or_path} has no eos_token: answers could not end")
        # Some families list their special tokens only among the added ones (Llama 3).
        added = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        self.stops = {tokenizer.eos_token_id, *tokenizer.all_special_ids, *added}
        self.image_id: int = tokenizer.convert_tokens_to_ids(IMAGE_TEXT)
        # What a tokenizer cannot spell ends nothing.
        self.stops -= {self.image_id, tokenizer.unk_token_id} - {tokenizer.eos_token_id}
        self._skeletons: dict[tuple[int, bool], list[str]] = {}

    @cached_property
    def end_id(self) -> int:
        """The token that ends an answer: what a model trained with this template stops with.

        Raises:
            UserError: the template does not end an answer with a special token.
        """
        if self.template == PLAIN:
            return int(self.tokenizer.eos_token_id)
        after = self._skeleton(2, generate=False)[2]
        ids = self.tokenizer(after, add_special_tokens=False)["input_ids"]
        end = next((token for token in ids if token in self.stops), None)
        if end is None:
            raise UserError(self._endless())
        return int(end)

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodedConversation]:
        """Tokenize conversations.

        Raises:
            UserError: the template rewrites its messages, or does not end an answer with a special
                token.
        """
        rendered = [self._render(conversation.turns) for conversation in conversations]
        encoding = self.tokenizer(
            [text for text, _ in rendered], add_special_tokens=False, return_offsets_mapping=True
        )
        questions = self.questions([conversation.turns[0] for conversation in conversations])
        return [
            self._label(ids, offsets, spans, np.array(question, np.int32))
            for ids, offsets, (_, spans), question in zip(
                encoding["input_ids"], encoding["offset_mapping"], rendered, questions, strict=True
            )
        ]

    def questions(self, turns: Sequence[str]) -> list[list[int]]:
        """Return the ids of questions alone: without images and without the template.

        This is what a compressor that reads the question is told. A turn without text stands for
        `NO_QUESTION`; no list is empty.
        """
        texts = [turn.replace(IMAGE_TEXT, "").strip() or NO_QUESTION for turn in turns]
        encoded = self.tokenizer([self._start + text for text in texts], add_special_tokens=False)
        found: list[list[int]] = encoded["input_ids"]
        return [ids or [self.tokenizer.eos_token_id] for ids in found]

    def prompts(self, questions: Sequence[str]) -> list[list[int]]:
        """Return the ids up to where the answer starts, one list per question."""
        texts = [self.prompt_text(question) for question in questions]
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    def prompt_text(self, question: str) -> str:
        """Return what the model reads before it answers ``question``."""
        if self.template == PLAIN:
            return self._start + (IMAGE_TEXT if IMAGE_TEXT in question else "")
        glue = self._skeleton(1, generate=True)
        return glue[0] + question + glue[1]

    @cached_property
    def _start(self) -> str:
        """The token that the tokenizer itself puts before every text, if it does (Llama, Gemma)."""
        ids, first = self.tokenizer("")["input_ids"], self.tokenizer.bos_token_id
        return str(self.tokenizer.bos_token) if ids[:1] == [first] and first is not None else ""

    def _render(self, turns: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
        """Return the text and where in it each answer starts and ends."""
        if self.template == PLAIN:
            start = self.prompt_text(turns[0])
            text = start + turns[1]
            return text + self.tokenizer.eos_token, [(len(start), len(text))]
        glue = self._skeleton(len(turns), generate=False)
        text, spans = glue[0], []
        for index, turn in enumerate(turns):
            if index % 2:
                spans.append((len(text), len(text) + len(turn)))
            text += turn + glue[index + 1]
        return text, spans

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
            f"that inserts each message as it is, {', '.join(TEMPLATES)} for example"
        )

    def _endless(self) -> str:
        return (
            f"{self._called()} does not end answers with a special token of "
            f"{self.tokenizer.name_or_path}: a model trained with it could not stop"
        )

    def _apply(self, texts: Sequence[str], generate: bool) -> str:
        messages = Conversation("", None, tuple(texts)).messages()
        from jinja2.exceptions import TemplateError

        try:
            text: str = self.tokenizer.apply_chat_template(
                messages,
                chat_template=self._text,
                tokenize=False,
                add_generation_prompt=generate,
                **FIXED,
            )
        except TemplateError as error:
            raise UserError(f"{self._called()} refuses a conversation: {error}") from error
        return text

    def _label(
        self,
        ids: list[int],
        offsets: list[tuple[int, int]],
        spans: list[tuple[int, int]],
        question: NDArray[np.int32],
    ) -> EncodedConversation:
        starts = np.array([start for start, _ in offsets])
        ends = np.array([end for _, end in offsets])
        learned = np.zeros(len(ids), bool)
        for start, end in spans:
            inside = np.flatnonzero((ends > start) & (starts < end))
            if not len(inside):
                raise UserError("an answer has no token in this tokenizer: its text is dropped")
            stop = int(inside[-1]) + 1
            while stop < len(ids) and ids[stop] not in self.stops:
                stop += 1
            if stop == len(ids):
                raise UserError(self._endless())
            learned[inside[0] : stop + 1] = True
        return EncodedConversation(np.array(ids, np.int32), learned, question)
