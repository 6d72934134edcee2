"""What a launch folder says of the jobs that were submitted from it."""

from __future__ import annotations

from pathlib import Path

from paretoken.slurm.submitted import FILE, Submitted, read_submissions, record_submission


def test_jobs_are_noted_and_read_back(tmp_path: Path) -> None:
    one, other = tmp_path / "launches" / "1", tmp_path / "launches" / "2"
    for folder in (one, other):
        folder.mkdir(parents=True)
    jobs = [
        Submitted("7", "paretoken:a:b", "cell a", one),
        Submitted("8", "m", "x", one),
        Submitted("9", "m", "y", other),
    ]
    for job in jobs:
        record_submission(job)
    assert list(read_submissions(tmp_path / "launches")) == jobs


def test_damaged_lines_report_no_job(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / FILE).write_bytes(b"7\tm\tcut\n8\tonly two\n\xff\xfe\tm\tx\n9\tm")
    (tmp_path / "2").mkdir()
    assert [job.number for job in read_submissions(tmp_path)] == ["7"]
    assert list(read_submissions(tmp_path / "absent")) == []
