"""Claims about how well a law describes and predicts the errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from paretoken.analysis.claims.base import Claim, absent_effects, published, suite_for
from paretoken.analysis.claims.verdicts import Finding, Interval, Verdict, below, judge, untestable
from paretoken.analysis.comparison import predictions
from paretoken.analysis.resample import percentiles
from paretoken.analysis.study_results import StudyResults
from paretoken.config import Suite
from paretoken.errors import UserError

#: Share of the variance at one N below which a line in ln V describes nothing.
ENOUGH = 0.9
#: Difference in AICc from which one law is 20 times as likely as another with as many parameters: the
#: wrong one of two gets that far in 5 % of all data sets at most.
DECISIVE = 2 * math.log(20)
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
        return untestable(computed, because)
    value, interval = _largest_error(results, suite, seen)
    because = f"{len(seen)} unseen cells are off by at most {value:.2f} %.{_backtest(held)}"
    return judge(computed, value, interval, below(claimed), because)


def _largest_error(
    results: StudyResults, suite: Suite, seen: pd.DataFrame
) -> tuple[float, Interval | None]:
    """Return the largest relative error of the predictions, percent, and its interval.

    Both sides are uncertain: the law's prediction as its draws are, and a measurement by the noise that
    the fit found in the cells.
    """
    fit = results.headline(suite.name)
    N, V, measured = (seen[name].to_numpy(float) for name in ("params_b", "visual_tokens", "measured"))
    value = float((100 * np.abs(fit.predict(N, V) / measured - 1)).max())
    if not len(fit.draws):
        return value, None
    noise = np.random.default_rng(0).normal(size=(len(fit.draws), len(measured))) * fit.noise[:, None]
    largest = (100 * np.abs(fit.draw_errors(N, V) / (measured + noise) - 1)).max(axis=1)
    low, high = percentiles(largest)
    return value, Interval(low or 0.0, np.inf if high is None else high)


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
    difference = line - power
    because = (
        f"A line in ln V explains {100 * explained[worst]:.1f} % or more at every N (least at "
        f"{worst:g}B). As a law in both, log-linear has AICc {line:.1f} against {power:.1f} for "
        "the power law with as many parameters."
    )
    absent = absent_effects(results.headline(suite.name), "V")
    claimed = f"AICc lower by {DECISIVE:.2g} or more, and a line explains {100 * ENOUGH:g} % at every N"
    if absent:
        verdict, because = Verdict.UNDECIDED, f"{because} {' '.join(absent)}"
    elif abs(difference) < DECISIVE:
        verdict = Verdict.UNDECIDED
        because += f" A difference below {DECISIVE:.2g} does not tell the two apart."
    else:
        straight = difference < 0 and explained[worst] >= ENOUGH
        verdict = Verdict.HOLDS if straight else Verdict.FAILS
    computed = "AICc of the log-linear law minus that of the power law without a floor"
    return Finding(computed, difference, None, claimed, verdict, because)


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
