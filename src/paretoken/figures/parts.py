"""Data of figures, without drawing: suites, mean cells, fitted sizes and their descriptions."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from paretoken.analysis.cell_means import cell_means
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.laws.base import Law
from paretoken.analysis.significance import LEVEL
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import Role, Suite
from paretoken.errors import UserError
from paretoken.io.arrays import Numbers
from paretoken.registry import LAWS
from paretoken.study.published import PAPER_LAW

#: Number of points of a smooth curve.
DENSE = 200
SYMBOLS = {"alpha": "α", "beta": "β", "alpha_over_beta": "α/β"}
LEVEL_TEXT = f"{100 * LEVEL:g} %"


def missing(results: StudyResults, figure: str, need: str) -> UserError:
    """Return the error of a figure that the study lacks something for; ``need`` says what to add."""
    return UserError(
        f"figure {figure} of study {results.study.name} needs {need} in config.yaml; add it, or "
        f"remove {figure} from the study's figures"
    )


def require_suite(results: StudyResults, figure: str, role: Role) -> Suite:
    """Return the first suite with a role and a measured cell (`UserError` if there is none)."""
    suite = results.suite(role)
    if suite is None:
        raise missing(results, figure, f"a suite with role {role} under suites")
    if results.cells(suite.name).empty:
        raise UserError(f"figure {figure}: no cell of suite {suite.name} is measured yet")
    return suite


def shown_suites(results: StudyResults, figure: str) -> list[Suite]:
    """Return the reasoning suite, and the OCR suite if the study has measured one."""
    ocr = results.suite("ocr")
    also = [] if ocr is None or results.cells(ocr.name).empty else [ocr]
    return [require_suite(results, figure, "reasoning"), *also]


def mean_cells(results: StudyResults, suite: str) -> pd.DataFrame:
    """Return one row per measured cell of a suite with V > 0, see `cell_means`."""
    return cell_means(results.cells(suite))


def of_paper(results: StudyResults) -> bool:
    """Return whether a study is compared with published values; only then captions name the paper."""
    return results.study.published is not None


def sentences(*parts: str) -> str:
    """Return the sentences of a caption, without those that are empty."""
    return " ".join(part for part in parts if part)


def bars_in_words(*suites: pd.DataFrame) -> str:
    """Return the sentence on the error bars of mean cells; empty if no cell has one."""
    cells = pd.concat(suites)
    drawn, seeds = cells["stderr"] > 0, cells["stderr_seeds"].notna()
    if not drawn.any():
        return ""
    if not (drawn & seeds).any():
        return "Bars are one standard error, over questions."
    several = " if there are several, otherwise over questions" * bool((drawn & ~seeds).any())
    return f"Bars are one standard error, over seeds{several}."


def column(cells: pd.DataFrame, name: str) -> Numbers:
    """Return a column of numbers as an array."""
    return np.asarray(cells[name], dtype=float)


def levels(cells: pd.DataFrame, name: str) -> list[float]:
    """Return the distinct values of a column, ascending."""
    return [float(value) for value in np.unique(column(cells, name))]


def published_parameters(results: StudyResults, suite: str) -> dict[str, float] | None:
    """Return the published parameters of the paper's law, or None unless all are known."""
    law: Law = LAWS.load(PAPER_LAW)
    values = {name: results.value(suite, name) for name in law.parameters}
    known = {name: value for name, value in values.items() if value is not None}
    return known if len(known) == len(values) else None


def dense(values: Sequence[float]) -> Numbers:
    """Return a smooth log-spaced range over ``values``, which includes the values themselves."""
    smooth = np.geomspace(min(values), max(values), DENSE)[1:-1]
    return np.unique(np.concatenate([smooth, np.asarray(values, float)]))


def parameter_lines(fit: FittedLaw) -> list[str]:
    """Return the exponents (slopes, if there are none) and their ratio, each with its interval."""
    law = fit.law
    values = {name: fit.parameters[name] for name in law.slopes}
    ratio = fit.record.get("alpha_over_beta")
    lines = [_line(fit, name, value) for name, value in values.items()]
    return (
        lines
        if ratio is None or not law.constant_optimum
        else [*lines, _line(fit, "alpha_over_beta", ratio)]
    )


def formula(fit: FittedLaw) -> str:
    """Return the law's formula as mathematical text."""
    plain: Law = LAWS.load(fit.law.name)
    text = re.sub(r"\^(-?\w+)", r"^{\1}", plain.formula)
    known = fit.law.constraints.in_words().replace("alpha", "α").replace("beta", "β")
    return "$" + re.sub(r"\b(alpha|beta|ln)\b", r"\\\1", text) + "$" + known


def _line(fit: FittedLaw, name: str, value: float) -> str:
    interval = fit.record["intervals"].get(name)
    symbol = SYMBOLS.get(name, name)
    if not interval:
        return f"{symbol} = {value:.3g}"
    low, high = ("∞" if interval[end] is None else f"{interval[end]:.3g}" for end in ("low", "high"))
    return f"{symbol} = {value:.3g} [{low}, {high}]"
