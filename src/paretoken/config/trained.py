"""What is wrong between the records of a study that is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from paretoken.config.raw import counts, records, texts
from paretoken.config.training import benchmarks_of
from paretoken.escape import shown
from paretoken.registry import listed, unknown_name

#: What the language models of a kind of study need in their records, and why.
NEEDS = {
    "miniature": ("width", "the study trains it from nothing, so add a width to its record"),
    "llava": ("hub", "the study fetches it, so add a hub's id, or a local directory, to its record"),
}


def training_problems(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> Iterator[str]:
    """Yield one sentence per problem between a trained study and the records that it uses."""
    training = study.get("training")
    kind = training.get("kind") if isinstance(training, Mapping) else None
    if not isinstance(training, Mapping) or not isinstance(kind, str) or kind not in NEEDS:
        return
    grid, (key, mend) = dict.fromkeys(texts(study.get("llms"))), NEEDS[kind]
    for llm in records(raw, "llms"):
        name = llm.get("name")
        if isinstance(name, str) and name in grid and llm.get(key) is None:
            yield f"{place}.llms: {shown(name)} has no {key}; {mend}"
    if kind == "llava":
        for vision in records(raw, "vision"):
            if vision.get("name") == study.get("vision") and vision.get("hub") is None:
                yield f"{place}.vision: {shown(vision['name'])} has no hub; {mend}"
    for name in texts(training.get("blind") or []):
        if name not in grid:
            yield (
                f"{place}.training.blind: {shown(name)} is not in the grid; write some of {listed(grid)}"
            )
    yield from _benchmark_problems(place, study, training, kind)


def _benchmark_problems(
    place: str, study: Mapping[str, Any], training: Mapping[str, Any], kind: str
) -> Iterator[str]:
    used: set[str] = set()
    allowed = dict.fromkeys([*benchmarks_of(kind), *_harnessed(training)])
    for index, suite in enumerate(records(study, "suites")):
        at, names = f"{place}.suites[{index}].benchmarks", texts(suite.get("benchmarks") or [])
        if not names:
            yield f"{at}: is missing; name what this trained suite averages"
        for name in names:
            if name not in allowed:
                yield f"{at}: {unknown_name(f'benchmark of a {kind} study', name, allowed)}"
        used |= {*names}
    for name, count in counts(training, "benchmarks").items():
        at = f"{place}.training.benchmarks: {shown(name)}"
        if name not in used:
            yield f"{at} is in no suite; add it to one, or take it out here"
        if count > 1:
            yield f"{at} stands {count} times; write it once"


def _harnessed(training: Mapping[str, Any]) -> list[str]:
    """Return the names that a study gives to tasks of another harness."""
    return [
        entry["name"]
        for entry in records(training, "benchmarks")
        if entry.get("harness") == "lmms_eval" and isinstance(entry.get("name"), str)
    ]
