"""What a claim is, and what it takes from a study's results."""

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
        statement: what the paper says.
        where: where it says so.
        test: results -> finding; raises `UserError` if the study lacks what it needs.
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
            "none: add one, or take the claim out of its `claims:`"
        )
    return suite


def published(results: StudyResults, suite: str, quantity: str) -> float:
    """Return a published number (`UserError` if the study's published table lacks it)."""
    value = results.value(suite, quantity)
    if value is None:
        raise UserError(
            f"the published values have no row with suite = {suite}, quantity = {quantity}; give "
            "study.published.values a table that has it, or take the claim out of `claims:`"
        )
    return value


def headline_for(results: StudyResults, suite: Suite, claim: str) -> FittedLaw:
    """Return the headline fit, if its law is of the form that the paper's claims are about.

    Raises:
        UserError: the study's first law has no exponents alpha and beta of one product.
    """
    fit = results.headline(suite.name)
    if "K" not in fit.parameters or fit.law.text_in_error:
        raise UserError(
            f"the claim {claim} is about K N^-alpha V^-beta; put product or product_zero_d first in "
            f"fit.laws of study {results.study.name}, or take the claim out of its `claims:`"
        )
    return fit


def interval_of(fit: FittedLaw, name: str) -> Interval | None:
    """Return the interval of a parameter, or of alpha_over_beta; None without a bootstrap."""
    record = fit.record["intervals"].get(name)
    if record is None:
        return None
    low, high = record["low"], record["high"]
    # A ratio is unbounded above only: both ends are where beta is 0 in all draws.
    least = math.inf if name == "alpha_over_beta" else -math.inf
    return Interval(least if low is None else low, math.inf if high is None else high)


def absent_effects(fit: FittedLaw, *scales: str) -> list[str]:
    """Return a sentence for each of the scales along which the data do not show the error to fall."""
    found = fit.record["effects"]
    return [found[scale]["words"] for scale in scales if not found[scale]["falls"]]


def is_flat(fit: FittedLaw, name: str) -> bool:
    """Return whether the data leave ``name`` open: its profile, or the one of the floor, is flat."""
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
    """Return what a fit says of a claim about its exponents.

    Nothing if one of them was not fitted: what is assumed is not tested.

    Args:
        fit: that the value comes from.
        computed: what the value is.
        value: the estimate.
        interval: its 95 % interval.
        region: where the claim is true.
        because: the numbers that decide, in sentences.
        scales: ``N``, ``V`` or ``NV``: along what the claim supposes that the error falls.
    """
    suite = fit.record["data"].get("suite")
    computed = f"{computed}, suite {suite}" if suite else computed
    assumed = assumed_slopes(fit.record)
    if assumed:
        return untestable(computed, f"The fit assumes {assumed}: what is assumed is not tested.")
    absent = absent_effects(fit, *scales)
    effects = [effect["words"] for effect in fit.record["effects"].values()]
    doubts = [caution for caution in fit.record.get("cautions", []) if caution not in effects]
    return judge(computed, value, interval, region, " ".join([because, *doubts]), absent)
