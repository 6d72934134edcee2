"""When a training job that SLURM starts again and again is ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from paretoken.errors import UserError
from paretoken.train.restarts import STARTS, require_progress


def start(out: Path, steps: Sequence[int], job: str = "7") -> None:
    for restart, step in enumerate(steps):
        require_progress(out, step, {"SLURM_JOB_ID": job, "SLURM_RESTART_COUNT": str(restart)})


@pytest.mark.parametrize("steps", [[0, 0, 0, 0], [0, 40, 40, 40, 40], [9] * 4])
def test_three_starts_in_a_row_at_one_step_are_enough(tmp_path: Path, steps: list[int]) -> None:
    start(tmp_path, steps[:-1])
    with pytest.raises(UserError, match=rf"have begun at step {steps[-1]}.*more time.*save_every"):
        start(tmp_path, steps)


@pytest.mark.parametrize("steps", [[0, 0, 0, 10], [0, 10, 20, 30, 40, 50], [0, 0, 10, 10, 20, 20, 20]])
def test_progress_goes_on(tmp_path: Path, steps: list[int]) -> None:
    start(tmp_path, steps)


def test_the_next_attempt_starts_again(tmp_path: Path) -> None:
    start(tmp_path, [0, 0, 0])
    start(tmp_path, [0, 0, 0], job="8")


def test_attempts_of_one_start_count_once(tmp_path: Path) -> None:
    """A device whose memory runs out is tried again with less, within the same start."""
    for _ in range(9):
        start(tmp_path, [0])


def test_outside_of_slurm_nothing_is_noted(tmp_path: Path) -> None:
    for _ in range(9):
        require_progress(tmp_path, 0, {})
    assert not (tmp_path / STARTS).exists()


@pytest.mark.parametrize("content", ["", "7", "nonsense\n\n7\t0", "\0\xff"])
def test_a_damaged_note_stops_no_training(tmp_path: Path, content: str) -> None:
    (tmp_path / STARTS).write_text(content, encoding="latin-1")
    start(tmp_path, [0, 10])
