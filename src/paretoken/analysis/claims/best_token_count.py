"""Claims about the best number of visual tokens."""

from __future__ import annotations

import numpy as np

from paretoken.analysis.claims.base import Claim, headline_for, judge_law, published, suite_for
from paretoken.analysis.claims.exponents import ratio_of
from paretoken.analysis.claims.verdicts import (
    Finding,
    Interval,
    about,
    above,
    at_most,
    in_words,
    untestable,
)
from paretoken.analysis.closed_form_optimum import optimal_tokens
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.frontier import configurations, undominated
from paretoken.analysis.resample import percentiles
from paretoken.analysis.study_results import StudyResults
from paretoken.io.arrays import Array
from paretoken.study.published import PAPER_Q


def _stars(fit: FittedLaw, Q: float) -> tuple[float, Array]:
    """Return V*(Q) of the fit, and of each draw, (R,)."""
    ends = min(fit.token_counts), max(fit.token_counts)
    drawn = optimal_tokens(fit.law, fit.law.exponent_ratio(fit.draws), Q, *ends)
    return float(optimal_tokens(fit.law, ratio_of(fit), Q, *ends)), drawn


def _interval(drawn: Array) -> Interval | None:
    low, high = percentiles(drawn)
    return None if low is None or high is None else Interval(low, high)


def _one_token(results: StudyResults) -> Finding:
    suite = suite_for(results, "reasoning", "one_token_without_text")
    fit = headline_for(results, suite, "one_token_without_text")
    value, drawn = _stars(fit, 0.0)
    interval, computed = _interval(drawn), "V* at Q = 0"
    because = (
        "Without text tokens the cost is 2 N V, so the fewest tokens are best wherever alpha > "
        f"beta; V* = {value:g} ({in_words(interval)}) within the measured {min(fit.token_counts):g} to "
        f"{max(fit.token_counts):g}. With discrete sizes, budgets beyond the largest model still buy "
        "more tokens."
    )
    if min(fit.token_counts) > 1:
        return untestable(computed, f"One token was not measured. {because}")
    return judge_law(fit, computed, value, interval, at_most(1), because, "N")


def _sixteen(results: StudyResults) -> Finding:
    suite = suite_for(results, "reasoning", "sixteen_tokens_at_fifty")
    fit = headline_for(results, suite, "sixteen_tokens_at_fifty")
    value, drawn = _stars(fit, PAPER_Q)
    interval = _interval(drawn)
    claimed = published(results, suite.name, "optimal_tokens_q50_text")
    in_code = published(results, suite.name, "optimal_tokens_q50")
    pareto = undominated(configurations(fit, fit.fitted_sizes, fit.token_counts, PAPER_Q))
    largest = pareto[pareto["params_b"] == max(fit.fitted_sizes)]["visual_tokens"]
    because = (
        f"V* = {value:.1f} ({in_words(interval)}) against about {claimed:g} in the text and "
        f"{in_code:g} in the plotting code. Of the measured token counts, the frontier "
        f"uses {', '.join(f'{v:g}' for v in largest)} with the largest model."
    )
    return judge_law(fit, "V* at Q = 50", value, interval, about(claimed), because, "NV")


def _grows(results: StudyResults) -> Finding:
    claim = "optimal_tokens_grow_with_text"
    suite = suite_for(results, "reasoning", claim)
    fit = headline_for(results, suite, claim)
    few, many = float(min(results.study.text_tokens)), float(max(results.study.text_tokens))
    (start, from_draws), (end, to_draws) = _stars(fit, few), _stars(fit, many)
    least, most = min(fit.token_counts), max(fit.token_counts)
    computed = f"V* at Q = {many:g} minus V* at Q = {few:g}"
    because = (
        f"V* = {start:.3g} at Q = {few:g} and {end:.3g} at Q = {many:g} "
        f"({in_words(_interval(to_draws))}), within the measured {least:g} to {most:g}. Where alpha <= "
        "beta, V* is at the upper end at every Q."
    )
    if least == most or few == many:
        return untestable(
            computed, f"The test needs several numbers of text and visual tokens. {because}"
        )
    growth = _interval(np.asarray(to_draws - from_draws))
    return judge_law(fit, computed, end - start, growth, above(0), because, "NV")


ONE_TOKEN = Claim(
    "one_token_without_text",
    "Without text tokens (Q = 0), one visual token is compute-optimal",
    "abstract, Fig. 1a",
    _one_token,
)
SIXTEEN_TOKENS = Claim(
    "sixteen_tokens_at_fifty",
    "With Q = 50 text tokens, about 16 visual tokens are optimal",
    "section 3, Fig. 1b",
    _sixteen,
)
GROWS_WITH_TEXT = Claim(
    "optimal_tokens_grow_with_text",
    "The more text tokens a question has, the more visual tokens are optimal",
    "section 3, Fig. 1b and 3a",
    _grows,
)
