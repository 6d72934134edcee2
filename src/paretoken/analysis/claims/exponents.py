"""Claims about the exponents: how fast the error falls with N and with V."""

from __future__ import annotations

import math

import numpy as np

from paretoken.analysis.claims.base import (
    Claim,
    headline_for,
    interval_of,
    is_flat,
    judge_law,
    published,
    suite_for,
)
from paretoken.analysis.claims.verdicts import Finding, Verdict, about, below, in_words, rounding
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.grid_search import AXES
from paretoken.analysis.study_results import StudyResults
from paretoken.errors import UserError
from paretoken.io.text_tables import number_text
from paretoken.study.published import PAPER_GRID


def ratio_of(fit: FittedLaw) -> float:
    """Return alpha / beta of a fit, infinite where beta is 0."""
    ratio = fit.record["alpha_over_beta"]
    return math.inf if ratio is None else float(ratio)


def _five_times(results: StudyResults) -> Finding:
    suite = suite_for(results, "reasoning", "five_times_faster")
    claimed = published(results, suite.name, "exponent_ratio")
    fit = headline_for(results, suite, "five_times_faster")
    value, interval = ratio_of(fit), interval_of(fit, "alpha_over_beta")
    because = (
        f"The best fit gives {number_text(value, '.2f')} against {claimed:g} ({in_words(interval)})."
    )
    if is_flat(fit, "alpha") and interval and math.isfinite(interval.high):
        because += " The ratio is identified even though alpha and beta themselves depend on D."
    return judge_law(fit, "alpha / beta", value, interval, about(claimed), because, "NV")


def _exponent(role: str, name: str, claim: str, statement: str, where: str) -> Claim:
    def test(results: StudyResults) -> Finding:
        suite = suite_for(results, role, claim)
        claimed = published(results, suite.name, name)
        fit = headline_for(results, suite, claim)
        value, interval = fit.parameters[name], interval_of(fit, name)
        because = f"The best fit gives {value:.4f} against {claimed:g} ({in_words(interval)})."
        if is_flat(fit, name):
            because += f" The profile of {fit.law.floor} is flat, and {name} varies with it."
        computed = f"{name} by {fit.record['loss']} loss"
        region, scale = about(claimed, rounding(claimed)), {"alpha": "N", "beta": "V"}[name]
        return judge_law(fit, computed, value, interval, region, because, scale)

    return Claim(claim, statement, where, test)


def _grid_optimum(results: StudyResults) -> Finding:
    suite = suite_for(results, "reasoning", "grid_optimum")
    claimed = {n: published(results, suite.name, n) for n in ("alpha", "beta")}
    best = results.fit(suite.name, PAPER_GRID)
    if best.record["loss"] != "squared":
        raise UserError(
            "the claim grid_optimum compares sums of squares, but the loss of the fit is "
            f"{best.record['loss']}; fit with loss: squared"
        )
    cells = results.fitted_cells(suite.name)
    nearest = {n: float(AXES[n][np.argmin(np.abs(AXES[n] - claimed[n]))]) for n in claimed}
    power = (
        cells["params_b"].to_numpy(float) ** -nearest["alpha"]
        * cells["visual_tokens"].to_numpy(float) ** -nearest["beta"]
    )
    predicted = AXES["K"][:, None, None] * power + AXES["D"][None, :, None]
    squares = float(((predicted - cells["error"].to_numpy(float)) ** 2).sum(axis=2).min())
    excess = 100 * (squares / best.record["objective"] - 1)
    at = best.parameters
    return Finding(
        computed="excess sum of squares at the grid point nearest the claim, percent",
        value=excess,
        interval=None,
        claimed="at most 0",
        verdict=Verdict.HOLDS if excess <= 0 else Verdict.FAILS,
        because=(
            f"The full grid of 5 million points is best at alpha = {at['alpha']:.4f}, beta = "
            f"{at['beta']:.4f}; the point nearest the published values has {excess:.0f} % more "
            "squared error. The authors' script visits a random fifth of the grid, without a seed."
        ),
    )


def _reverses(results: StudyResults) -> Finding:
    suite = suite_for(results, "ocr", "ocr_reverses")
    fit = headline_for(results, suite, "ocr_reverses")
    value, interval = ratio_of(fit), interval_of(fit, "alpha_over_beta")
    return judge_law(
        fit,
        "alpha / beta for OCR (below 1: more tokens beat a larger model)",
        value,
        interval,
        below(1),
        f"alpha / beta = {number_text(value, '.2f')} ({in_words(interval)}).",
        "V",
    )


FIVE_TIMES_FASTER = Claim(
    "five_times_faster",
    "The error falls 5 times faster with parameters than with visual tokens",
    "abstract, section 3",
    _five_times,
)
VISUAL_ALPHA = _exponent(
    "reasoning", "alpha", "visual_alpha", "alpha = 0.077 for visual reasoning", "Fig. 1, legend"
)
VISUAL_BETA = _exponent(
    "reasoning", "beta", "visual_beta", "beta = 0.015 for visual reasoning", "Fig. 1, legend"
)
OCR_ALPHA = _exponent("ocr", "alpha", "ocr_alpha", "alpha = 0.029 for OCR", "v2, OCR scaling law")
OCR_BETA = _exponent("ocr", "beta", "ocr_beta", "beta = 0.048 for OCR", "v2, OCR scaling law")
GRID_OPTIMUM = Claim(
    "grid_optimum",
    "alpha = 0.077, beta = 0.015 is what the paper's grid search finds",
    "appendix A.2, Fig. 1",
    _grid_optimum,
)
OCR_REVERSES = Claim(
    "ocr_reverses",
    "For OCR the trend reverses: visual tokens matter more than parameters",
    "section 3, Fig. 3b",
    _reverses,
)
