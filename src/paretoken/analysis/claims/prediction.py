"""Claims about how well a law describes and predicts the errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paretoken.analysis.claims.base import Claim, Finding, Verdict, published, suite_for
from paretoken.analysis.comparison import predictions
from paretoken.analysis.study_results import StudyResults
from paretoken.errors import UserError

#: Share of the variance at one N below which a line in ln V describes nothing.
ENOUGH = 0.9
BASELINES = {
    "log_linear": "a plane in ln N and ln V by",
    "last_value": "copying the next smaller size by",
}


def _within_two_percent(results: StudyResults) -> Finding:
    suite = suite_for(results, "reasoning", "largest_within_two_percent")
    claimed = published(results, suite.name, "largest_error_percent")
    size = published(results, suite.name, "unseen_params_b")
    table = predictions(results)
    table = table[(table["suite"] == suite.name) & (table["params_b"] == size)]
    seen = table[table["measured"].notna()]
    computed = f"largest relative error at {size:g}B, percent"
    held = results.headline(suite.name).record["holdout"].get("leave_largest_n_out") or {}
    if seen.empty:
        because = f"There is no measurement of {size:g}B.{_backtest(held)}"
        return Finding(computed, None, None, Verdict.UNTESTABLE, because)
    value = float((100 * np.abs(seen["predicted"] / seen["measured"] - 1)).max())
    verdict = Verdict.HOLDS if value < claimed else Verdict.NOT
    because = f"{len(seen)} unseen cells are off by at most {value:.2f} %.{_backtest(held)}"
    return Finding(computed, value, None, verdict, because)


def _backtest(held: Mapping[str, Any]) -> str:
    """Return in words how well the largest size is predicted from the smaller ones."""
    if not held.get("law"):
        return ""
    others = [
        f"{words} {100 * held[name]['max_abs_relative_error']:.2f} %"
        for name, words in BASELINES.items()
        if held.get(name)
    ]
    text = (
        f" With {held['n'][0]:g}B predicted from the smaller sizes, the law is off by at most "
        f"{100 * held['law']['max_abs_relative_error']:.2f} %"
    )
    return f"{text}; {', '.join(others)}." if others else f"{text}."


def _log_linear(results: StudyResults) -> Finding:
    suite = suite_for(results, "reasoning", "log_linear_in_tokens")
    line, power = (
        results.fit(suite.name, f"{law}-all").record["information"]["aicc"]
        for law in ("log_linear", "product_zero_d")
    )
    if line is None or power is None:
        raise UserError(
            "the claim log_linear_in_tokens compares AICc, which needs a squared loss and at least two "
            "more cells than the law has parameters and a variance; fit with loss: squared and more "
            "cells, or take the claim out of `claims:`"
        )
    explained = {
        float(str(n)): float(np.corrcoef(np.log(group["visual_tokens"]), group["error"])[0, 1] ** 2)
        for n, group in results.fitted_cells(suite.name).groupby("params_b")
    }
    worst = min(explained, key=lambda n: explained[n])
    difference = line - power if explained[worst] >= ENOUGH else np.inf
    close = Verdict.WITHIN if difference <= 2 else Verdict.NOT
    return Finding(
        computed="lowest share of variance (R^2) of the error that ln V explains at one N",
        value=explained[worst],
        interval=None,
        verdict=Verdict.HOLDS if difference <= 0 else close,
        because=(
            f"A line in ln V explains {100 * explained[worst]:.1f} % or more at every N (least at "
            f"{worst:g}B). As a law in both, log-linear has AICc {line:.1f} against {power:.1f} for "
            "the power law with as many parameters."
        ),
    )


WITHIN_TWO_PERCENT = Claim(
    "largest_within_two_percent",
    "The law predicts the unseen 14B model with an error margin below 2 %",
    "section 3, Fig. 2",
    _within_two_percent,
)
LOG_LINEAR_IN_TOKENS = Claim(
    "log_linear_in_tokens",
    "The error is log-linear in the number of visual tokens",
    "section 3",
    _log_linear,
)
