"""Measure how fast one-second cells run through SLURM, and the cost of the driver.

    python benchmarks/slurm_scale.py --site my-site.yaml --cells 500 [--together 20] [--jobs 50]

Run it on a login node, or with SLURM_CONF of the tests' cluster (tests/cluster/start-slurm.sh DIR). It
prints jobs and cells per minute, the driver's CPU seconds and peak memory, and the use of possible
limits: the rate of submissions, the number of jobs at a time, and the cores of this machine (which runs
all nodes of the tests' cluster).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
SNAKEFILE = """
rule all:
    localrule: True
    input: expand("results/cells/{number}.txt", number=range(int(config["cells"])))

rule cell:
    group: "cells"
    output: "results/cells/{number}.txt"
    resources: mem_mb=600, runtime=10
    shell: "sleep 1; echo {wildcards.number} > {output}"
"""


def busy_s() -> float:
    """Return the busy seconds of all cores of this machine since it started."""
    user, nice, system, _, _, irq, soft = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def mean_run_s(project: Path) -> float:
    """Return the mean run time in seconds of this project's jobs that SLURM still lists."""
    command = ["squeue", "--me", "--noheader", "--states=all", "--format=%S|%e|%Z"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    jobs = [line.split("|") for line in answer.splitlines() if str(project) in line]
    times = [datetime.fromisoformat(end) - datetime.fromisoformat(begun) for begun, end, _ in jobs]
    return sum(time.total_seconds() for time in times) / max(1, len(times))


def main() -> None:
    """Run the cells and print the measurements."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--site", type=Path, required=True, help="site file, such as those in profiles/slurm"
    )
    parser.add_argument("--cells", type=int, default=500, help="number of cells")
    parser.add_argument("--together", type=int, default=1, help="number of cells in a SLURM job")
    parser.add_argument("--jobs", type=int, default=50, help="number of SLURM jobs at a time")
    parser.add_argument("--per-second", type=int, default=50, help="allowed submissions per second")
    parser.add_argument("--poll", type=int, default=5, help="seconds between queries of SLURM")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slurm-scale-") as folder:
        project = Path(folder)
        (project / "Snakefile").write_text(SNAKEFILE)
        line = [
            sys.executable, "-m", "snakemake", "--executor", "paretoken-slurm",
            "--paretoken-slurm-site", str(a.site.resolve()),
            "--paretoken-slurm-poll-seconds", str(a.poll),
            "--jobs", str(a.jobs), "--cores", "4", "--group-components", f"cells={a.together}",
            "--max-jobs-per-timespan", f"{a.per_second}/1s", "--latency-wait", "30", "--retries", "0",
            "--config", f"cells={a.cells}", "--quiet", "rules", "progress",
        ]  # fmt: skip
        code = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        with (project / "driver.txt").open("wb") as output:
            begun, busy = time.monotonic(), busy_s()
            driver = subprocess.Popen(
                line,
                cwd=project,
                env=os.environ | {"PYTHONPATH": code},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            _, status, used = os.wait4(driver.pid, 0)
            driver.returncode = os.waitstatus_to_exitcode(status)
        wall, busy = time.monotonic() - begun, busy_s() - busy
        done = len(list((project / "results" / "cells").glob("*.txt")))
        if driver.returncode or done != a.cells:
            print((project / "driver.txt").read_text()[-3000:], file=sys.stderr)
        jobs = -(-a.cells // a.together)
        print(
            f"{done} of {a.cells} cells in {jobs} jobs, {wall:.0f} s: "
            f"{60 * jobs / wall:.0f} jobs and {60 * done / wall:.0f} cells per minute"
        )
        cpu = used.ru_utime + used.ru_stime
        print(f"driver: {cpu:.1f} s CPU, {used.ru_maxrss / 1024:.0f} MB at most")
        run_s, cores = mean_run_s(project), os.cpu_count() or 1
        print("use of possible limits:")
        print(f"  submissions: {jobs / wall:.2f} of {a.per_second} a second")
        print(f"  jobs at a time: {jobs * run_s / wall:.1f} of {a.jobs}, each for {run_s:.1f} s")
        print(f"  cores of this machine: {busy / wall:.1f} of {cores}, {busy / jobs:.1f} CPU s per job")


if __name__ == "__main__":
    main()
