"""The names of jobs in SLURM's queue, and the marks by which a later driver recognises them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

#: Coordinates of a cell, which names write as folders do; other wildcards follow in their order.
CELL = ("llm", "compressor", "tokens", "seed")
MARK = "paretoken"


def label(rule: str, wildcards: Mapping[str, str]) -> str:
    """Return a job's name for people, such as ``finetune qwen1.5-7b tokenpacker-16 s0``."""
    left = {name: value for name, value in wildcards.items() if name not in ("study", "origin")}
    # Sources are in `sources`, or in `sources/s3` if they are made for one seed.
    words = [rule, *wildcards.get("origin", "").split("/")[1:]]
    if all(name in left for name in CELL):
        words += [left["llm"], f"{left['compressor']}-{left['tokens']}", f"s{left['seed']}"]
        left = {name: value for name, value in left.items() if name not in CELL}
    words += [f"s{value}" if name == "seed" else value for name, value in left.items()]
    return " ".join(words)


def mark(made: Iterable[tuple[str, str]]) -> str:
    """Return the mark that is written into a job's comment: its outputs, and how they are made.

    Args:
        made: each output, and a digest (see `digest`) of the work that makes it: the command and the
            state of its inputs. The same output of other work is another result.
    """
    return f"{MARK}:{','.join(sorted({f'{digest([path])}.{work}' for path, work in made}))}"


def covers(known: str, own: str) -> bool:
    """Whether a job makes all outputs that another one would make, in the same way.

    A group that is submitted again has fewer members than before, if some of its jobs are done.

    Args:
        known: mark of the job.
        own: mark of the other one.
    """
    return bool(_made(own)) and _made(own) <= _made(known)


def share_outputs(one: str, other: str) -> bool:
    """Whether two marks are of jobs that write some of the same files."""
    return not outputs_of(one).isdisjoint(outputs_of(other))


def outputs_of(mark: str) -> set[str]:
    """Return the digests (see `digest`) of the files that the job with a mark writes."""
    return {made.partition(".")[0] for made in _made(mark)}


def is_mark(text: str) -> bool:
    """Whether a comment is a mark; other jobs of the user may be in the same folder."""
    return bool(_made(text))


def _made(mark: str) -> set[str]:
    kind, _, made = mark.partition(":")
    return {*made.split(",")} - {""} if kind == MARK else set()


def digest(words: Iterable[str]) -> str:
    """Return a short digest of texts, whatever their order."""
    return hashlib.sha256("\0".join(sorted(words)).encode()).hexdigest()[:12]
