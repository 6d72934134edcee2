"""Make a Snakefile that plans the same jobs without this project's code, to time Snakemake itself.

It is made from the output of a dry run. It has the same rules, jobs, wildcards and edges between jobs,
and as many inputs, outputs, logs and benchmark tables. All of them are written as patterns and
constants: the Snakefile imports nothing, checks no config, and calls no function of wildcards.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Params that most rules have; their values are written into the commands.
PARAMS = ("first", "second")
#: Resources that rules request; Snakemake derives the others in a dry run itself.
ASKED = ("gpus", "cpus", "mem_mb", "runtime")
JOB = re.compile(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)+)", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """One job of a dry run."""

    rule: str
    inputs: list[str]
    outputs: list[str]
    wildcards: dict[str, str]
    resources: dict[str, str]


def jobs_of(text: str) -> list[Job]:
    """Return the jobs that the output of a dry run lists."""
    found = []
    for rule, lines in JOB.findall(text):
        fields = dict(line.strip().partition(": ")[::2] for line in lines.splitlines())
        inputs, outputs = (_split(fields.get(key, "")) for key in ("input", "output"))
        pairs = (dict(_pairs(fields.get(key, ""))) for key in ("wildcards", "resources"))
        found.append(Job(rule, inputs, outputs, *pairs))
    return found


def bare_snakefile(jobs: Iterable[Job], rules: int, sources: bool = True) -> tuple[str, list[str]]:
    """Return the text of a Snakefile, and the files that must exist before its jobs run.

    Args:
        jobs: the jobs to plan.
        rules: the number of rules; some of a project's rules may have no job.
        sources: whether jobs keep the inputs that no job makes, such as source files.
    """
    grouped: dict[str, list[Job]] = {}
    makers: dict[str, tuple[Job, int]] = {}
    for job in jobs:
        grouped.setdefault(job.rule, []).append(job)
        makers |= {path: (job, index) for index, path in enumerate(job.outputs)}
    needed: dict[str, None] = {}
    names = {name for group in grouped.values() for name in group[0].wildcards}
    bounds = "".join(f'    {name}="[^/]+",\n' for name in sorted(names))
    parts = [f"wildcard_constraints:\n{bounds}"]
    for group in grouped.values():
        given = [path for path in group[0].inputs if sources and path not in makers]
        needed |= dict.fromkeys(given)
        made = [
            _output(*makers[path], job.wildcards)
            for job in group
            for path in job.inputs
            if path in makers
        ]
        parts.append(_rule(group[0], [*dict.fromkeys(made), *given]))
    like = max(grouped.values(), key=len)[0]
    for number in range(rules - len(grouped)):
        spare = Job(f"spare_{number}", [], like.outputs, like.wildcards, like.resources)
        parts.append(_rule(spare, like.inputs))
    return "\n\n".join(parts), list(needed)


def write_bare(folder: Path, text: str, rules: int, sources: bool = True) -> None:
    """Write a Snakefile for the jobs of a dry run, whose output is ``text``, into an empty folder."""
    content, needed = bare_snakefile(jobs_of(text), rules, sources)
    (folder / "Snakefile").write_text(content, encoding="utf-8")
    for path in needed:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    # Use the same scheduler and triggers, which are this project's choice of Snakemake's settings.
    shutil.copytree("profiles/default", folder / "profiles" / "default")


def _split(listed: str) -> list[str]:
    return listed.split(", ") if listed else []


def _pairs(listed: str) -> Iterable[tuple[str, str]]:
    return (pair.partition("=")[::2] for pair in _split(listed))


def _output(job: Job, index: int, asker: Mapping[str, str] | None = None) -> str:
    """Return the pattern of an output, written with the wildcards ``asker`` of the requesting job."""
    known = job.wildcards if asker is None else asker
    values = [
        f"{{{name}}}" if known.get(name) == value else value for name, value in job.wildcards.items()
    ]
    study, *others = values or ["none"]
    return "/".join(["results", study, job.rule, *others, f"{index}.out"])


def _rule(job: Job, inputs: list[str]) -> str:
    """Return a rule whose jobs have these inputs, and otherwise the values of ``job``."""
    stem = _output(job, 0).removesuffix("0.out")
    outputs = [_output(job, index) for index in range(len(job.outputs))]
    sections = {"input": [repr(path) for path in inputs], "output": [repr(path) for path in outputs]}
    if not outputs:  # the first target
        return f"rule {job.rule}:\n    default_target: True\n" + _section("input", sections["input"])
    sections |= {
        "log": [repr(f"{stem}log")],
        "benchmark": [repr(f"{stem}tsv")],
        "resources": [f"{key}={job.resources[key]}" for key in ASKED if key in job.resources],
        "params": [f"{name}={name!r}" for name in PARAMS],
    }
    words = [f"{{params.{name}:q}}" for name in PARAMS] + [f"{{wildcards.{w}:q}}" for w in job.wildcards]
    read = ["{input[0]:q}"] if inputs else []
    command = " ".join(["tool", *read, *words, "--out {output:q} > {log:q} 2>&1"])
    sections["shell"] = [repr(command)]
    return f"rule {job.rule}:\n" + "".join(_section(*item) for item in sections.items())


def _section(key: str, lines: list[str]) -> str:
    return f"    {key}:\n        " + ",\n        ".join(lines) + "\n" if lines else ""
