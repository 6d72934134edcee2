"""Compare all registered laws on the same cells: which describe them, and whether their answers agree.

A law is excluded if its residuals have a pattern over N and V (`patterns.pattern`). A correct law is
excluded in at most 5 % of data sets. AICc only ranks: its weights (Burnham and Anderson 2002, "Model
selection and multimodel inference", section 2.9) assume that cells are independent and that one of the
laws is correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paretoken.analysis.diagnostics import goodness, information
from paretoken.analysis.estimate import Estimate, estimate
from paretoken.analysis.holdout import hold_out
from paretoken.analysis.law_answers import Answers, answers_of, regret
from paretoken.analysis.law_words import sentences
from paretoken.analysis.laws.base import Law
from paretoken.analysis.patterns import pattern
from paretoken.errors import FitError
from paretoken.registry import LAWS


@dataclass(frozen=True)
class LawResult:
    """The result of one law on the cells.

    Attributes:
        law: its name.
        formula: in the paper's symbols.
        fitted: the fit; None if the cells cannot determine the law.
        reason: why there is no fit.
    """

    law: str
    formula: str
    fitted: Estimate | None
    reason: str = ""


def compare_laws(headline: Estimate, text_tokens: Sequence[float]) -> dict[str, Any]:
    """Fit every registered law to the cells of a fit and return which describe them.

    Nothing is resampled.

    Args:
        headline: the fit that is compared with the others; it is also the fit of its own law.
        text_tokens: Q of the study; answers are compared at the middle one of the positive ones.

    Returns:
        ``headline``; ``best`` by AICc of the laws that are not excluded (of all, if all are);
        ``shared_noise``, with which AICc alone does not rank; ``text_tokens`` and ``budgets``
        (N (Q + V), N in the unit of the fit); ``same_answer`` of the laws that are not excluded, None
        if none has an answer; ``laws``, a record each; ``words``, the conclusions in sentences.

        Of each law: ``law``, ``formula``, ``reason`` (why it has no fit); ``aicc``,
        ``aicc_difference`` and ``weight``, None without a squared loss; ``rmse``,
        ``r_squared_of_means``; ``largest_n_out``, the mean relative error at the largest size, as
        a share; ``pattern_p`` and ``pattern_reason``; ``excluded``; ``v_star``; ``best``, N and V on the
        grid by budget; ``regret``, see `paretoken.analysis.law_answers.regret`.
    """
    results = [_fit(name, headline) for name in LAWS]
    answers = answers_of([r.fitted for r in results if r.fitted is not None], headline, text_tokens)
    records = [_record(result, answers) for result in results]
    _weigh(records)
    ranked = [r for r in records if r["aicc"] is not None]
    candidates = [r for r in ranked if not r["excluded"]] or ranked
    best = min(candidates, key=lambda r: r["aicc"])["law"] if candidates else None
    shared = pattern(headline).shared_noise
    found = {
        "headline": headline.law.name,
        "best": best,
        "shared_noise": shared,
        "text_tokens": answers.Q,
        "budgets": list(answers.budgets),
        "same_answer": _same(records),
        "laws": records,
    }
    return found | {"words": sentences(found)}


def _fit(name: str, headline: Estimate) -> LawResult:
    if name == headline.law.name:
        return LawResult(name, headline.law.formula, headline)
    law: Law = LAWS.load(name)
    try:
        fitted = estimate(headline.cells, law, headline.loss, headline.text_tokens)
    except FitError as error:
        return LawResult(name, law.formula, None, str(error))
    return LawResult(name, law.formula, fitted)


def _record(result: LawResult, answers: Answers) -> dict[str, Any]:
    head: dict[str, Any] = {"law": result.law, "formula": result.formula, "reason": result.reason}
    fitted = result.fitted
    if fitted is None:
        empty = ("aicc", "rmse", "r_squared_of_means", "largest_n_out", "pattern_p", "v_star", "regret")
        return head | dict.fromkeys(empty) | {"pattern_reason": "", "excluded": False, "best": []}
    quality, found = goodness(fitted), pattern(fitted)
    held = hold_out(fitted, [float(fitted.cells.N.max())])
    return head | {
        "aicc": information(fitted)["aicc"],
        "rmse": quality["rmse"],
        "r_squared_of_means": quality["r_squared_of_means"],
        "largest_n_out": (held.get("law") or {}).get("mean_abs_relative_error"),
        "pattern_p": found.p_value,
        "pattern_reason": found.reason,
        "excluded": found.found,
        "v_star": answers.stars.get(result.law),
        "best": [list(choice) for choice in answers.choices.get(result.law, ())],
        "regret": regret(answers, fitted),
    }


def _weigh(records: list[dict[str, Any]]) -> None:
    """Add the difference of each AICc to the lowest, and Akaike weights."""
    known = [r["aicc"] for r in records if r["aicc"] is not None]
    lowest = min(known, default=0.0)
    total = float(np.exp(-(np.array(known) - lowest) / 2).sum())
    for record in records:
        difference = None if record["aicc"] is None else record["aicc"] - lowest
        record["aicc_difference"] = difference
        record["weight"] = None if difference is None else float(np.exp(-difference / 2)) / total


def _same(records: Sequence[dict[str, Any]]) -> bool | None:
    """Return whether all laws that are not excluded make the same choices; None without choices."""
    kept = [r for r in records if not r["excluded"] and not r["reason"]]
    choices = [r["best"] for r in kept]
    return all(c == choices[0] for c in choices) if any(choices) else None
