"""What happens to jobs on a cluster: none is lost, none repeated without need, the table is the same."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from cells import Cells
from lab import Lab, wait

from small_disks import small_disk

Make = Callable[..., Cells]

#: What each cell does at its first start; later it just ends.
FIRST = """
if [ $times = 1 ]; then
  case $name in
    cancelled | late | node) sleep 300 ;;
    memory) python3 -c "x = bytearray(900_000_000); import time; time.sleep(60)" ;;
    warned) srun bash -c 'trap "echo \\$SECONDS > results/toy/notes/warning; exit 3" USR1
                          sleep 300 & wait' || exit 3 ;;
    wrong) echo "no such thing" >&2; exit 1 ;;
  esac
fi
"""
CELLS = {
    "cancelled": {"gpus": 0},
    "fine": {"gpus": 0},
    "late": {"gpus": 0, "runtime": 1},
    "memory": {"gpus": 0, "mem_mb": 500},
    "node": {},
    "warned": {"gpus": 0, "runtime": 2},
    "wrong": {"gpus": 0},
}


def test_every_cell_survives_its_failure(lab: Lab, make_cells: Make) -> None:
    project = make_cells(lab, CELLS, FIRST)
    driver = project.start("-j7")
    job = lab.job("cell cancelled", "RUNNING")
    wait(lambda: project.starts("cancelled"), 240)
    lab.run("scancel", job["id"])
    job = lab.job("cell node", "RUNNING")
    wait(lambda: project.starts("node"), 240)
    lab.crash(job["node"], job["id"])
    wait(lambda: len(project.starts("node")) == 2, 240)
    lab.restart(f"slurmd.{job['node']}")
    said = driver.end()
    assert project.table() == [f"{name} 1" for name in CELLS]
    assert {name: len(project.ends(name)) for name in CELLS} == dict.fromkeys(CELLS, 1)
    expected = dict.fromkeys(CELLS, 2) | {"fine": 1}
    assert {name: len(project.starts(name)) for name in CELLS} == expected

    reasons = dict(re.findall(r"cell (\w+) \(SLURM job \d+\) failed: (.*)", said))
    assert reasons.keys() == CELLS.keys() - {"fine", "node"}, "a lost node costs no attempt"
    first, second = project.starts("node")
    assert first == second, "SLURM itself starts the same job again"
    assert reasons["cancelled"].startswith("it was cancelled")
    assert reasons["late"].startswith("it reached its time limit")
    assert "TimeLimit=00:02:00" in last_job(project, "late")
    assert reasons["memory"].startswith("its memory ran out (500 MB requested")
    assert "mem=1000M" in last_job(project, "memory")
    assert int(project.note("warning")) < 120, "a step is warned before the time limit"
    assert "no such thing" in said, "the end of the log of a failed command"


def last_job(project: Cells, name: str) -> str:
    """Return what SLURM knows about the last job of a cell."""
    return project.lab.run("scontrol", "show", "job", project.starts(name)[-1])


def test_preempted_jobs_run_again_whether_or_not_slurm_requeues_them(lab: Lab, make_cells: Make) -> None:
    cells = {"lent": {"gpus": 4, "partition": "lent"}, "spare": {"gpus": 4, "partition": "spare"}}
    project = make_cells(lab, cells, "[ $times = 1 ] && sleep 300")
    project.write_profile(groups=None, retries=0)
    driver = project.start("-j2")
    wait(lambda: project.starts("lent") and project.starts("spare"), 240)
    lab.run("sbatch", "-p", "gpu", "--nodes=2", "--gres=gpu:4", "-o", "/dev/null", "--wrap", "sleep 1")
    said = driver.end()
    assert project.table() == ["lent 1", "spare 1"]
    first, second = project.starts("spare")
    assert first == second
    first, second = project.starts("lent")
    assert first != second, "PreemptMode=CANCEL: a new job"
    assert f"cell lent: SLURM job {first} ended as PREEMPTED" in said
    assert "attempt" not in said.lower()


def test_a_job_that_a_broken_node_cannot_start_is_submitted_again(lab: Lab, make_cells: Make) -> None:
    """SLURM drains a node whose prolog fails, and holds the job until a person releases it."""
    project = make_cells(lab, {"a": {"gpus": 1}})
    project.write_profile(groups=None, retries=0)
    broken = lab.folder / "run" / "prolog-fails"
    broken.touch()
    try:
        driver = project.start()
        wait(lambda: lab.run("sinfo", "-h", "-p", "gpu", "--states=drain", "-o", "%N").strip(), 240)
    finally:
        broken.unlink()
    said = driver.end()
    assert project.table() == ["a 1"]
    assert len(project.starts("a")) == 1
    assert "ended as HELD" in said
    assert not [job for job in lab.jobs("cell a") if job["state"] == "PENDING"], "it would run twice"


def test_an_outage_loses_nothing(lab: Lab, make_cells: Make) -> None:
    """A job ends, and another one becomes ready to be submitted, while slurmctld is away."""
    cells = {"local": {"gpus": 0}, "long": {"gpus": 0}}
    project = make_cells(lab, cells, "[ $name = long ] && sleep 20")
    # A local job that ends during the outage makes the cell `local` ready to be submitted.
    snakefile = project.path / "Snakefile"
    snakefile.write_text(snakefile.read_text() + LOCAL)
    project.write_profile(groups=None, retries=0)
    driver = project.start("-j2")
    wait(lambda: project.starts("long"), 240)
    lab.leave("slurmctld")
    (project.path / "away").touch()
    driver.says("SLURM does not answer: its jobs count as running, and it is queried again. squeue: ")
    driver.says("local_cell local: sbatch: error: ")
    wait(lambda: project.ends("long"), 240)
    lab.restart("slurmctld")
    driver.end()
    assert project.table() == ["local 1", "long 1"]
    assert {name: len(project.starts(name)) for name in cells} == dict.fromkeys(cells, 1)


LOCAL = """
rule first:
    output: "results/toy/first.txt"
    log: "results/toy/logs/first.log"
    localrule: True
    shell: "while [ ! -e away ]; do sleep 0.2; done; touch {output}"

