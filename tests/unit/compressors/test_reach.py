"""Which token counts a compressor reaches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoken.compressors.reach import reachable_tokens
from paretoken.errors import UserError
from paretoken.registry import COMPRESSORS


@pytest.mark.parametrize("name", ["tokenpacker", "average_pool"])
def test_counts_of_the_papers_encoder(name):
    """Notes on the paper, section 3: s must divide 24."""
    assert reachable_tokens(name, 24) == [1, 4, 9, 16, 36, 64, 144, 576]


def test_without_compression_every_patch_is_a_token():
    assert reachable_tokens("none", 24) == [576]


@given(side=st.integers(1, 60))
def test_regions_tile_the_grid(side):
    counts = reachable_tokens("tokenpacker", side)
    assert counts == sorted(set(counts))
    assert {1, side**2} <= set(counts)
    for count in range(1, side**2 + 1):
        root = round(count**0.5)
        tiles = root**2 == count and root and side % root == 0
        assert (count in counts) == bool(tiles)


def test_an_unknown_compressor_is_refused():
    with pytest.raises(UserError, match=r"unknown compressor 'tokenpaker'.*did you mean 'tokenpacker'"):
        reachable_tokens("tokenpaker", 24)
    assert "tokenpacker" in COMPRESSORS
