"""No compression: every patch is a visual token, as in LLaVA-1.5 (its MLP is the projector)."""

from __future__ import annotations

from paretoken.compressors.reach import whole_grid
from paretoken.compressors.specification import Specification

NONE = Specification(
    name="none",
    title="Every patch",
    source="LLaVA-1.5 (arXiv 2310.03744)",
    module="paretoken.compressors.none_module:NoCompression",
    reach=whole_grid,
    published="LLaVA-1.5",
)
