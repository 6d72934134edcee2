"""Trained models as lmms-eval models: `python -m lmms_eval --model paretoken ...`.

Only lmms-eval imports this module, which requires it; see docs/lmms_eval.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmms_eval.api.model import lmms
from PIL import Image

from paretoken.data.image_places import IMAGE_TEXT
from paretoken.data.images import ImageSource, check_size, decode_rgb
from paretoken.errors import UserError
from paretoken.evaluate.lmms_answers import batches, cut, generation
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.questions import Question
from paretoken.io.text_tables import counted

#: Arguments of lmms-eval's requests: text, generation settings, pictures of a row, row, task, split.
Arguments = tuple[str, Mapping[str, Any], Any, int, str, str]


class Pictures(ImageSource):
    """The decoded pictures of the current batch, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, Image.Image] = {}

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return the names that are not held."""
        return [name for name in names if name not in self.held]

    def open(self, name: str) -> Image.Image:
        """Return a picture in RGB; raise `UserError` if the scale of its values is unknown."""
        return decode_rgb(self.held[name], name)


class TrainedModel(lmms):  # type: ignore[misc]  # lmms-eval has no types
    """A trained model that answers greedily and in batches, like `paretoken predict`.

    Args:
        pretrained: the folder ``model`` that `paretoken train` wrote.
        batch_size: questions at a time.
        device: ignored; a GPU is used if there is one.
        max_batch_size: ignored; batches have a fixed size.
        tokens: V, for an elastic model; None: that of its training.

    Raises:
        UserError: the folder cannot be loaded, or several processes were started.
    """

    is_simple = True

    def __init__(
        self,
        pretrained: str,
        batch_size: int | str = 1,
        device: str | None = None,
        max_batch_size: int | None = None,
        tokens: int | str | None = None,
    ) -> None:
        super().__init__()
        if os.getenv("WORLD_SIZE", "1") != "1":
            raise UserError("this model supports one process only; start lmms-eval without a launcher")
        self.pictures = Pictures()
        self.batch = _whole(batch_size)
        V = None if tokens is None else int(tokens)
        self.predictor = open_predictor(
            Path(pretrained), images=self.pictures, batch=self.batch, tokens=V
        )

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Return the answer to each request, in order.

        Raises:
            UserError: a row shows something other than pictures, or its text has another number of
                placeholders than pictures.
        """
        asked: list[Arguments] = [request.args for request in requests]
        found: dict[int, str] = {}
        self.predictor.forget()  # pictures of another call may have the same names
        for numbers in batches([(args[0], args[1]) for args in asked], self.batch):
            part = [asked[number] for number in numbers]
            found.update(zip(numbers, self._answer(part), strict=True))
        return [found[number] for number in range(len(asked))]

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Raise `UserError`: likelihoods are not supported.

        Raises:
            UserError: always.
        """
        raise UserError(
            "tasks that compare likelihoods are not supported; choose one that generates answers"
        )

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Raise `UserError`: tasks with several rounds are not supported.

        Raises:
            UserError: always.
        """
        raise UserError("tasks with several rounds are not supported; choose one with a single round")

    def _answer(self, part: Sequence[Arguments]) -> list[str]:
        """Return the answers of one batch, whose generation settings are equal."""
        self.pictures.held.clear()
        questions = [self._question(number, args) for number, args in enumerate(part)]
        self.predictor.max_new_tokens, until = generation(part[0][1])
        return [cut(found.text, until) for found in self.predictor.answer(questions)]

    def _question(self, number: int, args: Arguments) -> Question:
        text, _, doc_to_visual, row, task, split = args
        place = f"task {task}, row {row}"
        names = []
        for order, picture in enumerate(doc_to_visual(self.task_dict[task][split][row]) or []):
            if not isinstance(picture, Image.Image):
                kind = type(picture).__name__
                raise UserError(
                    f"{place} shows a {kind}; only pictures are supported: choose another task"
                )
            names.append(f"{task}/{split}/{row}/{order}")
            check_size(*picture.size, names[-1])
            self.pictures.held[names[-1]] = picture
        if text.count(IMAGE_TEXT) not in (0, len(names)):
            raise UserError(
                f"{place}: its text has {counted(text.count(IMAGE_TEXT), 'placeholder')} for "
                f"{counted(len(names), 'picture')}"
            )
        return Question(str(number), names[0] if names else None, text, (), tuple(names[1:]))


def _whole(batch_size: int | str) -> int:
    try:
        return max(1, int(batch_size))
    except ValueError:
        raise UserError(f"batch_size is {batch_size}; it must be a whole number") from None
