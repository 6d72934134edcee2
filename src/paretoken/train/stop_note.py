"""The file that a stopped training leaves, so that `paretoken launch` has it started again."""

from __future__ import annotations

from pathlib import Path

from paretoken.io.files import write_text

#: Name of the file, beside a stage's result.
STOPPED = "stopped"


def note_stop(out: Path, step: int, steps: int) -> None:
    """Write the file."""
    write_text(out / STOPPED, f"step {step} of {steps}\n")


def forget_stop(out: Path) -> None:
    """Remove the file of an earlier attempt."""
    (out / STOPPED).unlink(missing_ok=True)
