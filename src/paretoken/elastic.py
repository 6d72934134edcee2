"""How an elastic model is trained: which token counts each conversation is shown with, per stage.

Stage 1 uses all tokens. In stage 2, `matryoshka_pooling` shows every conversation once at each of its
scales, so that the loss is the mean over them; `matryoshka_query` shows it once, with a random number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paretoken.tokens import drawn_counts, reachable_tokens

#: Stream of random numbers of its own.
DRAWS = 7


def shown_counts(
    compressor: str, side: int, tokens: int, stage: str, conversations: int, seed: int
) -> NDArray[np.int64]:
    """Return the tokens of each showing of each conversation (conversations, showings).

    A function of its arguments only: a continued run, and every device, gets the same.

    Args:
        compressor: a registered one.
        side: patches per side of the encoder's grid.
        tokens: V of the model that is trained.
        stage: pretrain or finetune.
        conversations: how many there are.
        seed: of the draws.
    """
    if stage == "finetune" and tokens and compressor == "matryoshka_pooling":
        scales = np.array(reachable_tokens(compressor, side), np.int64)
        return np.tile(scales, (conversations, 1))
    if stage == "finetune" and tokens and compressor == "matryoshka_query":
        choices = np.array(drawn_counts(tokens), np.int64)
        rng = np.random.default_rng([seed, DRAWS])
        return rng.choice(choices, (conversations, 1))
    return np.full((conversations, 1), tokens, np.int64)
