"""Compare a larger model with more tokens at nearly equal cost, by measured cells without any law."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from paretoken.analysis.cell_means import cell_means
from paretoken.analysis.methods import normal_quantile, student_quantile
from paretoken.analysis.significance import LEVEL, SIGNIFICANT, p_in_words
from paretoken.analysis.study_results import StudyResults
from paretoken.costs.answer_work import flops_2nt
from paretoken.io.text_tables import counted

#: The most expensive configuration of a group costs at most this share more than the cheapest.
TOLERANCE = 0.15
COLUMNS = (
    "suite",
    "flops",
    "llm_larger",
    "visual_tokens_larger",
    "error_larger",
    "llm_smaller",
    "visual_tokens_smaller",
    "error_smaller",
    "difference",
    "stderr",
    "lower",
    "wins",
    "apart",
)
#: Columns of the table that `tally` needs.
NEEDED = ("suite", "lower", "wins", "apart")


def equal_cost_groups(cells: pd.DataFrame) -> list[pd.DataFrame]:
    """Return groups of cells of different N whose cost N V differs by at most `TOLERANCE`.

    Groups with more sizes are formed first, and of equally large ones the tighter. A cell joins at most
    one group.

    Args:
        cells: rows of `cell_means`.

    Returns:
        Groups by ascending cost: rows of ``cells`` by ascending N, with ``flops`` at Q = 0.
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
    """Return each pair of sizes at equal cost, suite by suite, with the size that errs less.

    Returns:
        `COLUMNS`: ``larger`` is the larger language model with fewer tokens; ``difference`` is its
        error minus the smaller one's, and ``stderr`` its standard error (empty if unknown). ``lower``
        says which error is lower (``larger``, ``smaller``, ``equal``). ``wins`` says the same if the
        95 % interval of the difference excludes 0, ``undecided`` if it includes 0, and is empty
        without standard errors. ``apart`` marks pairs that share no cell with each other.
    """
    rows = []
    for suite in results.study.suites:
        means = cell_means(results.cells(suite.name))
        for group in equal_cost_groups(means):
            members = group.to_dict("records")
            for one, other in combinations(range(len(members)), 2):
                apart = other == one + 1 and one % 2 == 0
                rows.append(_compare(suite.name, members[one], members[other]) | {"apart": apart})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _compare(suite: str, smaller: dict[Any, Any], larger: dict[Any, Any]) -> dict[str, object]:
    difference = larger["error"] - smaller["error"]
    stderr = math.hypot(larger["stderr"], smaller["stderr"])
    lower = "larger" if difference < 0 else "smaller" if difference > 0 else "equal"
    decisive = abs(difference) > _quantile(larger, smaller) * stderr > 0
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
        "lower": lower,
        "wins": None if math.isnan(stderr) else lower if decisive else "undecided",
    }


def _quantile(*cells: dict[Any, Any]) -> float:
    """Return how many standard errors a difference must exceed to be significant at 95 %.

    The quantile is Student's, for the cell with the fewest seeds; it is normal if all standard errors
    are those of the questions.
    """
    seeds = [int(cell["seeds"]) for cell in cells if cell["seeds"] > 1]
    return student_quantile(min(seeds) - 1, LEVEL) if seeds else normal_quantile()


def tally(pairs: pd.DataFrame, suites: Mapping[str, str]) -> list[str]:
    """Return one sentence per suite with pairs: which size errs less, and how often.

    Pairs with standard errors are decided one by one. Signs are always counted, and tested (two-sided
    sign test) on pairs without a common cell: such signs are independent, except for noise that the
    cells of one language model may share.

    Args:
        pairs: at least the columns `NEEDED` of `comparisons`.
        suites: titles by name.
    """
    rows = ((title, pairs[pairs["suite"] == name]) for name, title in suites.items())
    return [_sentence(title, own) for title, own in rows if len(own)]


def _sentence(title: str, own: pd.DataFrame) -> str:
    less = int((own["lower"] == "larger").sum())
    said = (
        f"{title}: the larger model with fewer tokens errs less in {less} of "
        f"{counted(len(own), 'pair')}, the "
        f"smaller one with more tokens in {int((own['lower'] == 'smaller').sum())}"
    )
    known = own[own["wins"].notna()]
    if len(known):
        counts = {side: int((known["wins"] == side).sum()) for side in ("larger", "smaller")}
        close = len(known) - sum(counts.values())
        said += (
            f"; the 95 % interval of the difference decides for the larger one in {counts['larger']}, "
            f"for the smaller one in {counts['smaller']}, and for neither in {close}"
        )
    return f"{said}. {_signs(own)}"


def _signs(own: pd.DataFrame) -> str:
    """Return the result of a sign test of the pairs without a common cell, in a sentence."""
    apart = own[own["apart"].eq(True) & (own["lower"] != "equal")]
    if apart.empty:
        return "No pair has a sign that can be tested."
    less, count = int((apart["lower"] == "larger").sum()), len(apart)
    p_value = sign_test(less, count)
    numbers = (
        f"{less} of {counted(count, 'pair')} without a common cell, sign test {p_in_words(p_value)} "
        "if the noise of cells is independent"
    )
    if p_value >= SIGNIFICANT:
        return f"The signs alone do not show which errs less ({numbers})."
    side = "larger model with fewer" if 2 * less > count else "smaller model with more"
    return f"The {side} tokens errs less more often than chance explains ({numbers})."


def sign_test(less: int, count: int) -> float:
    """Return the exact p value of the two-sided sign test, by the binomial distribution."""
    from scipy.stats import binomtest

    return float(binomtest(less, count).pvalue)
