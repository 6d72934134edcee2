"""From what is wrong with a config to sentences: the key, the value, what is allowed, the mend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from paretoken.registry import unknown_name
from paretoken.tokens import COMPRESSORS, reachable_tokens

#: What to write instead, by pydantic's type of error; {name} comes from the error's context.
MENDS = {
    "missing": "is missing; add it",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less (sizes are in billions)",
    "finite_number": "must be a finite number",
    "float_parsing": "is no number; write one, such as 0.5 or 1e-3",
    "float_type": "is no number; write one, such as 0.5 or 1e-3",
    "int_parsing": "is no whole number; write one, such as 16",
    "int_type": "is no whole number; write one, such as 16",
    "int_from_float": "is no whole number; write one, such as 16",
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "may have only lower-case letters, digits, '.', '_' and '-', "
    "and starts with a letter or digit (it names a folder)",
    "list_type": "must be a list; write [first, second] or one '- item' a line",
    "model_type": "must be a record; write 'key: value' lines",
    "model_attributes_type": "must be a record; write 'key: value' lines",
    "literal_error": "must be one of {expected}",
    "too_short": "is empty; write at least {min_length}",
}


def describe(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Return one sentence per problem that pydantic found, each with its place and value."""
    return [_sentence(dict(problem), root) for problem in error.errors(include_url=False)]


def _sentence(problem: dict[str, Any], root: type[BaseModel]) -> str:
    location, kind, value = problem["loc"], problem["type"], problem["input"]
    place = _place(location)
    if kind == "extra_forbidden":
        allowed = _model_at(root, location[:-1]).model_fields
        return f"{place}: {unknown_name('key here', location[-1], allowed)}"
    if kind == "problem":
        return f"{place}: {problem['msg']}"
    mend = MENDS.get(kind, problem["msg"]).format_map(problem.get("ctx", {}))
    return f"{place}: {mend}" if kind == "missing" else f"{place} = {value!r}: {mend}"


def _place(location: tuple[str | int, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".") or "the file"


def _model_at(model: type[BaseModel], location: tuple[str | int, ...]) -> type[BaseModel]:
    """Follow ``location`` through the fields and return the record class that stands there."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = next(_models_in(model.model_fields[part].annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def reference_problems(raw: Mapping[str, Any]) -> list[str]:
    """Return what is wrong between records: duplicates, unknown references, unreachable tokens.

    Works on the raw mapping and skips what is malformed (pydantic reports that), so that both
    kinds of problem are shown in one go.
    """
    problems = [
        f"{key}: {name!r} is the name of {count} records; give each its own"
        for key in ("llms", "vision", "studies")
        for name, count in _counts(raw, key).items()
        if count > 1
    ]
    problems += _unknown(raw, "run", raw.get("run"), "study", "studies")
    for index, study in enumerate(_records(raw, "studies")):
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
            for name, count in _counts(study, key).items()
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
    suites = list(enumerate(_records(study, "suites")))
    if training is None:
        return [
            f"{place}.suites[{index}].benchmarks: is for trained studies; this one is measured, so take "
            "it out"
            for index, suite in suites
            if suite.get("benchmarks")
        ]
    problems = [
        f"{place}.suites[{index}].benchmarks: is missing; name what this trained suite averages"
        for index, suite in suites
        if not suite.get("benchmarks")
    ]
    grid = _texts(study.get("llms"))
    problems += [
        f"{place}.llms: {llm['name']!r} has no width; the study trains it, so add one to its record"
        for llm in _records(raw, "llms")
        if llm.get("name") in grid and llm.get("width") is None
    ]
    blind = _texts(training.get("blind") or []) if isinstance(training, Mapping) else []
    problems += [
        f"{place}.training.blind: {name!r} is not in the grid; write some of {', '.join(grid)}"
        for name in blind
        if name not in grid
    ]
    return problems


def _holdout_problems(place: str, study: Mapping[str, Any]) -> list[str]:
    grid = _texts(study.get("llms"))
    held = _texts(study.get("holdout"))
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
    for llm in _records(raw, "llms"):
        if llm.get("name") in _texts(study.get("llms")):
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
        for name in _texts(study.get("predict"))
        if name in _texts(study.get("llms"))
    ]


def _token_problems(raw: Mapping[str, Any], place: str, study: Mapping[str, Any]) -> list[str]:
    sides = [v.get("grid") for v in _records(raw, "vision") if v.get("name") == study.get("vision")]
    side = _whole(sides[0]) if sides else None  # as pydantic will read it
    if side is None:
        return []
    problems: list[str] = []
    for index, entry in enumerate(_records(study, "compressors")):
        name, tokens = entry.get("name"), entry.get("tokens")
        if not isinstance(name, str) or name not in COMPRESSORS or not isinstance(tokens, list):
            continue
        reachable = reachable_tokens(name, side)
        problems += [
            f"{place}.compressors[{index}].tokens: {name} cannot make {count} tokens of a "
            f"{side} x {side} grid; write some of {', '.join(map(str, reachable))}"
            for count in map(_whole, tokens)
            if count is not None and count not in reachable
        ]
    return problems


def _unknown(raw: Mapping[str, Any], place: str, names: Any, kind: str, key: str) -> list[str]:
    known = _counts(raw, key)
    return [f"{place}: {unknown_name(kind, n, known)}" for n in _texts(names) if n not in known]


def _records(raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    values = raw.get(key)
    return [v for v in values if isinstance(v, Mapping)] if isinstance(values, list) else []


def _counts(raw: Mapping[str, Any], key: str) -> dict[str, int]:
    names = [r["name"] for r in _records(raw, key) if isinstance(r.get("name"), str)]
    return {name: names.count(name) for name in dict.fromkeys(names)}


def _whole(value: Any) -> int | None:
    """Return the positive whole number that pydantic makes of a value, or None if it makes none."""
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number and number > 0 and number.is_integer() else None


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, str)]
