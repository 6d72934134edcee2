"""Field types of the records of ``config.yaml`` and of other settings files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from paretoken.io.escape import shown
from paretoken.io.ranges import (
    LARGEST,
    LARGEST_AMOUNT,
    LARGEST_BATCH,
    LARGEST_GRID,
    LARGEST_JOB,
    LARGEST_SEED,
    LARGEST_WIDTH,
    MOST,
    MOST_LAYERS,
    MOST_PARAMETERS,
    MOST_THREADS,
    MOST_TOKENS,
)
from paretoken.registry import Registry, unknown_name


def problem(sentence: str) -> PydanticCustomError:
    """Return a validation error with exactly this message."""
    return PydanticCustomError("problem", "{sentence}", {"sentence": sentence})


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise problem("is true or false; write a number")
    return value


def _billions(value: float) -> float:
    if value > LARGEST:
        raise problem(f"is {value:g}; write {LARGEST} or less (sizes are in billions)")
    return value


def not_empty(text: str) -> str:
    """Return ``text`` if it is not blank; otherwise raise a validation error."""
    if not text.strip():
        raise problem("is empty; write something there, or take the key out")
    return text


def _assignment(text: str) -> str:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise problem(
            f"{shown(text)} is not of the form KEY=VALUE; write, for example, global_batch=128"
        )
    return text


def registered(registry: Registry | Mapping[str, Any], kind: str) -> AfterValidator:
    """Return a validator that requires a name of ``registry``."""
    return AfterValidator(lambda name: check_registered(name, registry, kind))


def check_registered(name: str, registry: Registry | Mapping[str, Any], kind: str) -> str:
    """Return ``name`` if it is in ``registry``; otherwise raise a validation error."""
    if name not in registry:
        raise problem(unknown_name(kind, name, registry))
    return name


def unique(values: list[Any]) -> list[Any]:
    """Return ``values`` if there are no duplicates; otherwise raise a validation error."""
    twice = sorted(value for value, times in Counter(values).items() if times > 1)
    if twice:
        raise problem(f"lists {', '.join(map(str, twice))} twice; write each once")
    return values


def as_list(value: Any) -> Any:
    """Return a text as a list of one, so that ``--config run=paper`` means ``run=[paper]``."""
    return [value] if isinstance(value, str) else value


#: Names become folders, wildcards and job names, so every file system must keep them unchanged.
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9_-])?$", max_length=100)]
Finite = Annotated[float, BeforeValidator(_no_boolean), Field(allow_inf_nan=False)]
Number = Annotated[Finite, Field(gt=0, le=LARGEST_AMOUNT)]
NotNegative = Annotated[Finite, Field(ge=0, le=LARGEST)]
Size = Annotated[Finite, Field(gt=0, le=LARGEST)]
Billions = Annotated[Finite, Field(gt=0), AfterValidator(_billions)]
Assignment = Annotated[str, AfterValidator(_assignment)]
#: Free text. An empty one is rejected, since it would silently mean the default.
Text = Annotated[str, AfterValidator(not_empty)]
Share = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_no_boolean), Field(ge=1, le=MOST)]
Width = Annotated[Count, Field(le=LARGEST_WIDTH)]
Layers = Annotated[Count, Field(le=MOST_LAYERS)]
Grid = Annotated[Count, Field(le=LARGEST_GRID)]
Gpus = Annotated[Count, Field(le=LARGEST_JOB)]
Batch = Annotated[Count, Field(le=LARGEST_BATCH)]
Parameters = Annotated[Count, Field(le=MOST_PARAMETERS)]
#: Tokens of an image, or of a model's input: at least one.
Tokens = Annotated[Count, Field(le=MOST_TOKENS)]
WholeNumber = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0, le=MOST)]
Workers = Annotated[WholeNumber, Field(le=MOST_THREADS)]
TextTokens = Annotated[WholeNumber, Field(le=MOST_TOKENS)]
Seed = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0, le=LARGEST_SEED)]


class Record(BaseModel):
    """A block of the config. It is immutable and rejects unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
