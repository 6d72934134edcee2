"""From what is wrong with a config to sentences: the key, the value, what is allowed, the mend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from paretoken.escape import shown
from paretoken.registry import unknown_name

#: What to write instead, by pydantic's type of error; {name} comes from the error's context.
MENDS = {
    "missing": "is missing; add it",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le:,.15g} or less",
    "finite_number": "must be a finite number",
    "float_parsing": "is no number; write one, such as 0.5 or 1e-3",
    "bool_type": "must be true or false",
    "float_type": "is no number; write one, such as 0.5 or 1e-3",
    "int_parsing": "is no whole number; write one, such as 16",
    "int_type": "is no whole number; write one, such as 16",
    "int_from_float": "is no whole number; write one, such as 16",
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "may have only lower-case letters, digits, '.', '_' and '-', starts with "
    "a letter or digit, and does not end in '.' (it names a folder)",
    "string_too_long": "is too long; write at most {max_length} characters",
    "dict_type": "must be a record; write 'key: value' lines",
    "list_type": "must be a list; write [first, second] or one '- item' a line",
    "model_type": "must be a record; write 'key: value' lines",
    "model_attributes_type": "must be a record; write 'key: value' lines",
    "literal_error": "must be one of {expected}",
    "too_short": "is empty; write at least {min_length}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "is missing; add it",
}


def describe(error: ValidationError, root: type[BaseModel]) -> Iterator[str]:
    """Yield one sentence per problem that pydantic found, each with its place and value."""
    for problem in error.errors(include_url=False):
        yield _sentence(dict(problem), root)


def _sentence(problem: dict[str, Any], root: type[BaseModel]) -> str:
    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    *way, last = problem["loc"] or ("",)
    model, place = _follow(root, way)
    if kind == "extra_forbidden":
        return f"{_join([*place, last])}: {unknown_name('key here', last, model.model_fields)}"
    place = _follow(root, problem["loc"])[1]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        place, value = [*place, context["discriminator"].strip("'")], context.get("tag")
    text = _join(place)
    if kind == "problem":
        return f"{text}: {problem['msg']}"
    mend = MENDS.get(kind, problem["msg"]).format_map(context)
    absent = kind in ("missing", "union_tag_not_found")
    return f"{text}: {mend}" if absent else f"{text} = {shown(value)}: {mend}"


def _join(place: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.lstrip(".") or "the file"


def _follow(
    model: type[BaseModel], location: Sequence[str | int]
) -> tuple[type[BaseModel], list[str | int]]:
    """Follow ``location`` through the fields.

    Returns:
        The record class that stands there, and the location as the user wrote it: pydantic adds the
        tag of a union of records (such as ``llava``) after the field that holds it.
    """
    place: list[str | int] = []
    choices: list[type[BaseModel]] = []
    for part in location:
        tagged = [choice for choice in choices if part in _tags(choice)]
        choices = []
        if tagged:
            model = tagged[0]
            continue
        place.append(part)
        if isinstance(part, str) and part in model.model_fields:
            found = list(_models_in(model.model_fields[part].annotation))
            model = next(iter(found), model)
            choices = found if len(found) > 1 else []
    return model, place


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return get_args(model.model_fields["kind"].annotation) if "kind" in model.model_fields else ()


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
