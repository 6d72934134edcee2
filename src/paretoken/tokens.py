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


def any_square(side: int) -> list[int]:
    """N x n tokens for every n up to the grid's side: images that were made smaller (`downsample`)."""
    return [n * n for n in range(1, side + 1)]


def any_count(side: int) -> range:
    """Any number of patches can be kept (`random`, `prumerge`)."""
    return range(1, side * side + 1)


#: The published number of elastic queries (MQT-LLaVA); a smaller grid has no use for as many.
MOST_QUERIES = 256


def any_prefix(side: int) -> range:
    """Any number of the first queries, up to one per patch and at most 256 (`matryoshka_query`)."""
    return range(1, min(MOST_QUERIES, side * side) + 1)


#: More token counts than this are not listed one by one in a message.
MOST_LISTED = 20

#: What `repeat` compresses to before it repeats: section 3.3.2 of the paper repeats 4 tokens.
REPEATED = 4


def repeated(side: int) -> range:
    """4, 8, 12, ... tokens, as many as there are patches at most: 4 tokens, once or several times."""
    return range(REPEATED, side * side + 1 if side % 2 == 0 else 0, REPEATED)


COMPRESSORS: dict[str, Callable[[int], list[int] | range]] = {
    "none": whole_grid,
    "tokenpacker": square_regions,
    "tokenpacker_antialiased": square_regions,
    "tokenpacker_pooled": square_regions,
    "quecc": square_regions,
    "average_pool": square_regions,
    "matryoshka_pooling": square_regions,
    "matryoshka_query": any_prefix,
    "prumerge": any_count,
    "prumerge_plus": any_count,
    "random": any_count,
    "downsample": any_square,
    "repeat": repeated,
}

#: What figures call them, and a model that sees no image.
TITLES = {
    "none": "Every patch",
    "tokenpacker": "TokenPacker",
    "tokenpacker_antialiased": "TokenPacker, antialiased queries",
    "tokenpacker_pooled": "TokenPacker, pooled queries",
    "quecc": "QueCC",
    "average_pool": "Average pooling",
    "matryoshka_pooling": "M3",
    "matryoshka_query": "MQT",
    "prumerge": "PruMerge",
    "prumerge_plus": "PruMerge+",
    "random": "Random patches",
    "downsample": "Smaller image",
    "repeat": "Four tokens, repeated",
    "blind": "No image",
}

#: Compressors whose model is trained once and serves every V that it can reach.
ELASTIC = ("matryoshka_pooling", "matryoshka_query")

#: Compressors with weights of their own, which stage 1 trains together with the projector.
LEARNING = (
    "tokenpacker", "tokenpacker_antialiased", "tokenpacker_pooled", "quecc", "matryoshka_query",
    "repeat",
)  # fmt: skip

#: Compressors whose new weights have a fixed standard deviation, 0.02, chosen for CLIP ViT-L's width.
FIXED_STD = (
    "tokenpacker", "tokenpacker_antialiased", "tokenpacker_pooled", "matryoshka_query", "repeat",
)  # fmt: skip

#: Compressors that read four layers of the encoder side by side, and queries from another one.
SEVERAL_LAYERS = (
    "tokenpacker", "tokenpacker_antialiased", "tokenpacker_pooled", "quecc", "repeat",
)  # fmt: skip

#: Compressors with attention of so many heads over the encoder's channels ...
HEADS = 8
ATTENDING = (*SEVERAL_LAYERS, "matryoshka_query")
#: ... and those of them that attend over the channels of all their layers together.
JOINING = ("matryoshka_query",)

#: Compressors that read the question, through the language model's own last hidden state.
TEXT_CONDITIONED = ("quecc",)

#: Compressors that need the encoder's last attention: the keys, and what the class token looks at.
ATTENTION_GUIDED = ("prumerge", "prumerge_plus")

#: Compressors that change what the encoder reads: stored features of whole images are no use to them.
SMALLER_IMAGES = ("downsample",)


def trained_tokens(compressor: str, grid_side: int, tokens: int) -> int:
    """Return the V of the model that answers with ``tokens``: its own, or that of an elastic one.

    An elastic model is trained once, at the most tokens that it can make. 0 (no image) stays 0.
    """
    if tokens == 0 or compressor not in ELASTIC:
        return tokens
    return reachable_tokens(compressor, grid_side)[-1]


def reachable_tokens(compressor: str, grid_side: int) -> list[int] | range:
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


def spans(counts: list[int] | range) -> str:
    """Return ascending counts in words, such as "1, 4, 9", or "1, 2, 3, ... up to 576 in steps of 1"."""
    if len(counts) <= MOST_LISTED:
        return ", ".join(map(str, counts)) or "(none)"
    every = f" in steps of {counts.step}" if isinstance(counts, range) else ""
    shown = counts[:3] if every else counts[:MOST_LISTED]
    return f"{', '.join(map(str, shown))}, ... up to {counts[-1]}{every}"


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
        f"write one of: {spans(reachable)} (or 0: no image)"
    )


def demand_whole(compressor: str, grid_side: int, tokens: int) -> None:
    """Raise `UserError` unless an elastic compressor is trained with all its tokens (or none)."""
    most = trained_tokens(compressor, grid_side, tokens)
    if tokens != most:
        raise UserError(
            f"{compressor} is trained once, with all its tokens, for every V: give --tokens {most}, and "
            f"--tokens {tokens} to `paretoken predict`"
        )


def drawn_counts(most: int) -> list[int]:
    """Return what `matryoshka_query` is trained with: 2, 4, 6, ... as published, and 1."""
    return [1, *range(2, most + 1, 2)]
