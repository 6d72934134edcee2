"""What is wrong between records: duplicates, unknown references, unreachable tokens.

Works on the raw mapping and skips what is malformed (pydantic reports that), so that both kinds of
problem are shown in one go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paretoken.config.fields import LARGEST_GRID
from paretoken.config.raw import counts, records, texts, whole
from paretoken.config.trained import training_problems
from paretoken.registry import unknown_name
from paretoken.tokens import COMPRESSORS, reachable_tokens, spans


def reference_problems(raw: Mapping[str, Any]) -> list[str]:
    """Return one sentence per problem between the records of a config as read from YAML."""
    problems = [
        f"{key}: {name!r} is the name of {count} records; give each its own"
        for key in ("llms", "vision", "studies")
        for name, count in counts(raw, key).items()
        if count > 1
    ]
    problems += _unknown(raw, "run", raw.get("run"), "study", "studies")
    for index, study in enumerate(records(raw, "studies")):
        problems += _study_problems(raw, f"studies[{index}]", study)
    return problems


def _study_problems(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> list[str]:
    problems = _unknown(raw, f"{place}.llms", study.get("llms"), "llm", "llms")
    problems += _unknown(raw, f"{place}.predict", study.get("predict"), "llm", "llms")
    problems += _unknown(raw, f"{place}.vision", study.get("vision"), "vision encoder", "vision")
    problems += _origin_problems(raw, place, study)
    problems += _holdout_problems(place, study)
    problems += _predict_problems(place, study)
    for key in ("suites", "compressors"):
        problems += [
            f"{place}.{key}: {name!r} stands {count} times; write it once"
            for name, count in counts(study, key).items()
            if count > 1
        ]
    problems += _equal_sizes(raw, place, study)
    problems += _token_problems(raw, place, study)
    return problems


def _origin_problems(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with where the errors come from: a table, or training."""
    training = study.get("training")
    if (study.get("measured") is None) == (training is None):
        return [
            f"{place}: needs either measured: (a table of errors) or training: (how to train the cells)"
        ]
    if training is not None:
        return training_problems(raw, place, study)
    fit = study.get("fit")
    lawless = isinstance(fit, Mapping) and fit.get("laws") == []
    empty = [f"{place}.fit.laws: is empty; a measured study fits a law: name one"] if lawless else []
    return empty + [
        f"{place}.suites[{index}].benchmarks: is for trained studies; this one is measured, so take "
        "it out"
        for index, suite in enumerate(records(study, "suites"))
        if suite.get("benchmarks")
    ]


def _holdout_problems(place: str, study: Mapping[str, Any]) -> list[str]:
    grid = texts(study.get("llms"))
    held = texts(study.get("holdout"))
    problems = [
        f"{place}.holdout: {name!r} is not in the grid; hold out one of its llms: "
        f"{', '.join(grid) or '(none)'} (a size without measurements goes under `predict:`)"
        for name in held
        if name not in grid
    ]
    if grid and set(grid) <= set(held):
        problems.append(f"{place}.holdout: holds out every size; leave some to fit")
    return problems


def _equal_sizes(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> list[str]:
    sizes: dict[Any, list[str]] = {}
    for llm in records(raw, "llms"):
        if llm.get("name") in texts(study.get("llms")):
            sizes.setdefault(str(llm.get("params_b")), []).append(str(llm["name"]))
    return [
        f"{place}.llms: {' and '.join(names)} have the same params_b = {size}; a law in N cannot tell "
        "them apart: give each its own size, or study them apart"
        for size, names in sizes.items()
        if len(names) > 1
    ]


def _predict_problems(place: str, study: Mapping[str, Any]) -> list[str]:
    return [
        f"{place}.predict: {name!r} is in the grid, so it is fitted; name sizes outside `llms:` here, "
        "or put it under `holdout:`"
        for name in texts(study.get("predict"))
        if name in texts(study.get("llms"))
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
        problems += [
            f"{place}.compressors[{index}].tokens: {name} cannot make {count} tokens of a "
            f"{side} x {side} grid; write some of {spans(reachable)}"
            for count in map(whole, tokens)
            if count is not None and count not in reachable
        ]
    return problems


def _unknown(raw: Mapping[str, Any], place: str, names: Any, kind: str, key: str) -> list[str]:
    known = counts(raw, key)
    return [f"{place}: {unknown_name(kind, n, known)}" for n in texts(names) if n not in known]
