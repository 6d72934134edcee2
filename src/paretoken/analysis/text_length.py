"""How the best number of visual tokens changes with the length of the question: measured and predicted.

At each Q, the cost of every measured cell is a budget, which is spent on the best affordable cell. The V
of those cells is the measured optimum, once with the cost 2N(Q + V) and once with measured seconds. The
prediction is V* of the headline law at that Q; the law was fitted to the errors of plain questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from paretoken.analysis.closed_form_optimum import best_tokens
from paretoken.analysis.study_results import StudyResults
from paretoken.costs.answer_work import flops_2nt

OPTIMA = (
    "suite", "text_tokens", "cost", "budgets", "best_tokens", "least", "most", "predicted",
    "predicted_low", "predicted_high", "mean_error", "latency_s", "latency_low_s", "latency_high_s",
)  # fmt: skip
LATENCY = ["latency_s", "latency_low_s", "latency_high_s"]
KEY = ["suite", "text_tokens", "params_b", "llm", "compressor", "visual_tokens"]


def mean_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return tables/text_length.csv averaged over seeds: one row per suite, Q and cell with V > 0."""
    seen = table[(table["visual_tokens"] > 0) & table["error"].notna()]
    columns = ["error", "prompt_text_tokens", *LATENCY]
    return seen.groupby(KEY, sort=True)[columns].mean().reset_index()


def best_at_each_budget(costs: Sequence[float], errors: Sequence[float]) -> list[int]:
    """Return the index of the best affordable cell for the cost of each cell but the cheapest."""
    order = np.argsort(np.asarray(costs), kind="stable")
    found = []
    for place in range(1, len(order)):
        affordable = order[: place + 1]
        found.append(int(affordable[np.argmin(np.asarray(errors)[affordable])]))
    return found


def optima(results: StudyResults, table: pd.DataFrame) -> pd.DataFrame:
    """Return the measured and the predicted best V at each Q (`OPTIMA`).

    ``best_tokens`` is the geometric mean over budgets, and ``least`` and ``most`` are the extremes. The
    prediction is V* of the headline law, with its interval. ``mean_error`` and ``latency_s`` are means
    over all cells, and ``latency_low_s`` and ``latency_high_s`` are means of the quartiles over
    questions.
    """
    means, rows = mean_rows(table), []
    for suite in results.study.suites:
        for _, own in means[means["suite"] == suite.name].groupby("text_tokens", sort=True):
            prompt = float(own["prompt_text_tokens"].mean())
            N, V = (own[name].to_numpy(float) for name in ("params_b", "visual_tokens"))
            costs = {"flops": flops_2nt(N, V, prompt), "seconds": own["latency_s"].to_numpy(float)}
            star = _predicted(results, suite.name, prompt)
            for cost, values in costs.items():
                chosen = V[best_at_each_budget(list(values), own["error"].tolist())]
                rows.append(_row(suite.name, cost, chosen, star, own))
    return pd.DataFrame(rows, columns=list(OPTIMA))


def _row(
    suite: str, cost: str, chosen: Any, star: tuple[float, float, float], own: pd.DataFrame
) -> dict[str, Any]:
    some = len(chosen) > 0
    return {
        "suite": suite,
        "text_tokens": int(own["text_tokens"].iloc[0]),
        "cost": cost,
        "budgets": len(chosen),
        "best_tokens": float(np.exp(np.log(chosen).mean())) if some else None,
        "least": float(chosen.min()) if some else None,
        "most": float(chosen.max()) if some else None,
        "predicted": star[0],
        "predicted_low": star[1],
        "predicted_high": star[2],
        "mean_error": float(own["error"].mean()),
        **{name: float(own[name].mean()) for name in LATENCY},
    }


def _predicted(results: StudyResults, suite: str, Q: float) -> tuple[float, float, float]:
    """Return V* of the headline law at Q, and its 95 % interval over the bootstrap draws."""
    fit = results.headline(suite)
    star = best_tokens(fit, Q, min(fit.token_counts), max(fit.token_counts))
    if star is None:
        return np.nan, np.nan, np.nan
    if star.low is None or star.high is None:
        return star.value, np.nan, np.nan
    return star.value, star.low, star.high
