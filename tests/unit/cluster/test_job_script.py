"""The script that SLURM runs: who owns the results, and what became of logs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from paretoken.cluster.job_script import job_script

#: What Snakemake does with a rule's log, and what the rule does then.
ANEW = 'rm -f {log}; echo "start $SLURM_RESTART_COUNT: $PARETOKEN_OWNER" > {log}'


def run(script: str, restart: int, job: str = "7") -> int:
    environment = {"PATH": "/usr/bin:/bin", "SLURM_JOB_ID": job, "SLURMD_NODENAME": "gpu1",
                   **({"SLURM_RESTART_COUNT": str(restart)} if restart else {})}  # fmt: skip
    return subprocess.run(["sh"], input=script, text=True, env=environment, check=False).returncode


@pytest.mark.parametrize("name", ["plain", 'it\'s $HOME `id` "q" 50%'])
def test_all_starts_are_in_the_log_each_with_a_line(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    log, owner = folder / "logs" / "a.log", folder / "owners" / "abc"
    folder.mkdir()
    (folder / "cell.sh").write_text(ANEW.format(log="logs/a.log"))
    for restart, status in enumerate((3, 0)):
        command = f"cd {quoted(folder)} && sh cell.sh && (exit {status})"
        assert run(job_script(command, owner, [log]), restart) == status
        assert owner.read_text() == f"7.{restart}.gpu1"
    lines = log.read_text().splitlines()
    assert [line.partition(" on gpu1")[0] for line in lines if line.startswith("==")] == [
        "== SLURM job 7, start 1,", "== SLURM job 7, start 2,",
    ]  # fmt: skip
    assert [line.partition(":")[2] for line in lines if line.startswith("start")] == [
        f" 7.0.gpu1:{owner}", f" 7.1.gpu1:{owner}",
    ]  # fmt: skip
    assert [path.name for path in log.parent.iterdir()] == ["a.log"]


def quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def test_what_a_killed_start_wrote_is_kept(tmp_path: Path) -> None:
    log, owner = tmp_path / "a.log", tmp_path / "abc"
    run(job_script(f"echo first > {log}; kill -9 $$", owner, [log]), 0)
    run(job_script(f"rm {log}; echo second > {log}", owner, [log]), 1)
    assert [line for line in log.read_text().splitlines() if line[0] != "="] == ["first", "second"]


def test_a_start_that_was_followed_by_another_leaves_its_log_alone(tmp_path: Path) -> None:
    log, owner = tmp_path / "a.log", tmp_path / "abc"
    run(job_script(f"printf 8.0.gpu2 > {owner}; echo later > {log}", owner, [log]), 0)
    assert log.read_text() == "later\n"


def test_logs_are_not_written_through_links(tmp_path: Path) -> None:
    victim, log = tmp_path / "victim", tmp_path / "a.log"
    victim.write_text("precious")
    (tmp_path / "a.log.earlier").symlink_to(victim)
    assert run(job_script(f"echo done > {log}", tmp_path / "abc", [log]), 0) == 0
    assert victim.read_text() == "precious"


def test_a_disk_that_is_full_ends_the_job(tmp_path: Path) -> None:
    (tmp_path / "owners").write_text("a file where the folder should be")
    script = job_script("touch ran", tmp_path / "owners" / "abc", [])
    assert run(script, 0) == 1
    assert not Path("ran").exists()
