"""Claims about the best number of visual tokens."""

from __future__ import annotations

from paretoken.analysis.claims.base import (
    Claim,
    Finding,
    Interval,
    Verdict,
    headline_for,
    in_words,
    judge_number,
    published,
    suite_for,
    widest_interval,
)
from paretoken.analysis.claims.exponents import ratio_of
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.frontier import configurations, undominated
from paretoken.analysis.optimum import optimal_tokens
from paretoken.analysis.study_results import StudyResults

PAPER_Q = 50.0


def _star(fit: FittedLaw, Q: float) -> tuple[float, Interval | None]:
    """Return V*(Q) with its interval; V* falls as alpha / beta rises, so the ends swap."""
    low, high = min(fit.token_counts), max(fit.token_counts)
    ratios = widest_interval(fit, "alpha_over_beta")
    ends = [ratio_of(fit)] if ratios is None else [ratio_of(fit), ratios.high, ratios.low]
    value, *rest = (float(optimal_tokens(fit.law, end, Q, low, high)) for end in ends)
    return value, Interval(*rest) if rest else None


def _one_token(results: StudyResults) -> Finding:
    suite = suite_for(results, "reasoning", "one_token_without_text")
    fit = headline_for(results, suite, "one_token_without_text")
    value, interval = _star(fit, 0.0)
    if min(fit.token_counts) > 1:
        verdict = Verdict.UNTESTABLE
    elif (interval.high if interval else value) <= 1:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.WITHIN if value <= 1 else Verdict.NOT
    return Finding(
        computed="V* at Q = 0",
        value=value,
        interval=interval,
        verdict=verdict,
        because=(
            "Without text tokens the cost is 2 N V, so the fewest tokens are best wherever alpha > "
            f"beta; V* = {value:g} ({in_words(interval)}) of {min(fit.token_counts):g} to "
            f"{max(fit.token_counts):g} measured. With discrete sizes, budgets beyond the largest "
            "model still buy more tokens."
        ),
    )


def _sixteen(results: StudyResults) -> Finding:
    suite = suite_for(results, "reasoning", "sixteen_tokens_at_fifty")
    fit = headline_for(results, suite, "sixteen_tokens_at_fifty")
    value, interval = _star(fit, PAPER_Q)
    claimed = published(results, suite.name, "optimal_tokens_q50_text")
    in_code = published(results, suite.name, "optimal_tokens_q50")
    pareto = undominated(configurations(fit, fit.fitted_sizes, fit.token_counts, PAPER_Q))
    largest = pareto[pareto["params_b"] == max(fit.fitted_sizes)]["visual_tokens"]
    return Finding(
        computed="V* at Q = 50",
        value=value,
        interval=interval,
        verdict=judge_number(value, interval, claimed, 0.5),
        because=(
            f"V* = {value:.1f} ({in_words(interval)}) against about {claimed:g} in the text and "
            f"{in_code:g} in the plotting code. Of the token counts that were measured, the frontier "
            f"uses {', '.join(f'{v:g}' for v in largest)} with the largest model."
        ),
    )


def _grows(results: StudyResults) -> Finding:
    claim = "optimal_tokens_grow_with_text"
    suite = suite_for(results, "reasoning", claim)
    fit = headline_for(results, suite, claim)
    few, many = float(min(results.study.text_tokens)), float(max(results.study.text_tokens))
    (start, _), (end, ends) = _star(fit, few), _star(fit, many)
    least, most = min(fit.token_counts), max(fit.token_counts)
    if least == most or few == many:
        verdict = Verdict.UNTESTABLE
    elif end <= start:
        verdict = Verdict.NOT
    else:
        verdict = Verdict.HOLDS if ends is None or ends.low > start else Verdict.WITHIN
    growth = None if ends is None else Interval(ends.low - start, ends.high - start)
    return Finding(
        computed=f"V* at Q = {many:g} minus V* at Q = {few:g}",
        value=end - start,
        interval=growth,
        verdict=verdict,
        because=(
            f"V* = {start:.3g} at Q = {few:g} and {end:.3g} at Q = {many:g} ({in_words(ends)}), of "
            f"{least:g} to {most:g} measured. Where alpha <= beta, V* is at its upper end at every Q."
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
GROWS_WITH_TEXT = Claim(
    "optimal_tokens_grow_with_text",
    "The more text tokens a question has, the more visual tokens are optimal",
    "section 3, Fig. 1b and 3a",
    _grows,
)
