"""From a chat template to token ids and labels: loss over answers and their end, nothing else.

A template is reduced once to the constant text between the messages (its skeleton), so that a
conversation is rendered by joining strings; a check against the template itself makes sure of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoken.data.conversations import IMAGE_TEXT, Conversation
from paretoken.errors import UserError

#: Stand-ins for messages, from a private-use plane, so that no template contains them.
_OPEN, _CLOSE = "\U000f0000", "\U000f0001"

#: Stage 1 of LLaVA-1.5: image, caption, end; the question is left out.
PLAIN = "plain"


@dataclass(frozen=True)
class EncodedConversation:
    """Token ids of one conversation and which of them are learned.

    ``ids`` (length,) int32 hold one placeholder for the image; ``learned`` (length,) bool.
    """

    ids: NDArray[np.int32]
    learned: NDArray[np.bool_]


class ChatEncoder:
    """Renders and tokenizes conversations with a tokenizer's chat template.

    Args:
        tokenizer: a fast tokenizer whose vocabulary contains ``<image>`` (see `load_tokenizer`).
        template: ``chat``: the tokenizer's own template; ``plain``: image, answer, end of text.

    Raises:
        UserError: the tokenizer has no template, or no token that ends an answer.
    """

    def __init__(self, tokenizer: Any, template: str = "chat") -> None:
        self.tokenizer, self.template = tokenizer, template
        if template == "chat" and not tokenizer.chat_template:
            raise UserError(f"{tokenizer.name_or_path} has no chat template; write one, or use plain")
        if tokenizer.eos_token_id is None:
            raise UserError(f"{tokenizer.name_or_path} has no eos_token: answers could not end")
        self.stops = {tokenizer.eos_token_id, *tokenizer.all_special_ids}
        self.image_id: int = tokenizer.convert_tokens_to_ids(IMAGE_TEXT)
        self.stops.discard(self.image_id)
        self._skeletons: dict[tuple[int, bool], list[str]] = {}

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
        return [
            self._label(ids, offsets, spans)
            for ids, offsets, (_, spans) in zip(
                encoding["input_ids"], encoding["offset_mapping"], rendered, strict=True
            )
        ]

    def prompts(self, questions: Sequence[str]) -> list[list[int]]:
        """Return the ids up to where the answer starts, one list per question."""
        texts = [self.prompt_text(question) for question in questions]
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    def prompt_text(self, question: str) -> str:
        """Return what the model reads before it answers ``question``."""
        if self.template == PLAIN:
            return IMAGE_TEXT if IMAGE_TEXT in question else ""
        glue = self._skeleton(1, generate=True)
        return glue[0] + question + glue[1]

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

    def _rewritten(self) -> str:
        return (
            f"the chat template of {self.tokenizer.name_or_path} rewrites or drops messages; "
            "labels cannot be placed; use a template that inserts each message as it is"
        )

    def _apply(self, texts: Sequence[str], generate: bool) -> str:
        messages = Conversation("", None, tuple(texts)).messages()
        text: str = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=generate
        )
        return text

    def _label(
        self, ids: list[int], offsets: list[tuple[int, int]], spans: list[tuple[int, int]]
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
                raise UserError(
                    f"the chat template of {self.tokenizer.name_or_path} does not end answers with "
                    "a special token: a model trained with it could not stop"
                )
            learned[inside[0] : stop + 1] = True
        return EncodedConversation(np.array(ids, np.int32), learned)


def load_tokenizer(folder: Path) -> Any:
    """Load a tokenizer and make sure that it knows ``<image>`` as one token.

    ``tokenizer.json`` is read as it is: `AutoTokenizer` would replace its splitting rules by those
    of the class that belongs to the language model's type, whatever the file says.

    Raises:
        UserError: the directory holds no (fast) tokenizer.
    """
    from transformers import PreTrainedTokenizerFast

    from paretoken.pretrained import load_pretrained

    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{folder} holds no tokenizer.json (a fast tokenizer is needed)")
    tokenizer = load_pretrained(PreTrainedTokenizerFast, folder)
    if IMAGE_TEXT not in tokenizer.get_vocab():
        tokenizer.add_tokens([IMAGE_TEXT], special_tokens=True)
    return tokenizer
