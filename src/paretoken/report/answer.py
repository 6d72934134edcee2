"""The answer of a study in two sentences, from its fits or, without laws, from its methods' errors."""

from __future__ import annotations

import pandas as pd

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.numerical_optimum import middle
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Suite
from paretoken.io.text_tables import counted
from paretoken.report.sentences import optimum, verdict


def answer(results: StudyResults) -> str:
    """Return exactly two sentences: what is best for the first suite, and how the others compare.

    For a study with one suite, the second sentence says how well the law fits and predicts the errors.
    """
    suites = results.study.suites
    first = _verdict(results, suites[0])
    if len(suites) == 1:
        return f"{first}. {_support(results.headline(suites[0].name))}."
    others = "; ".join(_verdict(results, suite, brief=True) for suite in suites[1:])
    return f"{first}. {others}."


def _verdict(results: StudyResults, suite: Suite, brief: bool = False) -> str:
    fit = results.headline(suite.name)
    clause = f"For {_named(suite)} {verdict(fit)}"
    best = "" if brief else optimum(fit, middle(results.study.text_tokens))
    return f"{clause}, and {best}" if best else clause


def methods_answer(results: StudyResults, compared: pd.DataFrame) -> str:
    """Return two sentences on a study without laws: its best methods, and their significance.

    Args:
        results: the results of the study.
        compared: the output of `paretoken.analysis.methods.comparisons` for them.
    """
    if compared.empty:
        return (
            "No two methods were measured with the same number of visual tokens. See the errors below."
        )
    best_methods = []
    for suite in results.study.suites:
        own = compared[compared["suite"] == suite.name].drop_duplicates(["llm", "visual_tokens"])
        best = [f"{row['against']} (V = {row['visual_tokens']})" for _, row in own.iterrows()]
        if best:
            best_methods.append(f"for {_named(suite)}, {', '.join(best)}")
    groups = compared.groupby(["suite", "llm", "visual_tokens"])["better"]
    significant = sum("undecided" not in set(better) for _, better in groups)
    listed = "; ".join(best_methods)
    least = f"These methods have the lowest error with each number of visual tokens: {listed}"
    return (
        f"{least}. In {significant} of {counted(len(groups), 'comparison')} the 95\u00a0% intervals "
        "distinguish the best method from all others."
    )


def _support(fit: FittedLaw) -> str:
    record = fit.record
    held = (record["holdout"].get("leave_largest_n_out") or {}).get("law") or {}
    error = held.get("mean_abs_relative_error")
    fits = (
        f"The law fits the errors of {counted(record['n_points'], 'cell')} with a root mean square "
        f"error of {record['rmse']:.2g}"
    )
    if error is None:
        return f"{fits}, and no model size was held out to test it"
    return (
        f"{fits}, and its predictions of the largest size from the others have a mean relative error of "
        f"{100 * error:.2g}\u00a0%"
    )


def _named(suite: Suite) -> str:
    """Return a title for use inside a sentence: in lower case, unless it starts with an abbreviation."""
    title = suite.title
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]
