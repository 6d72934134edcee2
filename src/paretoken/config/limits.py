"""Limits on the size of a config, which are checked before anything is built from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paretoken.config.raw import records, texts, values

#: Largest number of items in one list, and of keys in one record.
MOST_ITEMS = 1000
#: Largest number of errors of all studies together. A cell has one per benchmark, or per suite of a
#: measured table.
MOST_ERRORS = 50_000


def size_problems(raw: Mapping[str, Any]) -> list[str]:
    """Return one sentence per list that is too long, and one if the grids have too many cells."""
    problems = [
        f"{place or 'the file'}: has {len(value):,} entries; write at most {MOST_ITEMS:,}"
        for place, value in values(raw)
        if isinstance(value, Mapping | list) and len(value) > MOST_ITEMS
    ]
    counts = {f"studies[{i}]": errors_of(study) for i, study in enumerate(records(raw, "studies"))}
    total = sum(counts.values())
    if total > MOST_ERRORS:
        largest = max(counts, key=counts.__getitem__)
        problems.append(
            f"studies: ask for {total:,} errors (llms x tokens x seeds x benchmarks), {largest} for "
            f"{counts[largest]:,} of them; at most {MOST_ERRORS:,} are allowed: write smaller grids, or "
            "several configs"
        )
    return problems


def errors_of(study: Mapping[str, Any]) -> int:
    """Return the number of errors of a study's grid; malformed entries count as none."""
    budgets = sum(_length(entry.get("tokens")) for entry in records(study, "compressors"))
    training = study.get("training")
    blind = len(texts(training.get("blind"))) if isinstance(training, Mapping) else 0
    asked = sum(max(1, _length(suite.get("benchmarks"))) for suite in records(study, "suites"))
    seeds = _length(study.get("seeds")) if "seeds" in study else 1
    return (len(texts(study.get("llms"))) * budgets + blind) * seeds * asked


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0
