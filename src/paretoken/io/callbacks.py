"""How work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

#: Is told how many steps of how many are done.
ProgressCallback = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Show no progress."""
