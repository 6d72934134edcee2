"""Who may drop a lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from paretoken.errors import UserError
from paretoken.jobs.driver import WRITTEN, require_own_logs, take_over


def test_the_first_driver_drops_a_stale_lock_and_a_second_one_leaves_it(tmp_path: Path) -> None:
    folder = tmp_path / ".snakemake"
    stale = folder / "locks" / "0.output.lock"
    stale.parent.mkdir(parents=True)
    stale.write_text("results/x")
    first = take_over(folder)
    assert first is not None
    assert not stale.exists()
    stale.parent.mkdir()
    stale.write_text("results/x")
    assert take_over(folder) is None
    assert stale.exists()
    first.close()
    again = take_over(folder)
    assert again is not None
    again.close()


def test_the_lock_is_not_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / ".snakemake" / "driver.lock").symlink_to(victim)
    with pytest.raises(UserError, match=r"driver\.lock is a link; remove it"):
        take_over(tmp_path / ".snakemake")
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("pattern", WRITTEN)
@pytest.mark.parametrize("whole", [False, True])
def test_logs_and_benchmarks_that_lead_out_of_their_study_are_refused(
    tmp_path: Path, pattern: str, whole: bool
) -> None:
    study = tmp_path / "results" / "a"
    folder = study / pattern.replace("*", "1")
    folder.parent.mkdir(parents=True)
    victim = tmp_path / "home"
    victim.mkdir()
    link = folder if whole else folder / "fit.log"
    if not whole:
        folder.mkdir()
    link.symlink_to(victim if whole else victim / "bashrc")
    with pytest.raises(UserError, match=r"is a link to .*home.*remove the link"):
        require_own_logs([tmp_path / "results" / "absent", study])


def test_logs_that_are_files_or_lead_within_their_folder_are_fine(tmp_path: Path) -> None:
    real = tmp_path / "scratch" / "a"
    (real / "logs").mkdir(parents=True)
    (real / "logs" / "fit.log").write_text("done")
    (real / "logs" / "last.log").symlink_to("fit.log")
    study = tmp_path / "results" / "a"
    study.parent.mkdir()
    study.symlink_to(real)  # a study's results on another disk
    require_own_logs([study])
