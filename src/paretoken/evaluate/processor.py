"""Converting images and questions to arguments of `ParetokenModel.generate`, for interactive use.

::

    import paretoken.models
    from transformers import AutoModelForImageTextToText
    from paretoken.evaluate.processor import Processor

    model = AutoModelForImageTextToText.from_pretrained(folder)
    processor = Processor.from_pretrained(folder)
    inputs = processor(["cat.png"], ["What is it?"])
    print(processor.decode(model.generate(**inputs, max_new_tokens=20), inputs))
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoConfig

from paretoken.compressors.specification import specification
from paretoken.data.collation import pad_left, pad_right
from paretoken.data.images import decode_rgb, open_image
from paretoken.data.labels import ChatEncoder
from paretoken.data.preprocessor import Preprocessor, read_preprocessor
from paretoken.data.tokenizers import load_tokenizer, spell_answers
from paretoken.errors import UserError
from paretoken.evaluate.prediction import prompt_ids
from paretoken.evaluate.questions import Question
from paretoken.io.text_tables import counted
from paretoken.model_files.pretrained import load_pretrained
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.question_states import shortened


class Processor:
    """The tokenizer, template and image preprocessor of a stored model.

    Args:
        encoder: renders and tokenizes questions.
        preprocess: from images to pixel values; None for a model with V = 0.
        visual_tokens: V.
        asked: configuration of a model whose compressor reads the question; None for other models.
    """

    def __init__(
        self,
        encoder: ChatEncoder,
        preprocess: Preprocessor | None,
        visual_tokens: int,
        asked: ParetokenConfig | None,
    ) -> None:
        self.encoder, self.preprocess = encoder, preprocess
        self.visual_tokens, self.asked = visual_tokens, asked

    @classmethod
    def from_pretrained(cls, folder: str | Path, tokens: int | None = None) -> Processor:
        """Return the processor that `paretoken train` stored with a model.

        Args:
            folder: folder of the model.
            tokens: V, for an elastic model whose ``config.visual_tokens`` was changed; None: the
                stored V.

        Raises:
            UserError: a file is missing.
        """
        path = Path(folder)
        config: ParetokenConfig = load_pretrained(AutoConfig, path)
        aspect: Any = config.image_aspect
        preprocess = read_preprocessor(path, aspect) if config.visual_tokens else None
        encoder = ChatEncoder(load_tokenizer(path), config.template)
        V = config.visual_tokens if tokens is None else tokens
        asks = specification(config.compressor).reads_text and V > 0
        return cls(encoder, preprocess, V, config if asks else None)

    def __call__(
        self, images: Sequence[Image.Image | str | Path | None], questions: Sequence[str]
    ) -> dict[str, Tensor]:
        """Return ``input_ids``, ``attention_mask`` (padded on the left) and ``pixel_values``.

        For a model that reads the question, ``question_ids`` and ``question_mask`` are included.

        Args:
            images: one per question: a path, an image, or None for a question without an image.
            questions: the texts.

        Raises:
            UserError: an image cannot be read, or the numbers of images and questions differ.
        """
        if len(images) != len(questions):
            raise UserError(
                f"got {counted(len(images), 'image')} for {counted(len(questions), 'question')}; "
                "give an image or None for each"
            )
        texts = [
            Question("", None if image is None else "image", text, ()).prompt()
            for image, text in zip(images, questions, strict=True)
        ]
        tokenizer = self.encoder.tokenizer
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        ids, mask = pad_left(prompt_ids(self.encoder, texts, self.visual_tokens), pad)
        inputs = {"input_ids": ids, "attention_mask": mask}
        opened = [_open(image) for image in images if image is not None]
        if opened and self.preprocess is not None:
            inputs["pixel_values"] = torch.from_numpy(self.preprocess(opened))
        if opened and self.asked is not None:
            about = [text for image, text in zip(images, questions, strict=True) if image is not None]
            asked = shortened(self.encoder.questions(about), self.asked)
            inputs["question_ids"], inputs["question_mask"] = pad_right(asked)
        return inputs

    def decode(self, output: Tensor, inputs: dict[str, Tensor]) -> list[str]:
        """Return the answers in the output of `generate` for ``inputs``."""
        new = output[:, inputs["input_ids"].shape[1] :]
        texts = spell_answers(self.encoder.tokenizer, new)
        return [text.strip() for text in texts]


def _open(image: Image.Image | str | Path) -> Image.Image:
    if isinstance(image, Image.Image):
        return decode_rgb(image, "that was given")
    return open_image(Path(image), str(image))
