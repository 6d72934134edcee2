"""Settings files: YAML that a pydantic record validates, with the overrides of ``--set key=value``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from paretoken.config.config import MOST_REPORTED
from paretoken.config.error_messages import describe
from paretoken.config.fields import Record
from paretoken.errors import UserError
from paretoken.io.escape import shown
from paretoken.io.yaml_files import UNREADABLE, parse_yaml, read_yaml

Kind = TypeVar("Kind", bound=Record)


def read_settings(
    path: Path, kind: type[Kind], what: str, overrides: Sequence[tuple[str, str]] = ()
) -> Kind:
    """Read and validate a settings file.

    Args:
        path: the YAML file.
        kind: the record class that validates it.
        what: what messages call such a file.
        overrides: pairs such as ``("learning_rates.llm", "3e-3")``, as ``--set`` takes them.

    Raises:
        UserError: the file cannot be read, or is invalid; the message lists all problems.
    """
    raw = read_yaml(path)
    for key, text in overrides:
        override(raw, key, text)
    changed = f" with {', '.join(f'{key}={text}' for key, text in overrides)}" if overrides else ""
    return checked(raw, kind, f"{path}{changed} is not a valid {what}")


def checked(raw: Any, kind: type[Kind], complaint: str) -> Kind:
    """Validate a value and return it as a record.

    Args:
        raw: the value, as read from YAML or JSON.
        kind: the record class that validates it.
        complaint: the beginning of the error message, before the list of problems.

    Raises:
        UserError: the value is invalid; the message lists all problems.
    """
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        listed = "\n".join(f"  - {problem}" for problem in islice(describe(error, kind), MOST_REPORTED))
        raise UserError(f"{complaint}:\n{listed}") from error


def override(raw: dict[str, Any], key: str, text: str) -> None:
    """Set a dotted key to a value, which is parsed as YAML."""
    *parents, last = key.split(".")
    place: Any = raw
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, Mapping):
            raise UserError(
                f"--set {key}: {parent} is {shown(place)}, which has no keys; correct the key"
            )
    try:
        place[last] = parse_yaml(text)
    except UNREADABLE as error:
        raise UserError(f"--set {key}: {shown(text)} is not valid YAML; put text in quotes") from error


def digest(*parts: Any) -> str:
    """Return a hash of records and plain values; equal settings have equal hashes."""
    plain = [part.model_dump(mode="json") if isinstance(part, Record) else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
