"""Claims about how well a law describes and predicts the errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from paretoken.analysis.cells import Cells
from paretoken.analysis.claims.base import Claim, absent_effects, published, suite_for
from paretoken.analysis.claims.verdicts import (
    Finding,
    Interval,
    below,
    between,
    in_words,
    judge,
    untestable,
)
from paretoken.analysis.comparison import predictions
from paretoken.analysis.curvature import curvature
from paretoken.analysis.significance import LEVEL
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.io.text_tables import counted

#: Largest distance from a line, in percent of the fall, at which an error counts as log-linear.
BENT = 10.0
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
    because = (
        f"Predictions of {counted(len(seen), 'unseen cell')} are off by at most {value:.2f} %."
        f"{_backtest(held)}"
    )
    return judge(computed, value, interval, below(claimed), because)


def _largest_error(
    results: StudyResults, suite: Suite, seen: pd.DataFrame
) -> tuple[float, Interval | None]:
    """Return the largest relative error of the predictions, percent, and its interval.

    Measurements are treated as exact, because the claim is about them; the uncertainty is that of the
    law. The intervals of all cells hold jointly in 95 % (Bonferroni), and so does that of the largest
    error.
    """
    fit = results.headline(suite.name)
    N, V, measured = (seen[name].to_numpy(float) for name in ("params_b", "visual_tokens", "measured"))
    value = float((100 * np.abs(fit.predict(N, V) / measured - 1)).max())
    if not len(fit.draws):
        return value, None
    off = 100 * (fit.draw_errors(N, V) / measured - 1)
    tail = (1 - LEVEL) / 2 / len(measured)
    low, high = np.quantile(off, [tail, 1 - tail], axis=0)
    nearest = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    farthest = np.maximum(np.abs(low), np.abs(high))
    return value, Interval(min(float(nearest.max()), value), max(float(farthest.max()), value))


def _backtest(held: Mapping[str, Any]) -> str:
    """Return a sentence on how well the largest size is predicted from the smaller ones."""
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
    fit = results.headline(suite.name)
    found = curvature(_cells(results.fitted_cells(suite.name)))
    computed = "distance of the error from a line in ln V halfway, percent of its fall"
    if found is None:
        return untestable(computed, "The test needs three token counts, and more cells than parameters.")
    value, interval = 100 * found.share, Interval(100 * found.low, 100 * found.high)
    because = (
        "With a level and a slope for every language model and one curvature for all, the error lies "
        f"{abs(value):.2g} % of its fall {'below' if value > 0 else 'above'} the chord at the middle "
        f"({in_words(interval)}).{_ranked(results, suite)}"
    )
    region = between(-BENT, BENT, "a line to within 10 % of the fall")
    return judge(computed, value, interval, region, because, absent_effects(fit, "V"))


def _cells(rows: pd.DataFrame) -> Cells:
    N, V, Y, seed = (
        rows[name].to_numpy(float) for name in ("params_b", "visual_tokens", "error", "seed")
    )
    return Cells(N, V, Y, np.ones(len(Y)), seed)


def _ranked(results: StudyResults, suite: Suite) -> str:
    """Return how a log-linear law in N and V compares with a power law, if both were fitted."""
    fits = [results.fits.get((suite.name, f"{law}-all")) for law in ("log_linear", "product_zero_d")]
    line, power = (fit.record["information"]["aicc"] if fit else None for fit in fits)
    if line is None or power is None:
        return ""
    return (
        f" As a law in both N and V, log-linear has AICc {line:.1f} against {power:.1f} for the power "
        "law with the same number of parameters."
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
