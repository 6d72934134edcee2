"""Checks between the records of a trained study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from paretoken.config.asked import benchmarks_of
from paretoken.config.raw import counts, records, texts
from paretoken.config.sources import ORIGINS
from paretoken.io.escape import shown
from paretoken.registry import listed, unknown_name

#: The key that the models of a study must have, by whether its data are generated, and the reason.
NEEDS = {
    True: (
        "make",
        "the study's data are a generated world, and only models that are made know its words: add make "
        "(recipe, and width for a language model) to its record",
    ),
    False: (
        "hub",
        "the study's data are downloaded or your own, so its models must be fetched: add hub (a hub's "
        "id, or a local directory) to its record",
    ),
}


def training_problems(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> Iterator[str]:
    """Yield one sentence per problem between a trained study and the records that it uses."""
    training = study.get("training")
    if not isinstance(training, Mapping):
        return
    grid = dict.fromkeys(texts(study.get("llms")))
    for name in texts(training.get("blind") or []):
        if name not in grid:
            yield (
                f"{place}.training.blind: {shown(name)} is not in the grid; write some of {listed(grid)}"
            )
    for index, suite in enumerate(records(study, "suites")):
        if not texts(suite.get("benchmarks") or []):
            at = f"{place}.suites[{index}].benchmarks"
            yield f"{at}: is missing; name the benchmarks that this trained suite averages"
    known = {data["name"]: data for data in records(raw, "data") if isinstance(data.get("name"), str)}
    wanted = training.get("data")
    if not isinstance(wanted, str):
        return
    data = known.get(wanted)
    if data is None:
        yield f"{place}.training.data: {unknown_name('data set', wanted, known)}"
    elif counts(raw, "data")[wanted] == 1 and sum(origin in data for origin in ORIGINS) == 1:
        yield from _origin_problems(raw, place, study, data.get("world") is not None)


def _origin_problems(
    raw: Mapping[str, Any], place: str, study: Mapping[str, Any], generated: bool
) -> Iterator[str]:
    """Yield settings that do not match the source of a study's data."""
    key, reason = NEEDS[generated]
    grid, training = texts(study.get("llms")), study["training"]
    for which, wanted in (("llms", grid), ("vision", texts(study.get("vision")))):
        for record in records(raw, which):
            name = record.get("name")
            if isinstance(name, str) and name in wanted and record.get(key) is None:
                yield f"{place}.{which}: {shown(name)} has no {key}; {reason}"
    if generated:
        yield from _unused_keys(place, training)
    elif training.get("lengthened"):
        yield f"{place}.training.lengthened: is only for data of a generated world; take it out"
    yield from _benchmark_problems(place, study, training, generated)


def _unused_keys(place: str, training: Mapping[str, Any]) -> Iterator[str]:
    """Yield settings that a generated world does not support."""
    if training.get("benchmarks"):
        yield f"{place}.training.benchmarks: a generated world asks its own questions; take it out"
    templates = training.get("templates", {})
    defaults = {"pretrain": "plain", "finetune": "chat"}
    given = {**defaults, **templates} if isinstance(templates, Mapping) else {}
    if any(isinstance(given.get(stage), str) and given[stage] != "chat" for stage in defaults):
        yield (
            f"{place}.training.templates: the models of a generated world know only their own template; "
            "write templates: {pretrain: chat, finetune: chat}"
        )


def _benchmark_problems(
    place: str, study: Mapping[str, Any], training: Mapping[str, Any], generated: bool
) -> Iterator[str]:
    used: set[str] = set()
    allowed = dict.fromkeys([*benchmarks_of(generated), *([] if generated else _harnessed(training))])
    kind = "part of a generated world" if generated else "benchmark"
    for index, suite in enumerate(records(study, "suites")):
        at, names = f"{place}.suites[{index}].benchmarks", texts(suite.get("benchmarks") or [])
        for name in names:
            if name not in allowed:
                yield f"{at}: {unknown_name(kind, name, allowed)}"
        used |= {*names}
    for name, count in counts(training, "benchmarks").items() if not generated else ():
        at = f"{place}.training.benchmarks: {shown(name)}"
        if name not in used:
            yield f"{at} is in no suite; add it to one, or take it out here"
        if count > 1:
            yield f"{at} is listed {count} times; write it once"


def _harnessed(training: Mapping[str, Any]) -> list[str]:
    """Return the names that a study gives to tasks of another harness."""
    return [
        entry["name"]
        for entry in records(training, "benchmarks")
        if entry.get("harness") == "lmms_eval" and isinstance(entry.get("name"), str)
    ]