use rule cell as local_cell with:
    input: "results/toy/first.txt"
    output: "results/toy/cells/{name,local}.txt"

ruleorder: local_cell > cell
"""


#: A cell that writes by this project's own writer, as commands do; its first start is slow.
WRITER = """
[ $times = 1 ] && sleep 25
python -c "import sys; from pathlib import Path; from paretoken.io.files import write_text
write_text(Path(sys.argv[1]), sys.argv[2])" "$out" "of $SLURMD_NODENAME" || exit 4
exit 0
"""


def test_a_process_that_outlives_its_node_writes_nothing(lab: Lab, make_cells: Make) -> None:
    """SLURM loses the node, the job's processes go on: they must not write into the new job's folder."""
    project = make_cells(lab, {"a": {"gpus": 1}}, WRITER)
    project.write_profile(groups=None, retries=0)
    driver = project.start()
    job = lab.job("cell a", "RUNNING")
    wait(lambda: project.starts("a"), 240)
    lab.lose(job["node"], job["id"])
    driver.end()
    result = project.path / "results" / "toy" / "cells" / "a.txt"
    (other,) = {"gpu1", "gpu2"} - {job["node"]}
    assert result.read_text() == f"of {other}"
    assert len(project.starts("a")) == 2
    log = project.log("a")
    assert log.count("== SLURM job") == 2
    wait(lambda: not orphans(project), 120)
    assert result.read_text() == f"of {other}", "what the first process made is discarded"
    assert project.log("a") == log
    assert "Nothing to be done" in project.start().end()
    lab.restart(f"slurmd.{job['node']}")


def orphans(project: Cells) -> list[int]:
    """Return the processes that still run in the project's launch folders."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(project.path / ".snakemake" / "launches") in str((path / "cwd").readlink()):
                found.append(int(path.name))
    return found


def test_a_full_disk_is_named_and_a_restart_completes(
    lab: Lab, make_cells: Make, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "2m"):
        project = make_cells(lab, {"a": {"gpus": 0}, "b": {"gpus": 0}})
        (project.path / "results").symlink_to(disk)
        once = tmp_path / "filled"
        fill = f"touch {once}; head -c 20M /dev/zero > results/filler; exit 1"
        project.write_commands(f"[ -e {once} ] || {{ {fill}; }}")
        project.write_profile(groups=None, retries=0)
        said = project.start("-j1").fail()
        assert re.search(rf"failed: the disk of \S+ \(mounted at {disk}\) is full", said)
        (disk / "filler").unlink()
        project.start().end()
        assert project.table() == ["a 1", "b 1"]
