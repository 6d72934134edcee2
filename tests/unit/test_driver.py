"""Who may drop a lock."""

from __future__ import annotations

from pathlib import Path

from paretoken.driver import take_over


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
