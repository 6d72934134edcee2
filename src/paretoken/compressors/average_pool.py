"""Average pooling over square regions, the baseline without weights."""

from __future__ import annotations

from paretoken.compressors.reach import square_regions
from paretoken.compressors.specification import Specification

AVERAGE_POOL = Specification(
    name="average_pool",
    title="Average pooling",
    source="over the regions of TokenPacker (arXiv 2407.02392)",
    module="paretoken.compressors.average_pool_module:AveragePool",
    reach=square_regions,
)
