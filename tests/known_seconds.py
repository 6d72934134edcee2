"""Seconds of an answer that are known for every size, token count, text and batch."""

from __future__ import annotations

SIZES, TOKENS, TEXT, BATCHES = (1.0, 2.0, 4.0), (1, 4, 16), (0, 50, 100), (1, 8)


def seconds(n: float, v: float, q: float, batch: float) -> dict[str, float]:
    """Affine in N, V and Q, so that interpolation between them is exact."""
    return {
        "encoder_s": 0.002 * batch,
        "prefill_s": 0.001 + 1e-4 * n + 1e-5 * (v + q) + 1e-3 * batch,
        "decode_s": 0.003 + 1e-3 * n,
        "encoder_j": 0.4 * batch,
        "prefill_j": 0.1 * n * batch,
        "decode_j": 0.05 * n,
    }
