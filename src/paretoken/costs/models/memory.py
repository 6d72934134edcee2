"""Device memory for answering: weights in bf16, and the cache of keys and values."""

from __future__ import annotations

from paretoken.costs.activation_memory import BF16
from paretoken.costs.gpu_memory import GIB, cache_bytes
from paretoken.costs.models.base import CostModel
from paretoken.costs.models.deployment import Deployment, LlmShape
from paretoken.costs.models.over_sizes import over_sizes
from paretoken.io.arrays import Numbers


def _gib(deployment: Deployment, N: Numbers, V: Numbers, Q: float) -> Numbers:
    shapes = deployment.shapes
    assert shapes is not None  # noqa: S101  (`Cost` has checked what the model needs)
    seen = shapes.encoder.parameters() if deployment.encoder else 0

    def one(llm: LlmShape, tokens: float) -> float:
        between, _ = shapes.between(llm, tokens)
        weights = BF16 * (llm.parameters + seen + between)
        length = Q + tokens + (deployment.answer_tokens or 1)
        return (weights + cache_bytes(llm.decoder, deployment.batch, length)) / GIB

    return over_sizes(shapes, N, V, one)


MEMORY = CostModel(
    name="memory",
    title="memory of weights and KV cache",
    unit="GiB",
    each="",
    leaves_out="activations and the framework's own memory",
    evaluate=_gib,
    counts=("answer_tokens", "batch", "encoder"),
    needs=("shapes",),
)
