"""From what is wrong with a config to sentences: the key, the value, what is allowed, the mend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from paretoken.io.escape import shown
from paretoken.registry import unknown_name

#: What to write instead, by pydantic's type of error; {name} comes from the error's context. All that
#: the records of this project can raise stand here, so that nobody reads pydantic's own words.
#: Keys of earlier versions, by the record that had them, and what is written instead.
WORLD_RECIPE = "was removed; write a record under data: with world: {recipe, seed}, and name it"
RETIRED = {
    (
        "Training",
        "kind",
    ): "was removed: models are fetched (hub) or made (make), and data: names "
    "a record under data:; take it out",
    ("Training", "world_seed"): WORLD_RECIPE,
    ("StageRecipes", "world"): WORLD_RECIPE,
    (
        "StageRecipes",
        "vision",
    ): "was removed; write make: {recipe: ...} in the encoder's record",
    (
        "StageRecipes",
        "llm",
    ): "was removed; write make: {recipe: ..., width: ...} in each model's record",
    ("Llm", "width"): "was removed; write make: {recipe: ..., width: ...}",
}
MENDS = {
    "missing": "is missing; add it",
    "invalid_key": "the name of a key must be text; put it in quotes",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le:,.15g} or less",
    "finite_number": "must be a finite number",
    "float_parsing": "is no number; write one, such as 0.5 or 1e-3",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "float_type": "is no number; write one, such as 0.5 or 1e-3",
    "int_parsing": "is no whole number; write one, such as 16",
    "int_type": "is no whole number; write one, such as 16",
    "int_parsing_size": "has too many digits for a number; write a smaller one",
    "int_from_float": "is no whole number; write one, such as 16",
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "may have only lower-case letters, digits, '.', '_' and '-', starts with "
    "a letter or digit, and does not end in '.' (it names a folder)",
    "string_too_long": "is too long; write at most {max_length} characters",
    "string_unicode": "has characters that cannot be stored; write others",
    "dict_type": "must be a record; write 'key: value' lines",
    "mapping_type": "must be a record; write 'key: value' lines",
    "list_type": "must be a list; write [first, second] or one '- item' a line",
    "tuple_type": "must be a list; write [first, second]",
    "model_type": "must be a record; write 'key: value' lines",
    "model_attributes_type": "must be a record; write 'key: value' lines",
    "literal_error": "must be one of {expected}",
    "too_short": "is empty; write at least {min_length}",
    "too_long": "has {actual_length} entries; write at most {max_length}",
}


#: Where pydantic reports a key of a mapping instead of its value.
KEY = "[key]"
#: For a type of error that nobody has met.
UNKNOWN = "cannot be read; compare it with the documentation of the key"


def describe(error: ValidationError, root: type[BaseModel]) -> Iterator[str]:
    """Yield one sentence per problem that pydantic found, each with its place and value.

    A value that may be one of several types has a problem with each of them: they are one sentence.
    """
    found: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False):
        begin, mend = _problem(dict(problem), root)
        found.setdefault(begin, []).append(mend)
    for begin, mends in found.items():
        yield f"{begin}: {', or '.join(mends)}"


def _problem(problem: dict[str, Any], root: type[BaseModel]) -> tuple[str, str]:
    """Return what is wrong, as a place and mostly its value, and what to write instead."""
    kind, value = problem["type"], problem["input"]
    *way, last = problem["loc"] or ("",)
    model, place = _follow(root, way)
    if kind == "extra_forbidden":
        retired = RETIRED.get((model.__name__, str(last)))
        return _join([*place, last]), retired or unknown_name("key here", last, model.model_fields)
    place = _follow(root, problem["loc"])[1]
    text = _join(place)
    whole = kind in ("problem", "value_error", "missing")
    return text if whole else f"{text} = {shown(value)}", mend_of(problem)


def mend_of(problem: Mapping[str, Any]) -> str:
    """Return what to write instead, for one of the errors that pydantic found."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "problem":
        return str(problem["msg"])
    if kind == "value_error":
        return str(context["error"])
    return MENDS.get(kind, UNKNOWN).format_map(context)


def _join(place: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.lstrip(".") or "the file"


def _follow(
    model: type[BaseModel], location: Sequence[str | int]
) -> tuple[type[BaseModel], list[str | int]]:
    """Follow ``location`` through the fields.

    Returns:
        The record class that stands there, and the location as the user wrote it: pydantic adds what
        it tried (a type) after the field.
    """
    place: list[str | int] = []
    named = False  # whether names follow that the user wrote: fields of a record, keys of a mapping
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            place.append(part)
            annotation = model.model_fields[part].annotation
            found = list(_models_in(annotation))
            named = _is_keyed(annotation)
            model = next(iter(found), model if named else BaseModel)
        elif isinstance(part, int) or (named and part != KEY):
            place.append(part)
    return model, place


def _is_keyed(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return True
    return any(map(_is_keyed, get_args(annotation)))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
