"""A study's answer in two sentences, computed from its fits, or from its methods' errors without one."""

from __future__ import annotations

import pandas as pd

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.numerical_optimum import middle
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.report.sentences import optimum, verdict


def answer(results: StudyResults) -> str:
    """Return exactly two sentences: what is best for the first suite, and how the others compare.

    A study with one suite has nothing to compare; then the second sentence says how far the fit holds.
    """
    suites = results.study.suites
    first = _verdict(results, suites[0])
    if len(suites) == 1:
        return f"{first}. {_support(results.headline(suites[0].name))}."
    others = "; ".join(_verdict(results, suite, brief=True) for suite in suites[1:])
    return f"{first}. {others}."


def _verdict(results: StudyResults, suite: Suite, brief: bool = False) -> str:
    fit = results.headline(suite.name)
    said = f"For {_named(suite)} {verdict(fit)}"
    best = "" if brief else optimum(fit, middle(results.study.text_tokens))
    return f"{said}, and {best}" if best else said


def methods_answer(results: StudyResults, compared: pd.DataFrame) -> str:
    """Return two sentences on a study without laws: what errs least, and how often that is sure.

    Args:
        results: of the study.
        compared: what `paretoken.analysis.methods.comparisons` returned for them.
    """
    if compared.empty:
        return (
            "No two methods were measured with the same number of visual tokens. See the errors below."
        )
    led = []
    for suite in results.study.suites:
        own = compared[compared["suite"] == suite.name].drop_duplicates(["llm", "visual_tokens"])
        best = [f"{row['against']} with {row['visual_tokens']}" for _, row in own.iterrows()]
        if best:
            led.append(f"for {_named(suite)}, {', '.join(best)}")
    groups = compared.groupby(["suite", "llm", "visual_tokens"])["better"]
    sure = sum("undecided" not in set(better) for _, better in groups)
    least = f"These methods have the lowest error with each number of visual tokens: {'; '.join(led)}"
    return (
        f"{least}. In {sure} of {len(groups)} comparisons the 95\u00a0% intervals distinguish the best "
        "method from all others."
    )


def _support(fit: FittedLaw) -> str:
    record = fit.record
    held = (record["holdout"].get("leave_largest_n_out") or {}).get("law") or {}
    error = held.get("mean_abs_relative_error")
    fits = (
        f"The law differs from the errors of {record['n_points']} cells by {record['rmse']:.2g} (root "
        "mean square)"
    )
    if error is None:
        return f"{fits}, and no model size was held out to test it"
    return (
        f"{fits}, and its prediction of the largest size from the others is off by "
        f"{100 * error:.2g}\u00a0% on average"
    )


def _named(suite: Suite) -> str:
    """Return a title inside a sentence: its first letter small, unless it is an abbreviation."""
    title = suite.title
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]
