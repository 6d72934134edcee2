"""Callbacks that report the progress of long operations."""

from __future__ import annotations

from collections.abc import Callable

#: Called with the number of steps that are done and the number of all steps.
ProgressCallback = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Ignore the progress."""
