"""The types that every record of ``config.yaml`` (and of other settings) is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from paretoken.registry import Registry, unknown_name
from paretoken.seeds import LARGEST_SEED


def problem(sentence: str) -> PydanticCustomError:
    """Return an error that is told in exactly these words."""
    return PydanticCustomError("problem", "{sentence}", {"sentence": sentence})


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise problem("is true or false; write a number")
    return value


def _billions(value: float) -> float:
    if value > LARGEST:
        raise problem(f"is {value:g}; write {LARGEST} or less (sizes are in billions)")
    return value


def _assignment(text: str) -> str:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise problem(f"{text!r} is no KEY=VALUE; write one such as global_batch=128")
    return text


def registered(registry: Registry | Mapping[str, Any], kind: str) -> AfterValidator:
    """Return a check that a name is one of ``registry``."""
    return AfterValidator(lambda name: check_registered(name, registry, kind))


def check_registered(name: str, registry: Registry | Mapping[str, Any], kind: str) -> str:
    """Return ``name`` if it is one of ``registry``; otherwise raise what pydantic reports."""
    if name not in registry:
        raise problem(unknown_name(kind, name, registry))
    return name


def unique(values: list[Any]) -> list[Any]:
    """Return ``values`` if none of them stands twice."""
    twice = sorted(value for value, times in Counter(values).items() if times > 1)
    if twice:
        raise problem(f"lists {', '.join(map(str, twice))} twice; write each once")
    return values


def as_list(value: Any) -> Any:
    """Let ``--config run=paper`` mean ``run=[paper]``."""
    return [value] if isinstance(value, str) else value


#: Nothing that this project counts in billions is larger.
LARGEST = 100_000
#: Patches per side of an encoder's grid; 24 is usual.
LARGEST_GRID = 1000
#: GPUs of one job.
LARGEST_JOB = 10_000
#: Hidden size of a network.
LARGEST_WIDTH = 1_000_000
#: Replicates of a bootstrap.
MOST_REPLICATES = 1_000_000
#: No count of anything is larger; larger ones are mistakes, and do not fit into 64 bits.
MOST = 10**15
#: Names become folders, wildcards and job names: no file system changes or shortens them.
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9_-])?$", max_length=100)]
Number = Annotated[float, BeforeValidator(_no_boolean), Field(gt=0, allow_inf_nan=False)]
Size = Annotated[Number, Field(le=LARGEST)]
Billions = Annotated[Number, AfterValidator(_billions)]
Assignment = Annotated[str, AfterValidator(_assignment)]
Share = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_no_boolean), Field(ge=1, le=MOST)]
Width = Annotated[Count, Field(le=LARGEST_WIDTH)]
WholeNumber = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0, le=MOST)]
#: Text tokens of a question: no model reads more.
TextTokens = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0, le=10**9)]
Seed = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0, le=LARGEST_SEED)]


class Record(BaseModel):
    """A block of the config: immutable, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
