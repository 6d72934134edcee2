"""Checks between records: duplicates, unknown references, unreachable token counts.

They work on the raw mapping and skip malformed entries, which pydantic reports, so that both kinds of
problems appear in one message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from paretoken.compressors.reach import reachable_tokens, spans
from paretoken.config.raw import counts, records, texts, whole
from paretoken.config.runs import is_recorded, study_name
from paretoken.config.trained import training_problems
from paretoken.io.escape import shown
from paretoken.io.ranges import LARGEST_GRID
from paretoken.io.text_tables import counted
from paretoken.registry import COMPRESSORS, listed, unknown_name


def reference_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield one sentence per problem between the records of a config as read from YAML."""
    for key in ("llms", "vision", "data", "studies"):
        for name, count in counts(raw, key).items():
            if count > 1:
                yield f"{key}: {shown(name)} is the name of {count} records; give each its own"
    runs = texts(raw.get("run"))
    yield from _unknown(raw, "run", [study_name(name) for name in runs], "study", "studies")
    yield from _not_trained(raw, [study_name(name) for name in runs if is_recorded(name)])
    for index, study in enumerate(records(raw, "studies")):
        yield from _study_problems(raw, f"studies[{index}]", study)


def _study_problems(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(raw, f"{place}.llms", study.get("llms"), "llm", "llms")
    yield from _unknown(raw, f"{place}.predict", study.get("predict"), "llm", "llms")
    yield from _unknown(raw, f"{place}.vision", study.get("vision"), "vision encoder", "vision")
    yield from _origin_problems(raw, place, study)
    yield from _holdout_problems(place, study)
    yield from _predict_problems(place, study)
    for key in ("suites", "compressors"):
        for name, count in counts(study, key).items():
            if count > 1:
                yield f"{place}.{key}: {shown(name)} is listed {count} times; write it once"
    yield from _equal_sizes(raw, place, study)
    yield from _token_problems(raw, place, study)


def _origin_problems(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> Iterator[str]:
    """Yield problems with the source of the errors: a table, or training."""
    training = study.get("training")
    if (study.get("measured") is None) == (training is None):
        yield (
            f"{place}: needs either measured: (a table of errors) or training: (how to train the cells)"
        )
        return
    if training is not None:
        yield from training_problems(raw, place, study)
        return
    fit = study.get("fit")
    if isinstance(fit, Mapping) and fit.get("laws") == []:
        yield f"{place}.fit.laws: is empty; a measured study fits a law: name one"
    for index, suite in enumerate(records(study, "suites")):
        if suite.get("benchmarks"):
            yield (
                f"{place}.suites[{index}].benchmarks: is for trained studies; this one is measured, so "
                "take it out"
            )


def _holdout_problems(place: str, study: Mapping[str, Any]) -> Iterator[str]:
    grid = dict.fromkeys(texts(study.get("llms")))
    held = texts(study.get("holdout"))
    for name in held:
        if name not in grid:
            yield (
                f"{place}.holdout: {shown(name)} is not in the grid; hold out one of its llms: "
                f"{listed(grid) or '(none)'} (a size without measurements goes under `predict:`)"
            )
    if grid and set(grid) <= set(held):
        yield f"{place}.holdout: holds out every size; leave some to fit"


def _equal_sizes(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> list[str]:
    sizes: dict[str, list[str]] = {}
    grid = set(texts(study.get("llms")))
    for llm in records(raw, "llms"):
        name = llm.get("name")
        if isinstance(name, str) and name in grid:
            sizes.setdefault(shown(llm.get("params_b")), []).append(name)
    return [
        f"{place}.llms: {listed(names, ' and ')} have the same params_b = {size}; a law in N cannot "
        "distinguish them: give each its own size, or study them separately"
        for size, names in sizes.items()
        if len(names) > 1
    ]


def _predict_problems(place: str, study: Mapping[str, Any]) -> list[str]:
    grid = set(texts(study.get("llms")))
    return [
        f"{place}.predict: {shown(name)} is in the grid, so it is fitted; name sizes outside `llms:` "
        "here, or put it under `holdout:`"
        for name in texts(study.get("predict"))
        if name in grid
    ]


def _token_problems(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> list[str]:
    sides = [v.get("grid") for v in records(raw, "vision") if v.get("name") == study.get("vision")]
    side = whole(sides[0]) if sides else None  # as pydantic will read it
    if side is None or side > LARGEST_GRID:
        return []
    problems: list[str] = []
    for index, entry in enumerate(records(study, "compressors")):
        name, tokens = entry.get("name"), entry.get("tokens")
        if not isinstance(name, str) or name not in COMPRESSORS or not isinstance(tokens, list):
            continue
        reachable = reachable_tokens(name, side)
        allowed = spans(reachable)
        problems += [
            f"{place}.compressors[{index}].tokens: {name} cannot make {counted(count, 'token')} of a "
            f"{side} x {side} grid; write some of {allowed}"
            for count in map(whole, tokens)
            if count is not None and count not in reachable
        ]
    return problems


def _not_trained(raw: Mapping[str, Any], names: list[str]) -> Iterator[str]:
    """Yield studies of which no tables can be recorded, since they train nothing."""
    for study in records(raw, "studies"):
        if study.get("name") in names and study.get("training") is None:
            name = study["name"]
            yield (
                f"run: measured/{name} means the recorded tables of a trained study, and {name} is not "
                f"trained; write {name}"
            )


def _unknown(raw: Mapping[str, Any], place: str, names: Any, kind: str, key: str) -> Iterator[str]:
    known = counts(raw, key)
    for name in texts(names):
        if name not in known:
            yield f"{place}: {unknown_name(kind, name, known)}"
