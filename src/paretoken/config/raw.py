"""Access to a config as read from YAML; malformed entries are skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from paretoken.io.escape import shown


def records(raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the records under ``key``; none if there is no list of them."""
    values = raw.get(key)
    return [v for v in values if isinstance(v, Mapping)] if isinstance(values, list) else []


def counts(raw: Mapping[str, Any], key: str) -> dict[str, int]:
    """Return how many records under ``key`` have each name."""
    return Counter(r["name"] for r in records(raw, key) if isinstance(r.get("name"), str))


def whole(value: Any) -> int | None:
    """Return the positive whole number that pydantic parses from a value; None if it rejects it."""
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number and number > 0 and number.is_integer() else None


def texts(value: Any) -> list[str]:
    """Return the texts in a list; a single text becomes a list of one."""
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, str)]


def unwritable_texts(raw: Mapping[str, Any]) -> list[str]:
    """Return one sentence per text that cannot be stored in a file or its name, and per binary value.

    Pydantic would decode binary values (``!!binary``), but the checks between records would miss them.
    """
    problems = []
    for place, value in values(raw):
        if isinstance(value, bytes):
            problems.append(f"{place}: is binary (!!binary); write it as text")
        elif isinstance(value, str) and ("\0" in value or not _can_be_encoded(value)):
            problems.append(
                f"{place}: {shown(value)} has a character that cannot be stored in a file; take it out"
            )
    return problems


def values(raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every value with its place; the parts of a value that aliases repeat come only once."""
    seen: set[int] = set()
    left: list[tuple[str, Any]] = [("", raw)]
    while left:
        place, value = left.pop()
        yield place, value
        if isinstance(value, Mapping | list) and id(value) not in seen:
            seen.add(id(value))
            left += _parts(place, value)


def _parts(place: str, value: Mapping[Any, Any] | list[Any]) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"{place}.{key}".lstrip("."), part) for key, part in value.items()]
    return [(f"{place}[{index}]", part) for index, part in enumerate(value)]


def _can_be_encoded(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
