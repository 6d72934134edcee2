"""Reading a config as YAML made it: whatever is malformed is passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def records(raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the records under ``key``; none if there is no list of them."""
    values = raw.get(key)
    return [v for v in values if isinstance(v, Mapping)] if isinstance(values, list) else []


def counts(raw: Mapping[str, Any], key: str) -> dict[str, int]:
    """Return how many records under ``key`` have each name."""
    names = [r["name"] for r in records(raw, key) if isinstance(r.get("name"), str)]
    return {name: names.count(name) for name in dict.fromkeys(names)}


def whole(value: Any) -> int | None:
    """Return the positive whole number that pydantic makes of a value, or None if it makes none."""
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number and number > 0 and number.is_integer() else None


def texts(value: Any) -> list[str]:
    """Return the texts in a list, or a text alone as a list of one."""
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, str)]
