"""The claims of the paper, and the parts of a study's results that their tests use."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from paretoken.analysis.claims.verdicts import Finding, Interval, Region, judge, untestable
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.study_results import StudyResults
from paretoken.analysis.trade import assumed_slopes
from paretoken.config.study import Suite
from paretoken.errors import UserError


@dataclass(frozen=True)
class Claim:
    """One claim of the paper and its test.

    Attributes:
        name: the registered name.
        statement: the claim in words.
        where: its place in the paper.
        test: results -> finding; raises `UserError` if the study lacks something it needs.
    """

    name: str
    statement: str
    where: str
    test: Callable[[StudyResults], Finding]


def suite_for(results: StudyResults, role: str, claim: str) -> Suite:
    """Return the suite with ``role`` (`UserError` naming the claim if the study has none)."""
    suite = results.suite(role)
    if suite is None:
        raise UserError(
            f"the claim {claim} needs a suite with role {role!r}; study {results.study.name} has "
            "none: add one, or remove the claim from its `claims:`"
        )
    return suite


def published(results: StudyResults, suite: str, quantity: str) -> float:
    """Return a published number (`UserError` if the study's published table lacks it)."""
    value = results.value(suite, quantity)
    if value is None:
        raise UserError(
            f"the published values have no row with suite = {suite}, quantity = {quantity}; give "
            "study.published.values a table that has it, or remove the claim from `claims:`"
        )
    return value


def headline_for(results: StudyResults, suite: Suite, claim: str) -> FittedLaw:
    """Return the headline fit, whose law must have the form that the paper's claims are about.

    Raises:
        UserError: the study's first law has no exponents alpha and beta of one product.
    """
    fit = results.headline(suite.name)
    if "K" not in fit.parameters or fit.law.text_in_error:
        raise UserError(
            f"the claim {claim} is about K N^-alpha V^-beta; put product or product_zero_d first in "
            f"fit.laws of study {results.study.name}, or remove the claim from its `claims:`"
        )
    return fit


def interval_of(fit: FittedLaw, name: str) -> Interval | None:
    """Return the interval of a parameter, or of alpha_over_beta; None without a bootstrap."""
    record = fit.record["intervals"].get(name)
    if record is None:
        return None
    low, high = record["low"], record["high"]
    # A ratio is unbounded above only: both its ends are infinite if beta is 0 in all draws.
    least = math.inf if name == "alpha_over_beta" else -math.inf
    return Interval(least if low is None else low, math.inf if high is None else high)


def absent_effects(fit: FittedLaw, *scales: str) -> list[str]:
    """Return a sentence for each scale along which the data do not show that the error falls."""
    found = fit.record["effects"]
    return [found[scale]["words"] for scale in scales if not found[scale]["falls"]]


def is_flat(fit: FittedLaw, name: str) -> bool:
    """Return whether the data leave ``name`` open: its profile or that of the floor is flat."""
    profiles = fit.record["profile"]
    return any(profiles.get(key, {}).get("flat") for key in (name, fit.law.floor))


def judge_law(
    fit: FittedLaw,
    computed: str,
    value: float,
    interval: Interval | None,
    region: Region,
    because: str,
    scales: str,
) -> Finding:
    """Return the finding of a fit on a claim about its exponents.

    The claim is untestable if one of them was not fitted: an assumption cannot be tested.

    Args:
        fit: the fit that the value comes from.
        computed: a description of the value.
        value: the estimate.
        interval: its 95 % interval.
        region: where the claim is true.
        because: the numbers that decide, in sentences.
        scales: ``N``, ``V`` or ``NV``: the scales along which the claim supposes that the error falls.
    """
    suite = fit.record["data"].get("suite")
    computed = f"{computed}, suite {suite}" if suite else computed
    assumed = assumed_slopes(fit.record)
    if assumed:
        return untestable(computed, f"The fit assumes {assumed}, so it cannot test the claim.")
    absent = absent_effects(fit, *scales)
    effects = [effect["words"] for effect in fit.record["effects"].values()]
    doubts = [caution for caution in fit.record.get("cautions", []) if caution not in effects]
    return judge(computed, value, interval, region, " ".join([because, *doubts]), absent)
