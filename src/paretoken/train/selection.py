"""The conversations that a stage trains on, and a report of what ``max_length`` cuts off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoken.data.collation import TrainingCollator
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.io.text_tables import counted

ADVICE = (
    "Raise max_length or shorten the conversations, or let some be left out with a larger "
    "--max-bad-share"
)


@dataclass(frozen=True)
class Selection:
    """The conversations that a stage trains on.

    Attributes:
        numbers: (selected,) indices of the conversations, ascending; normally all of them.
        skips: the conversations that are left out.
        losses: how many conversations ``max_length`` cuts, see `Kept.losses`.
    """

    numbers: NDArray[np.int64]
    skips: Skips
    losses: dict[str, int]

    def record(self) -> dict[str, Any]:
        """Return the part of ``run.json`` about the selection."""
        return {"cut_by_max_length": self.losses, "left_out": self.skips.record()}


def select(
    collator: TrainingCollator, origin: Path, max_bad_share: float, say: Callable[[str], None]
) -> Selection:
    """Return the conversations that have tokens to learn.

    Args:
        collator: knows which tokens of each conversation are read and learned.
        origin: folder of the tokenized data set, for messages.
        max_bad_share: largest allowed share of conversations with nothing to learn.
        say: prints a message: how many conversations ``max_length`` cuts.

    Raises:
        UserError: no image is seen although the model has visual tokens, or more conversations than
            allowed, or all, have nothing to learn.
    """
    require_images(collator, origin)
    losses, limit, count = collator.kept.losses(), collator.max_length, len(collator.data)
    say(
        f"max_length = {limit}: of {counted(count, 'conversation')}, answers are cut in "
        f"{losses['part']} and lost in {losses['all']}"
        + (f"; images are lost in {losses['image']}" if losses["image"] else "")
    )
    skips = Skips(str(origin), max_bad_share, unit="conversation", advice=ADVICE)
    for number in np.flatnonzero(collator.learned == 0):
        skips.add(*_bad_row(collator, int(number)))
    skips.check(count)
    if len(skips.rows) == count:
        raise UserError(
            f"{origin}: none of its {counted(count, 'conversation')} has anything to learn "
            f"({skips.rows[0][1]}); raise max_length or shorten the conversations"
        )
    return Selection(np.flatnonzero(collator.learned), skips, losses)


def require_images(collator: TrainingCollator, origin: Path) -> None:
    """Raise `UserError` if a model with visual tokens would not see a single image."""
    if not collator.visual_tokens or collator.seen.any():
        return
    count = len(collator.data)
    if not (collator.data.images >= 0).any():
        raise UserError(
            f"{origin}: none of its {counted(count, 'conversation')} names an image, so this stage "
            "would see none; each row gives the name of its image under the key `image` (with <image> "
            "in the question); add it and run `paretoken tokenize` again, or train without images: "
            "--tokens 0"
        )
    raise UserError(
        f"{origin}: in all of its {counted(count, 'conversation')} the image lies beyond max_length = "
        f"{collator.max_length}, so this stage would see none; raise max_length"
    )


def _bad_row(collator: TrainingCollator, number: int) -> tuple[str, str]:
    """Return which conversation has nothing to learn, and why."""
    image = int(collator.data.images[number])
    shows = f" with image {collator.data.image_names[image]!r}" if image >= 0 else ""
    beyond = f"all answers lie beyond max_length = {collator.max_length}"
    reason = beyond if collator.kept.uncut[number] else "it has no answer to learn"
    return f"conversation {number + 1}{shows}", reason
