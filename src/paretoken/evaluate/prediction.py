"""Batched greedy prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import torch

from paretoken.compressors.specification import specification
from paretoken.data.collation import VisualStore, pad_left, pad_right
from paretoken.data.labels import ChatEncoder
from paretoken.data.tokenizers import spell_answers
from paretoken.errors import UserError
from paretoken.evaluate.kept_pictures import KeptPictures
from paretoken.evaluate.question_order import batches
from paretoken.evaluate.questions import Question
from paretoken.io.escape import shown
from paretoken.io.text_tables import counted
from paretoken.model_files.positions import positions_of
from paretoken.models.language import stop_ids
from paretoken.models.question_states import shortened
from paretoken.models.vlm import ParetokenModel


@dataclass(frozen=True)
class Prediction:
    """One answer of a model."""

    text: str
    generated_tokens: int  # including the end token


class Predictor:
    """A model that answers questions greedily.

    Args:
        model: the model, in evaluation mode and on its device.
        encoder: renders and tokenizes prompts.
        visual: store of features or pixels; None for a model with V = 0.
        batch: questions at a time.
        max_new_tokens: most tokens of an answer.
        adaptive: whether the number of tokens is adapted to each image (`prumerge`) instead of V.

    Raises:
        UserError: the model reads images, but ``visual`` is None.
    """

    def __init__(
        self,
        model: ParetokenModel,
        encoder: ChatEncoder,
        visual: VisualStore | None,
        batch: int = 64,
        max_new_tokens: int = 16,
        adaptive: bool = False,
    ) -> None:
        if visual is None and model.config.visual_tokens:
            raise UserError("this model reads images: give --features or --images")
        self.model, self.encoder, self.visual = model, encoder, visual
        self.batch, self.max_new_tokens, self.adaptive = batch, max_new_tokens, adaptive
        # The learned end token of an answer may be missing from the model's own (Gemma, Llama 3).
        self.stops = {*stop_ids(model.generation_config), encoder.tokenizer.eos_token_id, encoder.end_id}
        sees = visual is not None and model.config.visual_tokens > 0
        self.pictures = KeptPictures(model, visual, adaptive) if visual is not None and sees else None
        self.asks = specification(model.config.compressor).reads_text and model.config.visual_tokens > 0
        self.forget()
        pad = encoder.tokenizer.pad_token_id
        self.pad_id = encoder.tokenizer.eos_token_id if pad is None else pad

    def answer(
        self,
        questions: Sequence[Question],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> list[Prediction]:
        """Return one prediction per question, in the order of the questions.

        Batches hold prompts of similar length. The visual tokens of a picture are kept between batches,
        see `paretoken.evaluate.question_order`.
        """
        prompts = self._prompts(questions)
        self._require_fitting(questions, prompts)
        found: dict[int, Prediction] = {}
        for numbers in self._batches(questions, prompts):
            chosen = [questions[i] for i in numbers]
            part = self._generate([prompts[i] for i in numbers], chosen)
            found.update(zip(numbers, part, strict=True))
            progress(len(found), len(questions))
        return [found[i] for i in range(len(questions))]

    def misfits(self, questions: Sequence[Question], max_new_tokens: int) -> dict[int, str]:
        """Return the problems of prompts that do not fit the model, by index.

        A prompt must have a placeholder for each picture, and must fit with the longest answer into the
        positions of the language model. With ``adaptive``, a picture may need a token per patch.
        """
        return self._misfits(questions, self._prompts(questions), max_new_tokens)

    def _prompts(self, questions: Sequence[Question]) -> list[list[int]]:
        """Return the token ids of prompts, with one placeholder per image."""
        return self.encoder.prompts([question.prompt() for question in questions]) if questions else []

    def _require_fitting(self, questions: Sequence[Question], prompts: Sequence[Sequence[int]]) -> None:
        problems = self._misfits(questions, prompts, self.max_new_tokens)
        if problems:
            place = min(problems)
            raise UserError(
                f"{len(problems)} of {counted(len(questions), 'question')} "
                f"{'does' if len(problems) == 1 else 'do'} not fit the model, "
                f"for example {shown(questions[place].id)}: {problems[place]}; shorten them, or lower "
                "--max-new-tokens"
            )

    def _misfits(
        self, questions: Sequence[Question], prompts: Sequence[Sequence[int]], max_new_tokens: int
    ) -> dict[int, str]:
        config = self.model.config
        V = config.grid_side**2 if self.adaptive else config.visual_tokens
        room, found = positions_of(config.text_config), {}
        for number, ids in enumerate(prompts):
            pictures, places = len(questions[number].images), ids.count(self.encoder.image_id)
            length = len(ids) + places * (V - 1)
            if config.visual_tokens and places != pictures:
                found[number] = (
                    f"its prompt has {counted(places, 'placeholder')} for "
                    f"{counted(pictures, 'image')} with the "
                    f"template {self.encoder.template}"
                )
            elif room is not None and length + max_new_tokens > room:
                found[number] = (
                    f"its prompt has {length} tokens and its answer up to {max_new_tokens}; the model "
                    f"has {room} positions"
                )
        return found

    @property
    def encoded(self) -> int:
        """How often the visual tokens (or the features) of a picture were made so far."""
        return 0 if self.pictures is None else self.pictures.made

    def forget(self) -> None:
        """Clear the caches of question embeddings and of pictures."""
        if self.pictures is not None:
            self.pictures.forget()
        if self.asks:  # weights do not change during prediction, so a cache is valid
            self.model.question_cache = {}

    def _batches(
        self, questions: Sequence[Question], prompts: Sequence[Sequence[int]]
    ) -> list[list[int]]:
        # The number of tokens of a picture may only be known when its batch is answered.
        V, image_id = 1 if self.adaptive else self.model.config.visual_tokens, self.encoder.image_id
        lengths = [len(ids) + (V - 1) * ids.count(image_id) for ids in prompts]
        room = 0 if self.pictures is None else self.pictures.room
        return batches(lengths, [question.images for question in questions], self.batch, room)

    @torch.inference_mode()
    def _generate(
        self, prompts: Sequence[Sequence[int]], questions: Sequence[Question]
    ) -> list[Prediction]:
        device = self.model.device
        counts, images = self._images(questions)
        prompts = expanded(prompts, self.encoder.image_id, counts)
        ids, mask = pad_left(prompts, self.pad_id)
        model: Any = self.model  # the signature of `generate` is typed for a protocol, not for models
        output = model.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            do_sample=False,
            max_new_tokens=self.max_new_tokens,
            eos_token_id=sorted(self.stops),
            pad_token_id=self.pad_id,
            **images,
        )
        new = output[:, ids.shape[1] :].tolist()
        answers = [self._until_stop(row) for row in new]
        texts = spell_answers(self.encoder.tokenizer, answers)
        return [
            Prediction(text.strip(), min(len(answer) + 1, len(row)))
            for text, answer, row in zip(texts, answers, new, strict=True)
        ]

    def _until_stop(self, ids: list[int]) -> list[int]:
        end = next((i for i, token in enumerate(ids) if token in self.stops), len(ids))
        return ids[:end]

    def _images(self, questions: Sequence[Question]) -> tuple[Iterable[int], dict[str, Any]]:
        """Return the tokens of each picture in reading order, and the model's arguments of pictures."""
        names = [name for question in questions for name in question.images]
        V = self.model.config.visual_tokens
        if self.pictures is None or not names:
            return repeat(V), {}
        found = self.pictures.get(names)
        if not self.asks:
            tokens = [found[name] for name in names]
            return map(len, tokens), {"image_tokens": torch.cat(tokens)}
        number = {name: i for i, name in enumerate(found)}
        texts = [question.text for question in questions for _ in question.images]
        asked, mask = pad_right(shortened(self.encoder.questions(texts), self.model.config))
        arguments = {
            "features": torch.stack(list(found.values())),
            "image_index": torch.tensor([number[name] for name in names]),
            "question_ids": asked,
            "question_mask": mask,
        }
        return repeat(V), {name: value.to(self.model.device) for name, value in arguments.items()}


def prompt_ids(encoder: ChatEncoder, questions: Sequence[str], V: int) -> list[list[int]]:
    """Return the token ids of prompts, with V placeholders per image."""
    return expanded(encoder.prompts(questions), encoder.image_id, repeat(V))


def expanded(prompts: Sequence[Sequence[int]], image_id: int, counts: Iterable[int]) -> list[list[int]]:
    """Return prompts with several placeholders in the place of each image's single one.

    Args:
        prompts: token ids.
        image_id: id of the placeholder.
        counts: placeholders of each image, in reading order over all prompts.
    """
    at_places = iter(counts)
    return [
        [token for token in row for _ in range(next(at_places) if token == image_id else 1)]
        for row in prompts
    ]
