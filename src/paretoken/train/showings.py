"""The numbers of visual tokens with which each conversation is shown, per stage.

Stage 1 uses all tokens. In stage 2 the `Elastic` record of a compressor defines them:
`matryoshka_pooling` shows every conversation once at each of its scales, `matryoshka_query` once with a
random number of tokens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paretoken.compressors.specification import specification

#: Identifies the stream of random numbers of these draws.
DRAWS = 7


def shown_counts(
    compressor: str, side: int, tokens: int, stage: str, conversations: int, seed: int
) -> NDArray[np.int64]:
    """Return the visual tokens of each showing of each conversation (conversations, showings).

    The result depends on the arguments only, so a resumed run and every device get the same.

    Args:
        compressor: name of a registered compressor.
        side: patches per side of the encoder's grid.
        tokens: V of the model that is trained.
        stage: pretrain or finetune.
        conversations: number of conversations.
        seed: seed of the draws.
    """
    elastic = specification(compressor).elastic
    if elastic is None or stage != "finetune" or not tokens:
        return np.full((conversations, 1), tokens, np.int64)
    counts = np.array(elastic.counts(side), np.int64)
    if elastic.every:
        return np.tile(counts, (conversations, 1))
    return np.random.default_rng([seed, DRAWS]).choice(counts, (conversations, 1))
