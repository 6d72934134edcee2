"""FLOPs of one answer: the paper's 2 N (Q + V), and everything counted."""

from __future__ import annotations

import numpy as np

from paretoken.compressors.specification import specification
from paretoken.costs.answer_work import decoder_work, encoder_work, flops_2nt
from paretoken.costs.models.base import CostModel
from paretoken.costs.models.deployment import Deployment, LlmShape, Shapes
from paretoken.costs.models.over_sizes import over_sizes
from paretoken.io.arrays import Numbers


def _paper(deployment: Deployment, N: Numbers, V: Numbers, Q: float) -> Numbers:
    return flops_2nt(N, V, 0.0 if deployment.cached_text else Q)


def _exact(deployment: Deployment, N: Numbers, V: Numbers, Q: float) -> Numbers:
    shapes = deployment.shapes
    assert shapes is not None  # noqa: S101  (`Cost` has checked what the model needs)
    image = encoder_work(shapes.encoder).forward if deployment.encoder else 0.0

    def one(llm: LlmShape, tokens: float) -> float:
        return image + answer_flops(deployment, shapes, llm, tokens, Q)

    return over_sizes(shapes, N, V, one)


def answer_flops(deployment: Deployment, shapes: Shapes, llm: LlmShape, V: float, Q: float) -> float:
    """Return the FLOPs of compressor, projector and language model for one answer.

    The first token of an answer comes from the prompt's pass. Each further one takes a pass over all
    weights, with attention to all tokens before it. Cached text costs only attention.

    Args:
        deployment: its length of an answer, and whether its text is cached.
        shapes: dimensions of encoder and adapter.
        llm: the language model.
        V: visual tokens.
        Q: text tokens.
    """
    decoder = llm.decoder
    new = V if deployment.cached_text else Q + V
    prompt = decoder_work(decoder, [new], logits=1)
    per_pair = prompt.attention / new**2 if new else 0.0
    total = prompt.weights + per_pair * new * (Q + V)
    further = max(0.0, (deployment.answer_tokens or 1) - 1)
    step = decoder_work(decoder, [1.0], logits=1)
    mean_context = Q + V + (further + 1) / 2
    total += further * (step.weights + step.attention * mean_context)
    total += shapes.between(llm, V)[1]
    if specification(shapes.adapter.compressor).reads_text and not deployment.cached_text:
        total += decoder_work(decoder, [Q], logits=0).forward
    return float(np.float64(total))


FLOPS_2NT = CostModel(
    name="flops_2nt",
    title="2N(Q + V)",
    unit="FLOPs",
    leaves_out="attention, logits, vision encoder and decoding",
    evaluate=_paper,
    counts=("cached_text",),
)
FLOPS_EXACT = CostModel(
    name="flops_exact",
    title="all FLOPs",
    unit="FLOPs",
    leaves_out="",
    evaluate=_exact,
    counts=("answer_tokens", "encoder", "cached_text"),
    needs=("shapes",),
)
