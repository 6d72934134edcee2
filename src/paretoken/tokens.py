"""Which visual-token counts a compressor can reach, as arithmetic on the encoder's patch grid.

Kept apart from the compressors themselves, so that a config is checked without importing torch.
"""

from __future__ import annotations

from collections.abc import Callable

from paretoken.errors import UserError
from paretoken.registry import unknown_name


def whole_grid(side: int) -> list[int]:
    """Every patch is a token (the MLP projector of LLaVA-1.5)."""
    return [side * side]


def square_regions(side: int) -> list[int]:
    """Regions of s x s patches become one token each, for every s that divides the grid's side.

    Source: TokenPacker (paper section 3.1); average pooling over the same regions.
    """
    return sorted((side // s) ** 2 for s in range(1, side + 1) if side % s == 0)


COMPRESSORS: dict[str, Callable[[int], list[int]]] = {
    "none": whole_grid,
    "tokenpacker": square_regions,
    "average_pool": square_regions,
}


def reachable_tokens(compressor: str, grid_side: int) -> list[int]:
    """Return the token counts, ascending, that ``compressor`` makes of a square patch grid.

    Args:
        compressor: a name in `COMPRESSORS`.
        grid_side: patches per side of the vision encoder's grid (24 for CLIP ViT-L/14 at 336 px).

    Raises:
        UserError: the compressor does not exist.
    """
    if compressor not in COMPRESSORS:
        raise UserError(unknown_name("compressor", compressor, COMPRESSORS))
    return COMPRESSORS[compressor](grid_side)


def demand_reachable(compressor: str, grid_side: int, tokens: int) -> int:
    """Return ``tokens`` if ``compressor`` can make that many of a square patch grid.

    0 is always allowed: the language model then sees no image at all (the blind control).

    Raises:
        UserError: the compressor does not exist or cannot make so many; lists what it can make.
    """
    reachable = reachable_tokens(compressor, grid_side)
    if tokens == 0 or tokens in reachable:
        return tokens
    raise UserError(
        f"{compressor} cannot make {tokens} tokens of a {grid_side} x {grid_side} grid; "
        f"write one of: {', '.join(map(str, reachable))} (or 0: no image)"
    )
