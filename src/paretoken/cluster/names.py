"""What a job is called in SLURM's queue, and how a later driver recognises it there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

#: Coordinates of a cell are written as folders are; what is left follows in its order.
CELL = ("llm", "compressor", "tokens", "seed")
MARK = "paretoken"


def label(rule: str, wildcards: Mapping[str, str]) -> str:
    """Return a job's name for people: ``finetune qwen1.5-7b tokenpacker-16 s0``."""
    left = {name: value for name, value in wildcards.items() if name != "study"}
    words = [rule.removeprefix("llava_")]
    if all(name in left for name in CELL):
        words += [left["llm"], f"{left['compressor']}-{left['tokens']}", f"s{left['seed']}"]
        left = {name: value for name, value in left.items() if name not in CELL}
    words += [f"s{value}" if name == "seed" else value for name, value in left.items()]
    return " ".join(words)


def mark(outputs: Iterable[str], work: Iterable[str]) -> str:
    """Return what is written into a job's comment: what it makes, and how.

    Args:
        outputs: paths.
        work: commands, and what their inputs are; a job with the same outputs and other work is
            another job.
    """
    return f"{MARK}:{_digest(outputs)}:{_digest(work)}"


def makes_the_same(one: str, other: str) -> bool:
    """Whether two marks are of jobs with the same outputs."""
    return one.split(":")[:2] == other.split(":")[:2]


def _digest(words: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(sorted(words)).encode()).hexdigest()[:16]
