"""Bad rows: an error, or counted and listed if a few of millions must not stop a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.io.files import read_json
from paretoken.io.text_tables import counted

#: Default number of bad rows that a message lists.
SHOWN = 5


@dataclass
class Skips:
    """The bad rows that were left out of a data set, and the allowed share of them.

    Args:
        origin: what to call the data in messages.
        share: the largest share of rows that may be bad, 0 to 1; 0: none.
        rows: place and reason of each bad row.
        shown: number of bad rows that a message lists.
        unit: what to call a row in messages.
        advice: what to do about bad rows.
    """

    origin: str
    share: float = 0.0
    rows: list[tuple[str, str]] = field(default_factory=list)
    shown: int = SHOWN
    unit: str = "row"
    advice: str = ""

    def add(self, place: str, reason: str) -> None:
        """Leave a row out."""
        self.rows.append((place, reason))

    def check(self, total: int) -> None:
        """Raise `UserError` if more than the share of ``total`` rows is bad."""
        if len(self.rows) > self.share * total:
            shown = "\n".join(f"  - {place}: {reason}" for place, reason in self.rows[: self.shown])
            more = len(self.rows) - self.shown
            rest = f"\n  - and {more} more" if more > 0 else ""
            verb = "is" if len(self.rows) == 1 else "are"
            raise UserError(
                f"{self.origin}: {len(self.rows)} of {counted(total, self.unit)} {verb} bad, "
                f"{self.share:.4%} may be (--max-bad-share):\n{shown}{rest}"
                + (f"\n{self.advice}" if self.advice else "")
            )

    def record(self) -> list[dict[str, Any]]:
        """Return what was skipped, for a record on disk."""
        return [{"row": place, "reason": reason} for place, reason in self.rows]


def read_skipped(path: Path) -> frozenset[str]:
    """Return the images that `paretoken data` listed as missing or unreadable.

    Raises:
        UserError: the file is missing, or is not such a list.
    """
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "image" in row for row in rows):
        raise UserError(f"{path} is not a list of skipped images; `paretoken data` writes one")
    return frozenset(str(row["image"]) for row in rows)
