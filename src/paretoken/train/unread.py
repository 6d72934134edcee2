"""Images that training could not read; they are listed, and their share is limited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from paretoken.data.collation import Unread
from paretoken.data.skips import Skips

#: Advice in the message about unreadable images.
ADVICE = (
    "Replace these images, or allow some to be left out with --max-bad-share; the same command "
    "resumes from the last checkpoint"
)


@dataclass
class UnreadImages:
    """Images that a run, including its killed attempts, could not read so far.

    Attributes:
        total: number of images of the data set.
        share: largest share of them that may be left out.
        found: reasons by the names of the images.
        labels: number of tokens without a loss because their image could not be read.
    """

    total: int
    share: float
    found: dict[str, str] = field(default_factory=dict)
    labels: int = 0

    def add(self, parts: Iterable[Unread]) -> None:
        """Add the unreadable images of batches.

        Raises:
            UserError: more images are unreadable than allowed; the message names them.
        """
        for part in parts:
            self.found |= part["images"]
            self.labels += part["labels"]
        skips = Skips("training", self.share, list(self.found.items()), unit="image", advice=ADVICE)
        skips.check(self.total)

    def record(self) -> list[dict[str, str]]:
        """Return the images for ``run.json``, sorted by name."""
        return [{"image": name, "reason": reason} for name, reason in sorted(self.found.items())]

    def state(self) -> dict[str, Any]:
        """Return the state to store in a checkpoint."""
        return {"unread": {"images": self.found, "labels": self.labels}}

    def restore(self, progress: dict[str, Any]) -> None:
        """Restore what `state` returned; checkpoints of older versions lack it."""
        saved = progress.get("unread", {"images": {}, "labels": 0})
        self.found, self.labels = dict(saved["images"]), int(saved["labels"])
