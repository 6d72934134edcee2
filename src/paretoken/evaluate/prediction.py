"""Batched greedy prediction, and the file of its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from paretoken.compressors.specification import specification
from paretoken.data.collation import VisualStore, pad_left, pad_right
from paretoken.data.labels import ChatEncoder
from paretoken.data.tokenizers import spell_answers
from paretoken.data.truncation import expand
from paretoken.errors import UserError
from paretoken.evaluate.left_out import with_left_out
from paretoken.evaluate.questions import Question
from paretoken.io.escape import shown
from paretoken.io.files import replacing
from paretoken.io.text_tables import counted
from paretoken.model_files.positions import positions_of
from paretoken.models.language import stop_ids
from paretoken.models.question_states import shortened
from paretoken.models.vlm import ParetokenModel

#: Columns that are added to the questions.
ANSWERED = ("prediction", "generated_tokens")


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

        Batches hold prompts of similar length. Questions on one image are put into the same batch if
        possible, in which its features are read and projected only once.
        """
        read = self._prompts(questions)
        self._require_fitting(questions, read)
        V = (
            1 if self.adaptive else self.model.config.visual_tokens
        )  # expanded later, when the number is known
        prompts = expanded(read, self.encoder.image_id, V)
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

    def forget(self) -> None:
        """Clear the cache of question embeddings."""
        if self.asks:  # weights do not change during prediction, so a cache is valid
            self.model.question_cache = {}

    def _batches(
        self, questions: Sequence[Question], prompts: Sequence[Sequence[int]]
    ) -> Iterator[list[int]]:
        order = sorted(
            range(len(questions)), key=lambda i: (len(prompts[i]), questions[i].image or "", i)
        )
        for start in range(0, len(order), self.batch):
            yield order[start : start + self.batch]

    @torch.inference_mode()
    def _generate(
        self, prompts: Sequence[Sequence[int]], questions: Sequence[Question]
    ) -> list[Prediction]:
        device = self.model.device
        images = self._images(questions, device)
        if self.adaptive and images:
            prompts, images = self._adapted(prompts, images)
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

    def _adapted(
        self, prompts: Sequence[Sequence[int]], images: dict[str, Any]
    ) -> tuple[list[list[int]], dict[str, Any]]:
        """Return prompts with the adapted number of placeholders per image, and the images' features."""
        features, index = images.get("features"), images["image_index"]
        if features is None:
            encoder: Any = self.model.vision_encoder
            features = encoder(images["pixel_values"])
        counts = [len(tokens) for tokens in self.model.adaptive_tokens(features=features)]
        at_places = iter([counts[image] for image in index.tolist()])
        image_id, made = self.encoder.image_id, []
        for row in prompts:
            made.append([t for t in row for _ in range(next(at_places) if t == image_id else 1)])
        found = torch.tensor([counts[image] for image in index.tolist()])
        return made, {"features": features, "image_index": index, "token_counts": found}

    def _until_stop(self, ids: list[int]) -> list[int]:
        end = next((i for i, token in enumerate(ids) if token in self.stops), len(ids))
        return ids[:end]

    def _images(self, questions: Sequence[Question], device: torch.device) -> dict[str, Any]:
        names = [name for question in questions for name in question.images]
        if self.visual is None or not names or not self.model.config.visual_tokens:
            return {}
        unique = list(dict.fromkeys(names))
        number = {name: i for i, name in enumerate(unique)}
        values = self.visual.gather(self.visual.locate(unique))
        index = torch.tensor([number[name] for name in names])
        found = {self.visual.argument: values, "image_index": index}
        if self.asks:
            texts = [question.text for question in questions for _ in question.images]
            asked = shortened(self.encoder.questions(texts), self.model.config)
            found["question_ids"], found["question_mask"] = pad_right(asked)
        return {name: value.to(device) for name, value in found.items()}


def prompt_ids(encoder: ChatEncoder, questions: Sequence[str], V: int) -> list[list[int]]:
    """Return the token ids of prompts, with V placeholders per image."""
    return expanded(encoder.prompts(questions), encoder.image_id, V)


def expanded(prompts: Sequence[Sequence[int]], image_id: int, V: int) -> list[list[int]]:
    """Return prompts with V placeholders in the place of each image's single one."""
    rows = []
    for ids in prompts:
        array = np.array(ids)
        for place in reversed(np.flatnonzero(array == image_id)):
            array = expand(array, int(place), V)
        rows.append(array.tolist())
    return rows


def write_predictions(
    path: Path,
    questions: Sequence[Question],
    predictions: Sequence[Prediction],
    left_out: Mapping[int, str] | None = None,
) -> None:
    """Write one row per question to Parquet, atomically and in the order of the questions.

    The columns are question_id, prompt, answer (list of accepted texts), prediction and
    generated_tokens. If the questions have the data set's own columns, these replace question_id and
    answer.

    Args:
        path: file to write.
        questions: the questions.
        predictions: their answers.
        left_out: rows of the questions' file that were left out, with reasons; see
            `paretoken.evaluate.left_out`.

    Raises:
        UserError: see `stored_questions`.
    """
    import pyarrow
    from pyarrow.parquet import write_table

    generated = [prediction.generated_tokens for prediction in predictions]
    table = stored_questions(questions)
    table = table.append_column(ANSWERED[0], pyarrow.array([p.text for p in predictions]))
    table = table.append_column(ANSWERED[1], pyarrow.array(generated, pyarrow.int32()))
    table = with_left_out(table, left_out or {})
    with replacing(path) as temporary:
        write_table(table, temporary)


def stored_questions(questions: Sequence[Question]) -> Any:
    """Return the table of the questions' columns in a file of predictions.

    Raises:
        UserError: questions differ in their columns, have one that is reserved for answers, or a column
            mixes types or holds empty objects, which Parquet does not support.
    """
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    columns: dict[str, list[Any]] = {
        "question_id": [question.id for question in questions],
        "prompt": [question.prompt() for question in questions],
        "answer": [list(question.answers) for question in questions],
    }
    if questions and questions[0].columns:
        names = questions[0].columns
        if taken := [name for name in ANSWERED if name in names]:
            raise UserError(
                f"the questions have a column {shown(taken[0])}, which is reserved for answers: "
                "rename it"
            )
        for question in questions:
            if question.columns.keys() != names.keys():
                other = min(question.columns.keys() ^ names.keys())
                raise UserError(
                    f"some questions have a column {shown(other)}, but others do not; add it to all"
                )
        own = {name: [question.columns[name] for question in questions] for name in names}
        columns = {**own, "prompt": columns["prompt"]}
    arrays = {}
    for name, values in columns.items():
        try:
            arrays[name] = pyarrow.array(values)
            # Parquet supports fewer types than Arrow: objects without keys are missing.
            ParquetWriter(BytesIO(), pyarrow.schema([(name, arrays[name].type)])).close()
        except (pyarrow.ArrowException, OverflowError) as error:
            raise UserError(
                f"column {shown(name)} of the questions cannot be stored: {error}; write values of one "
                "type, and no empty objects"
            ) from error
    return pyarrow.table(arrays)
