"""The paper's cost, which is the default everywhere."""

from __future__ import annotations

from paretoken.costs.models.base import Cost
from paretoken.costs.models.flops import FLOPS_2NT

#: 2 N (Q + V).
PAPER_COST = Cost(FLOPS_2NT)
