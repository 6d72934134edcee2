"""Commands run in the process of the test, which saves the seconds that starting another one takes."""

from __future__ import annotations

from paretoken.cli import main


def paretoken(*words: object, code: int = 0) -> None:
    """Run a command and expect an exit code."""
    assert main([str(word) for word in words]) == code
