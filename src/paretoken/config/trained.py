"""What is wrong between the records of a study that is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paretoken.config.raw import counts, records, texts
from paretoken.config.training import benchmarks_of
from paretoken.registry import unknown_name

#: What the language models of a kind of study need in their records, and why.
NEEDS = {
    "miniature": ("width", "the study trains it from nothing, so add a width to its record"),
    "llava": ("hub", "the study fetches it, so add a hub's id, or a local directory, to its record"),
}


def training_problems(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> list[str]:
    """Return one sentence per problem between a trained study and the records that it uses."""
    training = study.get("training")
    kind = training.get("kind") if isinstance(training, Mapping) else None
    if not isinstance(training, Mapping) or not isinstance(kind, str) or kind not in NEEDS:
        return []
    grid, (key, mend) = texts(study.get("llms")), NEEDS[kind]
    problems = [
        f"{place}.llms: {llm['name']!r} has no {key}; {mend}"
        for llm in records(raw, "llms")
        if llm.get("name") in grid and llm.get(key) is None
    ]
    if kind == "llava":
        problems += [
            f"{place}.vision: {vision['name']!r} has no hub; {mend}"
            for vision in records(raw, "vision")
            if vision.get("name") == study.get("vision") and vision.get("hub") is None
        ]
    problems += [
        f"{place}.training.blind: {name!r} is not in the grid; write some of {', '.join(grid)}"
        for name in texts(training.get("blind") or [])
        if name not in grid
    ]
    return [*problems, *_benchmark_problems(place, study, training, kind)]


def _benchmark_problems(
    place: str, study: Mapping[str, Any], training: Mapping[str, Any], kind: str
) -> list[str]:
    problems, used = [], set()
    allowed = [*benchmarks_of(kind), *_harnessed(training)]
    for index, suite in enumerate(records(study, "suites")):
        at, names = f"{place}.suites[{index}].benchmarks", texts(suite.get("benchmarks") or [])
        if not names:
            problems.append(f"{at}: is missing; name what this trained suite averages")
        problems += [
            f"{at}: {unknown_name(f'benchmark of a {kind} study', name, allowed)}"
            for name in names
            if name not in allowed
        ]
        used |= {*names}
    own = counts(training, "benchmarks")
    problems += [
        f"{place}.training.benchmarks: {name!r} is in no suite; add it to one, or take it out here"
        for name in own
        if name not in used
    ]
    problems += [
        f"{place}.training.benchmarks: {name!r} stands {count} times; write it once"
        for name, count in own.items()
        if count > 1
    ]
    return problems


def _harnessed(training: Mapping[str, Any]) -> list[str]:
    """Return the names that a study gives to tasks of another harness."""
    return [
        entry["name"]
        for entry in records(training, "benchmarks")
        if entry.get("harness") == "lmms_eval" and isinstance(entry.get("name"), str)
    ]
