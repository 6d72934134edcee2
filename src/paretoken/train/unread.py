"""Images that training could not read: left out and listed, up to a share of the data set's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from paretoken.data.collation import Unread
from paretoken.data.skips import Skips

#: What to do about them.
ADVICE = (
    "Put whole images in their place, or allow some to be left out with --max-bad-share; the same "
    "command continues from the last checkpoint"
)


@dataclass
class UnreadImages:
    """What training could not read so far, its killed predecessors included.

    Attributes:
        total: images of the data set.
        share: of them that may be left out.
        found: reasons by the names of images.
        labels: tokens that had no loss for that.
    """

    total: int
    share: float
    found: dict[str, str] = field(default_factory=dict)
    labels: int = 0

    def add(self, parts: Iterable[Unread]) -> None:
        """Take note of what batches lost.

        Raises:
            UserError: more images cannot be read than may be; it names them.
        """
        for part in parts:
            self.found |= part["images"]
            self.labels += part["labels"]
        skips = Skips("training", self.share, list(self.found.items()), unit="images", advice=ADVICE)
        skips.check(self.total)

    def record(self) -> list[dict[str, str]]:
        """Return them for ``run.json``, in the order of their names."""
        return [{"image": name, "reason": reason} for name, reason in sorted(self.found.items())]

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint carries over."""
        return {"unread": {"images": self.found, "labels": self.labels}}

    def restore(self, progress: dict[str, Any]) -> None:
        """Continue from `state`, which checkpoints of before lack."""
        saved = progress.get("unread", {"images": {}, "labels": 0})
        self.found, self.labels = dict(saved["images"]), int(saved["labels"])
