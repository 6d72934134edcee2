"""Claims about how well a law describes and predicts the errors."""

from __future__ import annotations

import numpy as np

from paretoken.analysis.claims.base import Claim, Finding, Verdict, published, suite_for
from paretoken.analysis.comparison import predictions
from paretoken.analysis.study_results import StudyResults


def _within_two_percent(results: StudyResults) -> Finding:
    suite = suite_for(results, "reasoning", "largest_within_two_percent")
    claimed = published(results, suite.name, "largest_error_percent")
    table = predictions(results)
    seen = table[(table["suite"] == suite.name) & table["measured"].notna()]
    held = results.headline(suite.name).record["holdout"].get("leave_largest_n_out") or {}
    backtest = ""
    if held.get("law"):
        backtest = (
            f" The test that is possible, {held['n'][0]:g}B predicted from the smaller sizes, is off "
            f"by at most {100 * held['law']['max_abs_relative_error']:.2f} %; a straight line in ln N "
            f"and ln V by {100 * held['log_linear']['max_abs_relative_error']:.2f} %, copying the "
            f"next smaller size by {100 * held['last_value']['max_abs_relative_error']:.1f} %, so "
            "this says little for the law."
        )
    if seen.empty:
        return Finding(
            computed="largest relative error of the unseen size, percent",
            value=None,
            low=None,
            high=None,
            verdict=Verdict.UNTESTABLE,
            because=f"No measurement of the unseen size was published.{backtest}",
        )
    errors = 100 * np.abs(seen["predicted"] / seen["measured"] - 1)
    value = float(errors.max())
    return Finding(
        computed="largest relative error of the unseen size, percent",
        value=value,
        low=float(errors.min()),
        high=value,
        verdict=Verdict.HOLDS if value < claimed else Verdict.NOT,
        because=f"{len(seen)} unseen cells are off by at most {value:.2f} %.{backtest}",
    )


def _log_linear(results: StudyResults) -> Finding:
    suite = suite_for(results, "reasoning", "log_linear_in_tokens")
    line = results.fit(suite.name, "log_linear-all").record["information"]["aicc"]
    power = results.fit(suite.name, "product_zero_d-all").record["information"]["aicc"]
    cells = results.cells(suite.name)
    explained: dict[float, float] = {
        float(str(n)): np.corrcoef(np.log(group["visual_tokens"]), group["error"])[0, 1] ** 2
        for n, group in cells.groupby("params_b")
    }
    worst = min(explained, key=lambda n: explained[n])
    difference = line - power
    close = Verdict.WITHIN if difference <= 2 else Verdict.NOT
    return Finding(
        computed="lowest share of variance (R^2) of the error that ln V explains at one N",
        value=float(explained[worst]),
        low=None,
        high=None,
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
