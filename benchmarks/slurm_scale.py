"""How fast one-second cells go through SLURM, and what the driver costs.

    python benchmarks/slurm_scale.py --site my-site.yaml --cells 500 [--together 20] [--jobs 50]

Run on a login node, or with SLURM_CONF of the tests' cluster (tests/cluster/start-slurm.sh DIR). Prints
jobs and cells per minute, the driver's CPU seconds and its largest memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
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


def main() -> None:
    """Run the cells and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--site", type=Path, required=True, help="a site's file, as profiles/slurm has")
    parser.add_argument("--cells", type=int, default=500, help="how many")
    parser.add_argument("--together", type=int, default=1, help="cells of one SLURM job")
    parser.add_argument("--jobs", type=int, default=50, help="SLURM jobs at a time")
    parser.add_argument("--poll", type=int, default=5, help="seconds between questions to SLURM")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slurm-scale-") as folder:
        project = Path(folder)
        (project / "Snakefile").write_text(SNAKEFILE)
        line = [
            sys.executable, "-m", "snakemake", "--executor", "paretoken-slurm",
            "--paretoken-slurm-site", str(a.site.resolve()),
            "--paretoken-slurm-poll-seconds", str(a.poll),
            "--jobs", str(a.jobs), "--cores", "4", "--group-components", f"cells={a.together}",
            "--max-jobs-per-timespan", "50/1s", "--latency-wait", "30", "--retries", "0",
            "--config", f"cells={a.cells}", "--quiet", "rules", "progress",
        ]  # fmt: skip
        code = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        with (project / "driver.txt").open("wb") as output:
            begun = time.monotonic()
            driver = subprocess.Popen(line, cwd=project, env=os.environ | {"PYTHONPATH": code},
                                      stdout=output, stderr=subprocess.STDOUT)  # fmt: skip
            _, status, used = os.wait4(driver.pid, 0)
            driver.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - begun
        done = len(list((project / "results" / "cells").glob("*.txt")))
        if driver.returncode or done != a.cells:
            print((project / "driver.txt").read_text()[-3000:], file=sys.stderr)
        jobs = -(-a.cells // a.together)
        print(f"{done} of {a.cells} cells in {jobs} jobs, {wall:.0f} s: "
              f"{60 * jobs / wall:.0f} jobs and {60 * done / wall:.0f} cells per minute")  # fmt: skip
        cpu = used.ru_utime + used.ru_stime
        print(f"driver: {cpu:.1f} s CPU, {used.ru_maxrss / 1024:.0f} MB at most")


if __name__ == "__main__":
    main()
