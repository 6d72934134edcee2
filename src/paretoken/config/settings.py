"""Files of settings: YAML, checked by a pydantic record, with ``--set key=value`` on top."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from paretoken.config.config import MOST_TOLD
from paretoken.config.error_messages import describe
from paretoken.config.fields import Record
from paretoken.errors import UserError
from paretoken.io.escape import shown
from paretoken.io.yaml_files import UNREADABLE, parse_yaml, read_yaml

Kind = TypeVar("Kind", bound=Record)


def read_settings(
    path: Path, kind: type[Kind], what: str, overrides: Sequence[tuple[str, str]] = ()
) -> Kind:
    """Read and check a file of settings.

    Args:
        path: the YAML file.
        kind: the record it must fit.
        what: what to call such a file in messages.
        overrides: pairs such as ``("learning_rates.llm", "3e-3")``, as ``--set`` takes them.

    Raises:
        UserError: the file cannot be read, or everything that is wrong with it.
    """
    raw = read_yaml(path)
    for key, text in overrides:
        override(raw, key, text)
    changed = f" with {', '.join(f'{key}={text}' for key, text in overrides)}" if overrides else ""
    return checked(raw, kind, f"{path}{changed} is not a valid {what}")


def checked(raw: Any, kind: type[Kind], complaint: str) -> Kind:
    """Return what was read as a record.

    Args:
        raw: as YAML or JSON made it.
        kind: the record it must fit.
        complaint: what to say if it does not, in front of all problems.

    Raises:
        UserError: everything that is wrong with it.
    """
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        listed = "\n".join(f"  - {problem}" for problem in islice(describe(error, kind), MOST_TOLD))
        raise UserError(f"{complaint}:\n{listed}") from error


def override(raw: dict[str, Any], key: str, text: str) -> None:
    """Write a value, read as YAML, at a dotted key."""
    *parents, last = key.split(".")
    place: Any = raw
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, Mapping):
            raise UserError(f"--set {key}: {parent} holds no keys")
    try:
        place[last] = parse_yaml(text)
    except UNREADABLE as error:
        raise UserError(f"--set {key}: {shown(text)} is no valid YAML; put text in quotes") from error


def digest(*parts: Any) -> str:
    """Return a hash of records and plain values: the same settings have the same."""
    plain = [part.model_dump(mode="json") if isinstance(part, Record) else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
