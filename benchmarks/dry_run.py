"""Measure how long Snakemake takes to plan the paper's study, and how that grows with the cells.

Run it from the folder of a project without results with ``python benchmarks/dry_run.py``. It first plans
the study in turn with Snakefiles that plan as many jobs without this project's code
(``bare_snakefile.py``), with as many inputs and without the source files among them, and prints the
ratios of the medians. It then plans the study with seven token counts and 1, 10 and 100 seeds. Growth is
the exponent b of time ~ cells^b between two rows, after subtracting the time of an empty plan; 1 is
linear.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from bare_snakefile import write_bare

TOKENS = [1, 4, 16, 36, 64, 144, 576]
SEEDS = [1, 10, 100]
PAPER = ["--config", "run=[paper]"]
COMMAND = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run"]
#: Bare Snakefiles run elsewhere, but with the same plugins of Snakemake.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path("src").resolve())}


@dataclass(frozen=True)
class Planned:
    """One dry run: cells and jobs, wall and CPU seconds, the largest resident memory in MiB."""

    cells: int
    jobs: int
    wall: float
    cpu: float
    memory: float
    text: str


def dry_run(cells: int, *arguments: str, folder: Path | None = None) -> Planned:
    """Plan once in a folder; None for that of this project."""
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        running = subprocess.Popen(
            [*COMMAND, *arguments], stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=ENVIRONMENT
        )
        _, status, used = os.wait4(running.pid, 0)
        wall = time.perf_counter() - start
        running.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if running.returncode:
        sys.exit(text)
    jobs = re.search(r"^total +(\d+)$", text, flags=re.MULTILINE)
    cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    return Planned(cells, int(jobs[1]) if jobs else 0, wall, cpu, memory, text)


def compare(repeats: int, folder: Path) -> None:
    """Plan the paper's study and the bare Snakefiles in turn; print medians and their ratios."""
    text = dry_run(40, *PAPER).text
    rules = sum(path.read_text().count("\nrule ") for path in Path("workflow/rules").glob("*.smk")) + 1
    bare = {"bare": True, "bare, no sources": False}
    for name, sources in bare.items():
        (folder / name).mkdir()
        write_bare(folder / name, text, rules, sources)
    runs: dict[str, list[Planned]] = {name: [] for name in ("paper", *bare)}
    for _ in range(repeats):
        runs["paper"].append(dry_run(40, *PAPER))
        for name in bare:
            runs[name].append(dry_run(40, folder=folder / name))
    print(f"median of {repeats:<8} {'jobs':>6} {'wall s':>8} {'CPU s':>8}  paper / this: wall, CPU")
    own = [median(getattr(run, what) for run in runs["paper"]) for what in ("wall", "cpu")]
    for name, several in runs.items():
        wall, cpu = (median(getattr(run, what) for run in several) for what in ("wall", "cpu"))
        print(
            f"{name:<18} {several[0].jobs:>6} {wall:>8.2f} {cpu:>8.2f} "
            f"{own[0] / wall:>20.2f} {own[1] / cpu:.2f}"
        )


def enlarged(seeds: int) -> dict[str, Any]:
    """Return the config with only the paper's study, at seven token counts and several seeds."""
    config: dict[str, Any] = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
    (study,) = (study for study in config["studies"] if study["name"] == "paper")
    study["compressors"] = [{"name": "tokenpacker", "tokens": TOKENS}]
    study["seeds"] = list(range(seeds))
    return {"run": ["paper"], "studies": [study]}


def main() -> None:
    """Plan everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS, help="35 cells per seed")
    parser.add_argument(
        "--repeats", type=int, default=5, help="repetitions of the comparison; 0 skips it"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.repeats:
            compare(arguments.repeats, Path(folder))
        empty = dry_run(0, *PAPER, "--", "results/paper/study.json")
        print(f"one job: {empty.wall:.2f} s wall, {empty.cpu:.2f} s CPU")
        rows = [("paper", dry_run(40, *PAPER))]
        for seeds in arguments.seeds:
            path = Path(folder) / f"{seeds}.yaml"
            path.write_text(yaml.safe_dump(enlarged(seeds)), encoding="utf-8")
            rows.append((f"{seeds} seed(s)", dry_run(35 * seeds, "--configfile", str(path))))
    print(f"{'study':<12} {'cells':>6} {'jobs':>8} {'wall s':>8} {'CPU s':>8} {'MiB':>7} {'growth':>7}")
    for (name, now), before in zip(rows, [None, None, *(row for _, row in rows[1:])], strict=False):
        growth = "" if before is None else f"{exponent(before, now, empty.cpu):.2f}"
        print(
            f"{name:<12} {now.cells:>6} {now.jobs:>8} {now.wall:>8.2f} {now.cpu:>8.2f} "
            f"{now.memory:>7.0f} {growth:>7}"
        )


def exponent(before: Planned, now: Planned, constant: float) -> float:
    """Return the exponent b of time ~ cells^b."""
    times = (now.cpu - constant) / (before.cpu - constant)
    return math.log(times) / math.log(now.cells / before.cells)


if __name__ == "__main__":
    main()
