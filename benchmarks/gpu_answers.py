"""Questions per second by the loop of `paretoken predict`, for `gpu_acceptance`.

As in benchmarks, many questions are asked about each picture. Weights are random, so answers do not end
before their longest length.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from gpu_checks import Check, Result, judged
from paretoken.data.image_places import IMAGE_TEXT
from paretoken.data.labels import ChatEncoder
from paretoken.evaluate.prediction import Predictor
from paretoken.evaluate.questions import Question
from paretoken.models.language import greedy_generation_config
from random_models import Llm, Pictures, Scale, build, configuration, here

CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|> ' + m['role'] + ' ' + m['content'] + ' <|im_end|> ' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|> assistant ' }}{% endif %}"
)
SPECIALS = ("<pad>", "<unk>", "<|im_start|>", "<|im_end|>", IMAGE_TEXT)
RULE = "an answer of the longest length to each question; each picture is encoded once"


def checks(scale: Scale) -> list[Check]:
    """Return a check per V, of the smallest and the largest language model."""
    names = list(scale.shapes)
    return [
        Check(f"{name}, V = {V}", partial(answer, scale, name, V), scale.shapes[name].layers)
        for name in dict.fromkeys((names[0], names[-1]))
        for V in scale.tokens
    ]


def answer(scale: Scale, llm: str, V: int) -> Result:
    """Return how many questions are answered per second, and how many pictures are encoded."""
    dtype = torch.bfloat16 if here().type == "cuda" else torch.float32
    predictor = random_predictor(scale, scale.shapes[llm], V, dtype)
    asked = questions(scale)
    predictor.answer(asked[: scale.asked_at_once])  # warms up
    # Another predictor, since one may keep what it has encoded.
    predictor = Predictor(
        predictor.model, predictor.encoder, predictor.visual, scale.asked_at_once, scale.answer
    )
    encoded = 0

    def count(_module: Any, inputs: tuple[Any, ...], _output: Any) -> None:
        nonlocal encoded
        encoded += len(inputs[0])

    encoder = predictor.model.vision_encoder
    assert encoder is not None
    handle = encoder.register_forward_hook(count)
    started = time.perf_counter()
    found = predictor.answer(asked)
    seconds = time.perf_counter() - started
    handle.remove()
    complete = all(prediction.generated_tokens == scale.answer for prediction in found)
    peak = {"peak_gib": torch.cuda.max_memory_allocated() / 2**30} if here().type == "cuda" else {}
    return judged(
        complete and len(found) == len(asked) and encoded == scale.pictures, RULE,
        questions=len(asked), questions_per_s=len(asked) / seconds, pictures=scale.pictures,
        encodings=encoded, batch=scale.asked_at_once, **peak,
    )  # fmt: skip


def random_predictor(
    scale: Scale, llm: Llm, V: int, dtype: torch.dtype, batch: int | None = None
) -> Predictor:
    """Return a predictor with random weights, which depend on the shapes only."""
    encoder = ChatEncoder(word_tokenizer(scale.vocabulary))
    torch.manual_seed(0)
    config = configuration(scale, llm, V, image_token=encoder.image_id)
    model = build(config, here(), dtype)
    model.generation_config = greedy_generation_config(None, encoder.image_id)
    # Random weights must not end an answer.
    model.generation_config.suppress_tokens = list(range(len(SPECIALS)))
    store = Pictures(scale.clip["image_size"], scale.pictures)
    return Predictor(model, encoder, store, batch or scale.asked_at_once, scale.answer)


def questions(scale: Scale) -> list[Question]:
    """Return questions of 5 to 40 words, several about each picture, in random order."""
    rng = np.random.default_rng(0)
    pictures = rng.permutation(np.repeat(np.arange(scale.pictures), scale.questions))
    texts = [
        " ".join(f"w{word}" for word in rng.integers(0, scale.vocabulary - 100, rng.integers(5, 41)))
        for _ in pictures
    ]
    return [
        Question(str(number), str(picture), text, ("w1",))
        for number, (picture, text) in enumerate(zip(pictures, texts, strict=True))
    ]


def word_tokenizer(count: int) -> Any:
    """Return a tokenizer of ``count`` tokens: special ones, those of the template, and w0, w1, ..."""
    names = [*SPECIALS, "user", "assistant", "system"]
    names += [f"w{number}" for number in range(count - len(names))]
    raw = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token=SPECIALS[1]))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    kind: Any = PreTrainedTokenizerFast  # its constructor is untyped
    tokenizer = kind(
        tokenizer_object=raw, pad_token=SPECIALS[0], unk_token=SPECIALS[1], eos_token=SPECIALS[3],
        additional_special_tokens=[SPECIALS[2], IMAGE_TEXT],
    )  # fmt: skip
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
