"""The note that training leaves when it was stopped: `paretoken launch` then has it started again."""

from __future__ import annotations

from pathlib import Path

from paretoken.io.files import write_text

#: Beside a stage's result.
STOPPED = "stopped"


def note_stop(out: Path, step: int, steps: int) -> None:
    """Leave the note."""
    write_text(out / STOPPED, f"step {step} of {steps}\n")


def forget_stop(out: Path) -> None:
    """Remove the note of an earlier attempt."""
    (out / STOPPED).unlink(missing_ok=True)
