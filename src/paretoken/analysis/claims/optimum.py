"""Claims about the best number of visual tokens."""

from __future__ import annotations

from paretoken.analysis.claims.base import (
    Claim,
    Finding,
    Verdict,
    judge_number,
    published,
    span,
    suite_for,
    widest_interval,
)
from paretoken.analysis.claims.exponents import ratio_of
from paretoken.analysis.frontier import configurations, undominated
from paretoken.analysis.optimum import optimal_tokens
from paretoken.analysis.study_results import StudyResults

PAPER_Q = 50.0


def _star(results: StudyResults, claim: str, Q: float) -> tuple[float, float | None, float | None, str]:
    """Return V*(Q) with its interval, and the suite's name."""
    suite = suite_for(results, "reasoning", claim)
    fit = results.headline(suite.name)
    low_v, high_v = min(fit.token_counts), max(fit.token_counts)
    ends = widest_interval(fit, "alpha_over_beta")
    value = float(optimal_tokens(fit.law, ratio_of(fit), Q, low_v, high_v))
    # V* falls as the ratio rises, so the ends swap; an unbounded ratio means the smallest V.
    low = float(optimal_tokens(fit.law, ends[1], Q, low_v, high_v)) if ends[1] is not None else low_v
    high = float(optimal_tokens(fit.law, ends[0], Q, low_v, high_v)) if ends[0] is not None else None
    return value, low, high, suite.name


def _one_token(results: StudyResults) -> Finding:
    value, low, high, suite = _star(results, "one_token_without_text", 0.0)
    fewest = min(results.headline(suite).token_counts)
    if high is not None and high <= fewest:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.WITHIN if value <= fewest else Verdict.NOT
    return Finding(
        computed="V* at Q = 0",
        value=value,
        low=low,
        high=high,
        verdict=verdict,
        because=(
            "Without text tokens the cost is 2 N V, so the fewest tokens are best wherever alpha > "
            f"beta; V* = {value:g} (interval {span(low, high)}). With discrete sizes, budgets beyond "
            "the largest model still buy more tokens."
        ),
    )


def _sixteen(results: StudyResults) -> Finding:
    value, low, high, suite = _star(results, "sixteen_tokens_at_fifty", PAPER_Q)
    claimed = published(results, suite, "optimal_tokens_q50_text")
    fit = results.headline(suite)
    pareto = undominated(configurations(fit, fit.sizes, fit.token_counts, PAPER_Q))
    largest = pareto[pareto["params_b"] == max(fit.sizes)]["visual_tokens"]
    return Finding(
        computed="V* at Q = 50",
        value=value,
        low=low,
        high=high,
        verdict=judge_number(value, low, high, claimed, 0.5),
        because=(
            f"V* = {value:.1f} (interval {span(low, high)}) against about {claimed:g} in the text and "
            f"{published(results, suite, 'optimal_tokens_q50'):g} in the plotting code. Of the token "
            f"counts that were measured, the frontier uses {', '.join(f'{v:g}' for v in largest)} "
            "with the largest model."
        ),
    )


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
