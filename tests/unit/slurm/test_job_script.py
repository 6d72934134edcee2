"""The script that SLURM runs: who owns the results, and what became of logs."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from paretoken.slurm.job_script import job_script, last_start

#: What Snakemake does with a rule's log, and what the rule does then.
ANEW = 'rm -f {log}; echo "start" $PARETOKEN_OWNER > {log}'


def run(script: str, restart: int, job: str = "7") -> int:
    environment = {
        "PATH": "/usr/bin:/bin",
        "SLURM_JOB_ID": job,
        "SLURMD_NODENAME": "gpu1",
        **({"SLURM_RESTART_COUNT": str(restart)} if restart else {}),
    }
    return subprocess.run(["sh"], input=script, text=True, env=environment, check=False).returncode


@pytest.mark.parametrize("name", ["plain", 'it\'s $HOME `id` "q" 50%'])
def test_all_starts_are_in_the_log_each_with_a_line(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    log, owner = folder / "logs" / "a.log", folder / "owners" / "abc"
    folder.mkdir()
    (folder / "cell.sh").write_text(ANEW.format(log="logs/a.log"))
    for restart, status in enumerate((3, 0)):
        command = f"cd {quoted(folder)} && sh cell.sh && (exit {status})"
        assert run(job_script(command, tmp_path, [owner], [log], []), restart) == status
        assert owner.read_text() == f"7.{restart}.gpu1"
    lines = log.read_text().splitlines()
    assert [line.partition(" on gpu1")[0] for line in lines if line.startswith("==")] == [
        "== SLURM job 7, start 1,",
        "== SLURM job 7, start 2,",
    ]
    assert [line.split()[1] for line in lines if line.startswith("start")] == ["7.0.gpu1", "7.1.gpu1"]
    assert [path.name for path in log.parent.iterdir()] == ["a.log"]


def quoted(path: Path) -> str:
    return shlex.quote(str(path))


def test_what_a_killed_start_wrote_is_kept(tmp_path: Path) -> None:
    log, owner = tmp_path / "a.log", tmp_path / "abc"
    run(job_script(f"echo first > {log}; kill -9 $$", tmp_path, [owner], [log], []), 0)
    run(job_script(f"rm {log}; echo second > {log}", tmp_path, [owner], [log], []), 1)
    assert [line for line in log.read_text().splitlines() if line[0] != "="] == ["first", "second"]


def test_a_start_that_was_followed_by_another_leaves_its_log_alone(tmp_path: Path) -> None:
    log, owner = tmp_path / "a.log", tmp_path / "abc"
    run(job_script(f"printf 8.0.gpu2 > {owner}; echo later > {log}", tmp_path, [owner], [log], []), 0)
    assert log.read_text() == "later\n"


def test_logs_are_not_written_through_links(tmp_path: Path) -> None:
    victim, log = tmp_path / "victim", tmp_path / "a.log"
    victim.write_text("precious")
    (tmp_path / "a.log.earlier").symlink_to(victim)
    assert run(job_script(f"echo done > {log}", tmp_path, [tmp_path / "abc"], [log], []), 0) == 0
    assert victim.read_text() == "precious"


def test_a_disk_that_is_full_ends_the_job(tmp_path: Path) -> None:
    (tmp_path / "owners").write_text("a file where the folder should be")
    script = job_script("touch ran", tmp_path, [tmp_path / "owners" / "abc"], [], [])
    assert run(script, 0) == 1
    assert not Path("ran").exists()


def test_a_start_that_never_reaches_its_rule_adds_one_line(tmp_path: Path) -> None:
    log, owner = tmp_path / "a.log", tmp_path / "abc"
    log.write_text("of before\n")
    for restart in range(4):
        assert run(job_script("false", tmp_path, [owner], [log], []), restart) == 1
    assert [line[:6] for line in log.read_text().splitlines()] == ["of bef", *["== SLU"] * 4]


def test_the_end_of_a_log_survives_when_it_cannot_be_kept(tmp_path: Path) -> None:
    log, owner = tmp_path / "a.log", tmp_path / "abc"
    command = f"echo 'Traceback' > {log}; cat() {{ return 1; }}; cp {owner} {owner}.copy"
    run(job_script(command, tmp_path, [owner], [log], []), 0)
    assert "Traceback" in log.read_text()


def test_a_job_that_fails_leaves_no_results_and_an_orphan_none_of_others(tmp_path: Path) -> None:
    """Snakemake inside the job takes away what marks them as incomplete, and a driver may be gone."""
    result, owner = tmp_path / "it's" / "a.txt", tmp_path / "abc"
    result.parent.mkdir()
    write = f"echo made > {quoted(result)}"
    assert run(job_script(f"{write}; false", tmp_path, [owner], [], [result]), 0) == 1
    assert not result.exists()
    assert run(job_script(write, tmp_path, [owner], [], [result]), 0) == 0
    assert result.exists()
    run(job_script(f"printf 8.0.gpu2 > {owner}; false", tmp_path, [owner], [], [result]), 0)
    assert result.exists()


def test_a_time_limit_leaves_time_to_end_the_log(tmp_path: Path) -> None:
    """SLURM sends SIGTERM to the shell, too, which waits for what it has started."""
    log, owner = tmp_path / "a.log", tmp_path / "abc"
    command = f"sh -c 'trap \"echo stopped >> {log}; exit 3\" TERM; echo begun > {log}; sleep 60 & wait'"
    with subprocess.Popen(
        ["sh"],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={"PATH": "/usr/bin:/bin", "SLURM_JOB_ID": "7", "SLURMD_NODENAME": "gpu1"},
    ) as shell:
        assert shell.stdin is not None
        shell.stdin.write(job_script(command, tmp_path, [owner], [log], []))
        shell.stdin.close()
        while not log.exists() or "begun" not in log.read_text():
            time.sleep(0.05)
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait()
    assert shell.returncode == 3
    assert log.read_text().splitlines()[1:] == ["begun", "stopped"]


def test_only_the_last_start_of_a_log_counts() -> None:
    text = "== SLURM job 1, start 1\nold\n== SLURM job 1, start 2\nnew\n"
    assert last_start(text) == "== SLURM job 1, start 2\nnew\n"
    assert last_start("a job elsewhere") == "a job elsewhere"
    assert last_start("== SLURM job 1\nx") == "== SLURM job 1\nx"


def test_a_job_that_comes_too_late_takes_nothing_from_a_later_one(tmp_path: Path) -> None:
    """SLURM took it when its driver was dead, and the next driver has removed its folder."""
    owner, log = tmp_path / "abc", tmp_path / "a.log"
    owner.write_text("9.0.gpu2")
    log.write_text("of the later job")
    assert run(job_script("true", tmp_path / "launch", [owner], [log], [log]), 0) == 1
    assert (owner.read_text(), log.read_text()) == ("9.0.gpu2", "of the later job")
