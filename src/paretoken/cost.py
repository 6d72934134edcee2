"""What one answer costs, as plain arithmetic."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", float, NDArray[np.float64])

#: FLOPs per parameter and token of a forward pass: one multiplication and one addition.
FLOPS_PER_PARAMETER = 2


def flops_2nt(params_b: Number, visual_tokens: Number, text_tokens: float) -> Number:
    """Return the inference cost 2 N (Q + V) in FLOPs, the paper's cost model (section 3.1).

    Attention, logits and the vision encoder are left out, as in the paper. Arrays broadcast.

    Args:
        params_b: N, billions of parameters.
        visual_tokens: V, visual tokens per image.
        text_tokens: Q, text tokens per question.
    """
    return FLOPS_PER_PARAMETER * params_b * 1e9 * (text_tokens + visual_tokens)
