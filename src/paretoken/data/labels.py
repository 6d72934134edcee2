"""Tokenizing conversations with labels: the loss covers answers and their end tokens only.

Labels begin where the prompt ends: the ids before an answer are those that the model is given when it
is asked for that answer, and each token that it then has to generate has a loss.

For ChatML models LLaVA-NeXT also learns each newline, ``<|im_start|>`` and ``<|im_end|>`` of the
question and the system prompt. This is not reproduced: those tokens are given, never generated, so
learning them changes the model but no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoken.data.conversations import BadRowError, Conversation
from paretoken.data.image_places import IMAGE_TEXT
from paretoken.data.prompt_border import Answer, AnswerSplitter, Parts
from paretoken.data.rendering import Rendering
from paretoken.data.spelling import Spelling
from paretoken.data.tokenizers import CHAT, PLAIN_LLAVA, encode, ending_tokens
from paretoken.errors import UserError

#: Question about an image without one, as in the authors' code of QueCC.
NO_QUESTION = "image"

#: End of a caption in LLaVA-1.5's stage 1 (the separator of its ``plain`` conversations).
LINE_END = "\n"

#: Version of the rule by which tokens are learned; a new version makes older tokenized sets stale.
LABEL_RULE = 2


@dataclass(frozen=True)
class EncodedConversation:
    """Token ids of one conversation and which of them are learned.

    ``ids`` (length,) int32 contain one placeholder for the image; ``learned`` (length,) bool;
    ``question`` (any length,) int32 are the ids of the first turn alone, see `ChatEncoder.questions`.
    """

    ids: NDArray[np.int32]
    learned: NDArray[np.bool_]
    question: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))


class ChatEncoder:
    """An encoder that renders and tokenizes conversations with a chat template.

    Args:
        tokenizer: a fast tokenizer whose vocabulary contains ``<image>`` (see `load_tokenizer`).
        template: ``chat``: the tokenizer's own template; ``plain``: image, answer, end of text;
            ``plain_llava``: image, answer, line end; or one of `paretoken.registry.TEMPLATES`.

    Raises:
        UserError: there is no such template, the tokenizer has none of its own, or it has no token
            that ends an answer.
    """

    def __init__(self, tokenizer: Any, template: str = CHAT) -> None:
        self.tokenizer, self.template = tokenizer, template
        if tokenizer.eos_token_id is None:
            raise UserError(f"{tokenizer.name_or_path} has no eos_token: answers could not end; set one")
        self.stops = ending_tokens(tokenizer)
        self.image_id: int = tokenizer.convert_tokens_to_ids(IMAGE_TEXT)
        self.rendering = Rendering(tokenizer, template, self.stops)
        self._spelling = Spelling(tokenizer)
        self._splitter = AnswerSplitter(tokenizer, self._spelling)

    @cached_property
    def end_id(self) -> int:
        """The token that ends an answer, with which a model trained with this template stops.

        Raises:
            UserError: the template does not end an answer with a special token.
        """
        if self.template == PLAIN_LLAVA:
            return int(self._spelling.ids(["a" + LINE_END])[0][-1])
        return self.rendering.end

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodedConversation]:
        """Tokenize conversations.

        Raises:
            BadRowError: one of them cannot be labelled, see `encode_each`.
            UserError: the template rewrites its messages, or does not end each answer with the same
                special token.
        """
        encoded = []
        for made in self.encode_each(conversations):
            if isinstance(made, BadRowError):
                raise made
            encoded.append(made)
        return encoded

    def encode_each(
        self, conversations: Sequence[Conversation]
    ) -> list[EncodedConversation | BadRowError]:
        """Tokenize conversations; return the reason in place of one that cannot be labelled.

        A conversation cannot be labelled if an answer contains a special token (generation would end
        there), or text that the tokenizer cannot represent, or not after the prompt.

        Raises:
            UserError: the template rewrites its messages, or does not end each answer with the same
                special token.
        """
        captions = self.template == PLAIN_LLAVA
        parts = self._captions(conversations) if captions else self._dialogues(conversations)
        self._refuse_unwritten(parts, 0 if captions else 1)
        questions = self.questions([conversation.turns[0] for conversation in conversations])
        return [
            found if isinstance(found, BadRowError) else _assembled(found, question)
            for found, question in zip(parts, questions, strict=True)
        ]

    def questions(self, turns: Sequence[str]) -> list[list[int]]:
        """Return the ids of questions alone, without images and without the template.

        They are the input of a compressor that reads the question. A turn without text becomes
        `NO_QUESTION`; no list is empty.
        """
        texts = [turn.replace(IMAGE_TEXT, "").strip() or NO_QUESTION for turn in turns]
        found = self._spelling.ids([self.rendering.start + text for text in texts])
        return [ids or [self.tokenizer.eos_token_id] for ids in found]

    def prompts(self, questions: Sequence[str]) -> list[list[int]]:
        """Return the ids up to the start of the answer, one list per question."""
        return self._spelling.ids([self.prompt_text(question) for question in questions])

    def prompt_text(self, question: str) -> str:
        """Return the text that the model reads before it answers ``question``."""
        return self.rendering.prompt(question)

    def _dialogues(self, conversations: Sequence[Conversation]) -> list[Parts | BadRowError]:
        return self._splitter.split([self.rendering.conversation(c.turns) for c in conversations])

    def _captions(self, conversations: Sequence[Conversation]) -> list[Parts | BadRowError]:
        """Tokenize captions as LLaVA-1.5 does, separately from the text before the image.

        A tokenizer that adds a blank in front of every text (Llama) thus adds one after the image.
        Source: ``preprocess_plain`` and ``tokenizer_image_token`` there.
        """
        prompts = self.prompts([conversation.turns[0] for conversation in conversations])
        texts = [conversation.turns[1] + LINE_END for conversation in conversations]
        start = self._spelling.ids([self.rendering.start])[0]
        written = encode(self.tokenizer, texts)["input_ids"] if texts else []
        return [
            Parts([Answer(prompt, ids[len(start) :], text)], [])
            if self.stops.isdisjoint(ids[len(start) :])
            else BadRowError(f"its caption contains a special token of the tokenizer: {text!r:.80}")
            for prompt, ids, text in zip(prompts, written, texts, strict=True)
        ]

    def _refuse_unwritten(self, parts: list[Parts | BadRowError], ends: int) -> None:
        """Replace parts by a reason if an answer differs from its decoded ids, or follows nothing.

        The last ``ends`` ids of an answer are the token that ends it, which is not part of the text.
        """
        places = [
            (number, answer)
            for number, found in enumerate(parts)
            if not isinstance(found, BadRowError)
            for answer in found.answers
        ]
        written = self._spelling.texts([answer.ids[: len(answer.ids) - ends] for _, answer in places])
        for (number, answer), text in zip(places, written, strict=True):
            if not self._spelling.same(text, answer.text):
                parts[number] = BadRowError(
                    "this tokenizer cannot represent an answer: "
                    f"{answer.text!r:.80} becomes {text!r:.80}"
                )
            elif not answer.prompt:
                parts[number] = BadRowError(
                    f"nothing precedes its answer: template {self.template!r} leaves out the question, "
                    "and the row has no image"
                )


def _assembled(parts: Parts, question: Iterable[int]) -> EncodedConversation:
    ids: list[int] = []
    learned: list[bool] = []
    for answer in parts.answers:
        ids += answer.prompt + answer.ids
        learned += [False] * len(answer.prompt) + [True] * len(answer.ids)
    ids += parts.rest
    learned += [False] * len(parts.rest)
    question_ids = np.array(list(question), np.int32)
    return EncodedConversation(np.array(ids, np.int32), np.array(learned, bool), question_ids)
