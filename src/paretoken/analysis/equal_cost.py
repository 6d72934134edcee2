"""Larger model or more tokens, without any law: measured cells of nearly equal cost side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from paretoken.analysis.cell_means import cell_means
from paretoken.analysis.study_results import StudyResults
from paretoken.cost import flops_2nt

#: The dearest configuration of a group costs at most this share more than the cheapest.
TOLERANCE = 0.15
#: A difference of fewer standard errors than this decides nothing.
DECISIVE = 2.0
CELL = ["llm", "compressor", "visual_tokens"]
COLUMNS = (
    "suite", "flops", "llm_larger", "visual_tokens_larger", "error_larger", "llm_smaller",
    "visual_tokens_smaller", "error_smaller", "difference", "stderr", "wins",
)  # fmt: skip


def equal_cost_groups(cells: pd.DataFrame) -> list[pd.DataFrame]:
    """Return groups of cells of different N whose cost N V differs by at most `TOLERANCE`.

    Groups with more sizes are formed first, of equal ones the tighter; a cell joins one group.

    Args:
        cells: rows of `cell_means`.

    Returns:
        By ascending cost; rows of ``cells`` by ascending N, with ``flops`` at Q = 0.
    """
    N, V = (np.asarray(cells[name], np.float64) for name in ("params_b", "visual_tokens"))
    left = cells.assign(flops=flops_2nt(N, V, 0.0))
    groups: list[pd.DataFrame] = []
    while True:
        candidates = [_window(left, low) for low in sorted(set(left["flops"]))]
        shared = [group for group in candidates if len(group) > 1]
        if not shared:
            return sorted(groups, key=lambda group: float(group["flops"].min()))
        best = min(shared, key=lambda group: (-len(group), _spread(group)))
        groups.append(best)
        left = left.drop(index=best.index)


def _window(cells: pd.DataFrame, low: float) -> pd.DataFrame:
    """Return the cheapest cell of each N among those that cost ``low`` to ``low`` + tolerance."""
    near = cells[(cells["flops"] >= low) & (cells["flops"] <= low * (1 + TOLERANCE))]
    return near.sort_values(["params_b", "flops"]).drop_duplicates("params_b")


def _spread(group: pd.DataFrame) -> float:
    return float(group["flops"].max() / group["flops"].min())


def comparisons(results: StudyResults) -> pd.DataFrame:
    """Return each pair of sizes at equal cost and which of the two errs less, suite by suite.

    Returns:
        `COLUMNS`: ``larger`` is the larger language model with fewer tokens; ``difference`` is its
        error minus the smaller one's, ``stderr`` that difference's (empty if not known); ``wins`` is
        ``larger``, ``smaller``, or ``undecided`` if the difference is less than `DECISIVE` standard
        errors (or has none).
    """
    rows = []
    for suite in results.study.suites:
        means = cell_means(results.cells(suite.name))
        for group in equal_cost_groups(means):
            members = group.to_dict("records")
            rows += [_compare(suite.name, small, large) for small, large in combinations(members, 2)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _compare(suite: str, smaller: dict[Any, Any], larger: dict[Any, Any]) -> dict[str, object]:
    difference = larger["error"] - smaller["error"]
    stderr = math.hypot(larger["stderr"], smaller["stderr"])
    decided = abs(difference) >= DECISIVE * stderr  # never with an unknown standard error (NaN)
    return {
        "suite": suite,
        "flops": larger["flops"],
        "llm_larger": larger["llm"],
        "visual_tokens_larger": larger["visual_tokens"],
        "error_larger": larger["error"],
        "llm_smaller": smaller["llm"],
        "visual_tokens_smaller": smaller["visual_tokens"],
        "error_smaller": smaller["error"],
        "difference": difference,
        "stderr": stderr,
        "wins": ("larger" if difference < 0 else "smaller") if decided else "undecided",
    }


def tally(pairs: pd.DataFrame, suites: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many pairs each side wins, suite by suite."""
    sides = ("larger", "smaller", "undecided")
    return {
        suite: {side: int(((pairs["suite"] == suite) & (pairs["wins"] == side)).sum()) for side in sides}
        for suite in suites
    }
