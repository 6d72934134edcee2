"""Memory that answering takes on a device: weights in bf16 and the cache of keys and values."""

from __future__ import annotations

from paretoken.cost import adapter_parameters
from paretoken.cost_memory import BF16, GIB, cache_bytes
from paretoken.cost_models.base import CostModel, Numbers
from paretoken.cost_models.deployment import Deployment, LlmShape
from paretoken.cost_models.over_sizes import over_sizes


def _gib(deployment: Deployment, N: Numbers, V: Numbers, Q: float) -> Numbers:
    shapes = deployment.shapes
    assert shapes is not None  # noqa: S101  (`Cost` has checked what the model needs)
    encoder, adapter = shapes.encoder, shapes.adapter
    seen = encoder.parameters() if deployment.encoder else 0

    def one(llm: LlmShape, tokens: float) -> float:
        decoder = llm.decoder
        between = adapter_parameters(
            adapter.compressor, encoder.width, adapter.layers * encoder.width, decoder.hidden,
            adapter.inner, visual_tokens=tokens, side=encoder.side,
        )  # fmt: skip
        weights = BF16 * (llm.parameters + seen + between)
        length = Q + tokens + (deployment.answer_tokens or 1)
        return (weights + cache_bytes(decoder, deployment.batch, length)) / GIB

    return over_sizes(shapes, N, V, one)


MEMORY = CostModel(
    name="memory",
    title="memory of weights and KV cache",
    unit="GiB",
    leaves_out="activations and the framework's own memory",
    evaluate=_gib,
    counts=("answer_tokens", "batch", "encoder"),
    needs=("shapes",),
)
