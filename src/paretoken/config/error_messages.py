"""Messages for validation errors of a config: the key, the value, what is allowed and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from paretoken.io.escape import shown
from paretoken.registry import unknown_name

WORLD_RECIPE = "was removed; write a record under data: with world: {recipe, seed}, and name it"
#: Keys of earlier versions, by the record that had them, and what to write instead.
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
#: Messages by pydantic's type of error; {name} comes from the error's context. Every type that the
#: records of this project can raise is listed, so that users never see pydantic's own messages.
MESSAGES = {
    "missing": "is missing; add it",
    "invalid_key": "the name of a key must be text; put it in quotes",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le:,.15g} or less",
    "finite_number": "must be a finite number",
    "float_parsing": "is not a number; write one, such as 0.5 or 1e-3",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "float_type": "is not a number; write one, such as 0.5 or 1e-3",
    "int_parsing": "is not a whole number; write one, such as 16",
    "int_type": "is not a whole number; write one, such as 16",
    "int_parsing_size": "has too many digits for a number; write a smaller one",
    "int_from_float": "is not a whole number; write one, such as 16",
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "must have only lower-case letters, digits, '.', '_' and '-', start with "
    "a letter or digit, and not end in '.' (it names a folder)",
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


#: The last part of a location where pydantic reports a key of a mapping instead of its value.
KEY = "[key]"
#: Message for a type of error that is not listed.
UNKNOWN = "cannot be read; compare it with the documentation of the key"


def describe(error: ValidationError, root: type[BaseModel]) -> Iterator[str]:
    """Yield one sentence per problem that pydantic found, each with its place and value.

    A value that may be of several types has one problem per type; they are joined into one sentence.
    """
    found: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False):
        begin, message = _problem(dict(problem), root)
        found.setdefault(begin, []).append(message)
    for begin, messages in found.items():
        yield f"{begin}: {', or '.join(messages)}"


def _problem(problem: dict[str, Any], root: type[BaseModel]) -> tuple[str, str]:
    """Return the place of a problem, with its value unless the message has it, and the message."""
    kind, value = problem["type"], problem["input"]
    *way, last = problem["loc"] or ("",)
    model, place = _follow(root, way)
    if kind == "extra_forbidden":
        retired = RETIRED.get((model.__name__, str(last)))
        return _join([*place, last]), retired or unknown_name("key", last, model.model_fields)
    place = _follow(root, problem["loc"])[1]
    text = _join(place)
    whole = kind in ("problem", "value_error", "missing")
    return text if whole else f"{text} = {shown(value)}", message_for(problem)


def message_for(problem: Mapping[str, Any]) -> str:
    """Return the message for one of the errors that pydantic found."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "problem":
        return str(problem["msg"])
    if kind == "value_error":
        return str(context["error"])
    return MESSAGES.get(kind, UNKNOWN).format_map(context)


def _join(place: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.lstrip(".") or "the file"


def _follow(
    model: type[BaseModel], location: Sequence[str | int]
) -> tuple[type[BaseModel], list[str | int]]:
    """Follow ``location`` through the fields.

    Returns:
        The record class at that location, and the location as the user wrote it, without the types
        that pydantic tried and adds after the field.
    """
    place: list[str | int] = []
    named = False  # whether the next names are the user's: fields of a record, keys of a mapping
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
