"""Fuzz the commands with changed rows, configs, recipes, manifests, predictions and pictures.

    python benchmarks/fuzz_inputs.py --cases 2000 --seed 0
    python benchmarks/fuzz_inputs.py --only score-gqa:17 --keep folder

Each case changes one small valid input of a command (a key, a value, a type, a picture, an option; see
`fuzzing.mutations`), runs the command in this process, and judges the outcome by rules that do not use
the product's code. It counts tracebacks (any end other than success or exit code 2 with a message) and
accepted nonsense: input that must be rejected, output that does not match its input, and a rejection
that leaves something half-written or comes after long work. Both counts must be 0. Case 0 of each target
is its unchanged input, which must be accepted. A case depends only on target, seed and number.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from fuzzing.cases import Result, run_case
from fuzzing.targets import TARGETS, counts
from fuzzing.world import make_world

VERDICTS = ("accepted", "rejected", "traceback", "nonsense")
BAD = ("traceback", "nonsense")
#: Number of cases that a process runs at a time.
PART = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases, print the table and the failures; return 1 if there are failures."""
    parser = argparse.ArgumentParser(
        description="Fuzz the inputs of commands; see the docstring of the script."
    )
    parser.add_argument("--cases", type=int, default=2000, help="total number of cases over all targets")
    parser.add_argument("--seed", type=int, default=0, help="seed of the changes")
    parser.add_argument("--targets", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--show", type=int, default=3, help="number of failing cases to show of each kind"
    )
    parser.add_argument("--only", metavar="TARGET:NUMBER", help="run one case and print its details")
    parser.add_argument("--keep", type=Path, help="with --only: an empty folder for its files")
    a = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        world = make_world(Path(made))
        if a.only:
            return _only(a.only, a.seed, a.keep or world / "case", world)
        started = time.monotonic()
        results = _run_all(counts(a.cases, tuple(a.targets)), a.seed, a.workers, world)
    print(table(results))
    print(f"{len(results)} cases in {time.monotonic() - started:.0f} s, seed {a.seed}")
    failed = [result for result in results if result.verdict in BAD]
    _show(failed, a.show, a.seed)
    return int(bool(failed))


def run_cases(names: Iterable[tuple[str, int]], seed: int, world: Path) -> list[Result]:
    """Run cases one after the other, each in its own folder."""
    results = []
    for target, number in names:
        with tempfile.TemporaryDirectory() as folder:
            results.append(run_case(target, TARGETS[target], seed, number, Path(folder), world))
    return results


def table(results: Sequence[Result]) -> str:
    """Return the counts of each target as a table; benchmarks of one command are added up."""
    rows: dict[str, Counter[str]] = {}
    for result in results:
        rows.setdefault(result.target.partition("-")[0], Counter())[result.verdict] += 1
    rows["all"] = sum(rows.values(), Counter())
    head = ("target", "cases", "accepted", "rejected", "tracebacks", "accepted nonsense")
    lines = [[name, str(row.total()), *(str(row[v]) for v in VERDICTS)] for name, row in rows.items()]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(w) if not n else cell.rjust(w) for n, (cell, w) in enumerate(row))
        for row in (zip(line, widths, strict=True) for line in (head, *lines))
    )


def _run_all(numbers: dict[str, int], seed: int, workers: int, world: Path) -> list[Result]:
    names = [(target, number) for target, count in numbers.items() for number in range(count)]
    parts = [names[start : start + PART] for start in range(0, len(names), PART)]
    if workers <= 1:
        return run_cases(names, seed, world)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        running = [pool.submit(run_cases, part, seed, world) for part in parts]
        return [result for future in running for result in future.result()]


def _only(name: str, seed: int, folder: Path, world: Path) -> int:
    target, _, number = name.partition(":")
    folder.mkdir(parents=True, exist_ok=True)
    result = run_case(target, TARGETS[target], seed, int(number), folder.resolve(), world)
    print(f"paretoken {' '.join(result.line)}\nchange: {result.change or 'none'}\n{result.verdict}")
    print("\n".join(result.reasons))
    return int(result.verdict in BAD)


def _show(failed: Sequence[Result], most: int, seed: int) -> None:
    """Print the failing cases, up to ``most`` of each kind."""
    kinds: dict[str, list[Result]] = {}
    for result in failed:
        reason = result.reasons[0].strip().splitlines()[-1]
        kind = re.sub(r"'.*'|\".*\"|\d+", "#", reason)
        kinds.setdefault(f"{result.target.partition('-')[0]}: {kind}", []).append(result)
    for kind, results in sorted(kinds.items(), key=lambda pair: -len(pair[1])):
        print(f"\n{len(results)} x {kind}")
        for result in results[:most]:
            print(f"  --seed {seed} --only {result.target}:{result.number}   {result.change}")
            print("\n".join(f"      {reason.strip()[-400:]}" for reason in result.reasons[:2]))


if __name__ == "__main__":
    sys.exit(main())
