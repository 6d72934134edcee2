"""The same questions in batches of other sizes and in another order, for `gpu_acceptance`.

Sums depend on a kernel's tiles, and these on the size of a batch, so logits in bf16 differ by rounding,
and an answer with random weights, whose best tokens are close to each other, may differ, too. In fp32
the differences are too small for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from gpu_answers import questions, random_predictor
from gpu_checks import Check, Result, judged
from paretoken.data.collation import pad_left
from paretoken.evaluate.prediction import Predictor, prompt_ids
from paretoken.evaluate.questions import Question
from random_models import Scale, here

#: Most questions, of which each is also answered alone.
ASKED = 48
#: Largest root mean square of the differences of logits, as a share of the logits' spread.
SPREAD = {torch.float32: 1e-4, torch.bfloat16: 0.05}


def checks(scale: Scale) -> list[Check]:
    """Return a check per number format, with the smallest language model."""
    return [
        Check("fp32", partial(invariance, scale, torch.float32)),
        Check("bf16", partial(invariance, scale, torch.bfloat16)),
    ]


def invariance(scale: Scale, dtype: torch.dtype) -> Result:
    """Return the shares of equal answers, and how far logits are apart."""
    torch.backends.cudnn.allow_tf32 = False  # convolutions in fp32 would be rounded to 11 bits
    V = scale.tokens[-2]
    predictor = random_predictor(scale, next(iter(scale.shapes.values())), V, dtype)
    asked = questions(scale)[:ASKED]
    together = _answers(predictor, asked, scale.asked_at_once)
    alone = _answers(predictor, asked, 1)
    turned = _answers(predictor, asked[::-1], max(2, scale.asked_at_once // 3))[::-1]
    apart = _logits_apart(predictor, asked[: scale.asked_at_once], V)
    equal, distinct = (_share(together, alone), _share(together, turned)), len(set(together))
    exact = dtype == torch.float32
    rule = (
        f"logits of the first token apart by at most {SPREAD[dtype]:g} of their spread (RMS); at least "
        "half of the answers distinct, or equality would say little; "
    )
    return judged(
        apart <= SPREAD[dtype]
        and 2 * distinct >= len(asked)
        and (not exact or equal == (1.0, 1.0)),
        rule + ("all answers equal" if exact else "the share of equal answers is reported only"),
        questions=len(asked), equal_alone=equal[0], equal_in_other_batches=equal[1],
        logits_apart=apart, distinct_answers=distinct,
    )  # fmt: skip


def _answers(predictor: Predictor, asked: Sequence[Question], batch: int) -> list[tuple[str, int]]:
    again = Predictor(
        predictor.model, predictor.encoder, predictor.visual, batch, predictor.max_new_tokens
    )
    return [(found.text, found.generated_tokens) for found in again.answer(asked)]


def _share(one: Sequence[object], other: Sequence[object]) -> float:
    """Return the share of equal pairs."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def _logits_apart(predictor: Predictor, asked: Sequence[Question], V: int) -> float:
    """Return the RMS difference of logits between a batch and its questions alone, over their spread."""
    together = _first_logits(predictor, asked, V)
    alone = torch.cat([_first_logits(predictor, [question], V) for question in asked])
    return float((together - alone).square().mean().sqrt() / together.std())


@torch.inference_mode()
def _first_logits(predictor: Predictor, asked: Sequence[Question], V: int) -> Tensor:
    """Return the logits of the first token of each answer (questions, vocabulary)."""
    prompts = prompt_ids(predictor.encoder, [question.prompt() for question in asked], V)
    ids, mask = pad_left(prompts, 0)
    assert predictor.visual is not None
    names = [name for question in asked for name in question.images]
    pixels = predictor.visual.gather(predictor.visual.locate(names)).to(here())
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    output = nn.Module.__call__(
        predictor.model, input_ids=ids.to(here()), attention_mask=mask.to(here()),
        position_ids=positions.to(here()), pixel_values=pixels, logits_to_keep=1,
    )  # fmt: skip
    logits: Tensor = output["logits"][:, -1].float()
    return logits
