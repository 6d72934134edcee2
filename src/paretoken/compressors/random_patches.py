"""Random patches: V patches that are drawn once; the baseline that pruning methods must beat."""

from __future__ import annotations

from paretoken.compressors.reach import any_count
from paretoken.compressors.specification import Specification

RANDOM = Specification(
    name="random",
    title="Random patches",
    source="UniPruneBench (arXiv 2511.02650), VTC-Bench (arXiv 2510.07143)",
    module="paretoken.compressors.random_patches_module:RandomPatches",
    reach=any_count,
)
