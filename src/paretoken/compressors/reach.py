"""The numbers of visual tokens that a compressor can make of the encoder's square grid of patches."""

from __future__ import annotations

from collections.abc import Sequence

from paretoken.compressors.specification import specification
from paretoken.errors import UserError
from paretoken.io.text_tables import counted

#: The largest number of token counts that a message lists.
MOST_LISTED = 20


def whole_grid(side: int) -> list[int]:
    """Return one token per patch (the MLP projector of LLaVA-1.5)."""
    return [side * side]


def square_regions(side: int) -> list[int]:
    """Return the counts of regions of s x s patches, for every s that divides the grid's side.

    Source: TokenPacker (paper section 3.1); average pooling over the same regions.
    """
    return sorted((side // s) ** 2 for s in range(1, side + 1) if side % s == 0)


def any_count(side: int) -> range:
    """Return every number of patches that can be kept."""
    return range(1, side * side + 1)


def reachable_tokens(compressor: str, grid_side: int) -> Sequence[int]:
    """Return the token counts, ascending, that ``compressor`` makes of a square patch grid.

    Args:
        compressor: a registered name.
        grid_side: patches per side of the vision encoder's grid (24 for CLIP ViT-L/14 at 336 px).

    Raises:
        UserError: the compressor does not exist.
    """
    return specification(compressor).reach(grid_side)


def trained_tokens(compressor: str, grid_side: int, tokens: int) -> int:
    """Return the V with which the model that answers with ``tokens`` is trained.

    An elastic model is trained once, with the largest number of tokens that it can make; any other
    model is trained with ``tokens``. 0 (no image) stays 0.
    """
    if tokens == 0 or specification(compressor).elastic is None:
        return tokens
    return reachable_tokens(compressor, grid_side)[-1]


def spans(counts: Sequence[int]) -> str:
    """Return ascending counts as a text: "1, 4, 9", or "1, 2, 3, ... up to 576 in steps of 1"."""
    if len(counts) <= MOST_LISTED:
        return ", ".join(map(str, counts)) or "(none)"
    every = f" in steps of {counts.step}" if isinstance(counts, range) else ""
    shown = counts[:3] if every else counts[:MOST_LISTED]
    return f"{', '.join(map(str, shown))}, ... up to {counts[-1]}{every}"


def require_reachable(compressor: str, grid_side: int, tokens: int) -> int:
    """Return ``tokens`` if ``compressor`` can make that many of a square patch grid.

    0 is always allowed: the language model then sees no image (the blind control).

    Raises:
        UserError: the compressor does not exist or cannot make that many tokens.
    """
    reachable = reachable_tokens(compressor, grid_side)
    if tokens == 0 or tokens in reachable:
        return tokens
    raise UserError(
        f"{compressor} cannot make {counted(tokens, 'token')} of a {grid_side} x {grid_side} grid; "
        f"write one of: {spans(reachable)} (or 0: no image)"
    )


def require_all_tokens(compressor: str, grid_side: int, tokens: int) -> None:
    """Raise `UserError` if an elastic compressor is trained with only some of its tokens."""
    most = trained_tokens(compressor, grid_side, tokens)
    if tokens != most:
        raise UserError(
            f"{compressor} is trained once, with all its tokens, for every V: give --tokens {most}, and "
            f"--tokens {tokens} to `paretoken predict`"
        )
