"""The ways to count the cost of an answer that are compared with each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from paretoken.costs.models.base import Cost
from paretoken.costs.models.deployment import Deployment
from paretoken.registry import COST_MODELS

#: Lengths of the answers that are compared, in tokens: a sentence, and a paragraph.
ANSWERS = (32, 256)


@dataclass(frozen=True)
class Scenario:
    """A cost with a short name for addresses and a label for figures."""

    name: str
    label: str
    cost: Cost


def scenarios(deployment: Deployment) -> list[Scenario]:
    """Return the scenarios that the given dimensions, measurements and price allow.

    The paper's cost is always included. Encoder, cached text, length of answers and memory need
    dimensions; latency, energy and price must be measured or given.
    """
    found = [
        _scenario("flops_2nt", "2N(Q + V)", deployment),
        _scenario("flops_2nt", "2N(Q + V), text cached", deployment, cached_text=True),
    ]
    if deployment.shapes is not None:
        found += [
            _scenario("flops_exact", "All FLOPs of the LLM", deployment, encoder=False),
            _scenario("flops_exact", "+ vision encoder", deployment),
            _scenario("flops_exact", "+ encoder, text cached", deployment, cached_text=True),
            *[
                _scenario("flops_exact", f"+ encoder, {n}-token answer", deployment, answer_tokens=n)
                for n in ANSWERS
            ],
            _scenario("memory", "Memory (weights, KV cache)", deployment),
        ]
    return found + _measured(deployment)


def _measured(deployment: Deployment) -> list[Scenario]:
    table = deployment.latency
    if table is None:
        return []
    found = [_scenario("latency", "Latency, encoder included", deployment)]
    if table.measured("encoder_s"):
        found.append(_scenario("latency", "Latency, without encoder", deployment, encoder=False))
    if table.measured("decode_s"):
        found += [
            _scenario("latency", f"Latency, {n}-token answer", deployment, answer_tokens=n)
            for n in ANSWERS
        ]
    if table.measured("prefill_j"):
        found.append(_scenario("energy", "Energy", deployment))
    if deployment.price_per_hour is not None:
        found.append(_scenario("price", "Price", deployment))
    return found


def _scenario(model: str, label: str, deployment: Deployment, **settings: object) -> Scenario:
    changed = replace(deployment, **settings)  # type: ignore[arg-type]
    suffix = "".join(
        f"-{name}" if value is True else f"-no_{name}" if value is False else f"-{value}"
        for name, value in settings.items()
    )
    return Scenario(f"{model}{suffix}", label, Cost(COST_MODELS.load(model), changed))
