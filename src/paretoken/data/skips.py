"""Bad rows: refused, or, where a few of millions must not stop a run, counted and listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from paretoken.errors import UserError

#: How many bad rows a message shows.
SHOWN = 5


@dataclass
class Skips:
    """What was left out of a data set, and how much may be.

    Args:
        origin: what to call the data in messages.
        share: the largest share of rows that may be bad, 0 to 1; 0: none.
    """

    origin: str
    share: float = 0.0
    rows: list[tuple[str, str]] = field(default_factory=list)  # place, reason

    def add(self, place: str, reason: str) -> None:
        """Leave a row out."""
        self.rows.append((place, reason))

    def check(self, total: int) -> None:
        """Raise `UserError` if more than the share of ``total`` rows is bad."""
        if len(self.rows) > self.share * total:
            shown = "\n".join(f"  - {place}: {reason}" for place, reason in self.rows[:SHOWN])
            more = len(self.rows) - SHOWN
            rest = f"\n  - and {more} more" if more > 0 else ""
            raise UserError(
                f"{self.origin}: {len(self.rows)} of {total} rows are bad, "
                f"{self.share:.4%} may be (--max-bad-share):\n{shown}{rest}"
            )

    def record(self) -> list[dict[str, Any]]:
        """Return what was skipped, for a record on disk."""
        return [{"row": place, "reason": reason} for place, reason in self.rows]
