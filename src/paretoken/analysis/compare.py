"""Compare the parameters of several studies, with suites matched by their role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.significance import LEVEL
from paretoken.analysis.study_results import read_study
from paretoken.analysis.trade import assumed_slopes
from paretoken.config.study import FrozenStudy, Suite
from paretoken.errors import UserError
from paretoken.io.arrays import Array
from paretoken.io.text_tables import MISSING, number_text, range_text

RATIO = "alpha_over_beta"
COLUMNS = [
    "role", "parameter", "study", "suite", "law", "cells", "estimate", "low", "high",
    "r_squared_of_means",
]  # fmt: skip


@dataclass(frozen=True)
class FinishedStudy:
    """A finished study: its label, its settings and its folder."""

    label: str
    frozen: FrozenStudy
    folder: Path

    def fit(self, suite: Suite, law: str | None) -> FittedLaw:
        """Return a suite's fit to all cells; the default law is the headline law."""
        name = law or self.frozen.study.fit.laws[0]
        path = self.folder / "fits" / suite.name / f"{name}-all.json"
        if law is not None and not path.exists():
            known = ", ".join(self.frozen.study.fit.laws)
            raise UserError(f"{self.folder} has no fit of the law {law}; it has: {known}")
        return FittedLaw.read(path, whole=True)


def read_studies(folders: Sequence[Path]) -> list[FinishedStudy]:
    """Read studies from their folders.

    Raises:
        UserError: fewer than two are given, one is given twice, or one is not a finished study.
    """
    resolved = [folder.resolve() for folder in folders]
    if len(set(resolved)) < max(2, len(resolved)):
        given = ", ".join(map(str, folders)) or "none"
        raise UserError(
            f"compare needs two or more different studies, such as results/a results/b; got: {given}"
        )
    names = [path.name for path in resolved]
    found = []
    for folder, path in zip(folders, resolved, strict=True):
        if not (folder / "study.json").exists():
            raise UserError(
                f"{folder} is not the folder of a finished study (it has no study.json); run it with "
                f"`snakemake --config run=[{path.name}]`"
            )
        label = path.name if names.count(path.name) == 1 else str(folder)
        found.append(FinishedStudy(label, read_study(folder / "study.json"), folder))
    return found


def side_by_side(studies: Sequence[FinishedStudy], law: str | None = None) -> pd.DataFrame:
    """Return one row per role, parameter and study.

    ``low`` and ``high`` are the 95 % interval; an estimate without a bound, such as alpha / beta
    where beta is 0, is infinite. A study without a suite of a role has no rows for it.

    Args:
        studies: two or more.
        law: the law whose parameters are compared; None for each study's headline law.

    Raises:
        UserError: a fit is missing or damaged.
    """
    rows = []
    for study in studies:
        for suite in study.frozen.study.suites:
            fit = study.fit(suite, law)
            values = dict(fit.parameters)
            if fit.law.constant_optimum:
                values[RATIO] = fit.record["alpha_over_beta"]
            for name, value in values.items():
                interval = fit.record["intervals"].get(name) or {}
                rows.append(
                    {
                        "role": suite.role,
                        "parameter": name,
                        "study": study.label,
                        "suite": suite.name,
                        "law": fit.law.name,
                        "cells": fit.record["n_points"],
                        "estimate": float("inf") if value is None else value,
                        "low": _end(interval, "low"),
                        "high": _end(interval, "high"),
                        "r_squared_of_means": fit.record.get("r_squared_of_means"),
                    }
                )
    table = pd.DataFrame(rows, columns=COLUMNS)
    named = dict.fromkeys([RATIO, "alpha", "beta", *table["parameter"]])
    order = {name: i for i, name in enumerate(named)}
    roles = {name: i for i, name in enumerate(dict.fromkeys(table["role"]))}
    keys = {"role": roles, "parameter": order}
    return table.sort_values(
        ["role", "parameter"], key=lambda column: column.map(keys[str(column.name)]), kind="stable"
    ).reset_index(drop=True)


def _end(interval: dict[str, float | None], name: str) -> float | None:
    """Return an end of an interval: infinite if unbounded, None if there is no interval."""
    if name not in interval:
        return None
    value = interval[name]
    return float("inf") if value is None else value


def verdicts(studies: Sequence[FinishedStudy], law: str | None = None) -> list[str]:
    """Return a sentence per role and pair of suites: whether their alpha / beta differ.

    Two of them differ significantly if the 95 % interval of their difference, over all pairs of a draw
    of one fit and a draw of the other, excludes 0. An overlap of their own intervals does not decide
    this.

    Args:
        studies: two or more.
        law: the law whose fits are compared; None for each study's headline law.
    """
    of_role: dict[str, list[tuple[str, FittedLaw]]] = {}
    for study in studies:
        for suite in study.frozen.study.suites:
            named = (f"{study.label} ({suite.name})", study.fit(suite, law))
            of_role.setdefault(suite.role, []).append(named)
    return [
        f"{role}: {_verdict(one, other)}"
        for role, fits in of_role.items()
        for one, other in combinations(fits, 2)
    ]


def _verdict(one: tuple[str, FittedLaw], other: tuple[str, FittedLaw]) -> str:
    names = f"{one[0]} and {other[0]}"
    reason = _not_comparable(one, other)
    if reason:
        return f"alpha / beta of {names} cannot be compared: {reason}"
    first, second = (fit.law.exponent_ratio(fit.draws) for _, fit in (one, other))
    sign = which_is_larger(first, second)
    if sign == 0:
        return f"alpha / beta of {names} do not differ significantly."
    larger = one[0] if sign > 0 else other[0]
    return f"alpha / beta of {names} differ significantly: {larger} has the larger one."


def _not_comparable(one: tuple[str, FittedLaw], other: tuple[str, FittedLaw]) -> str:
    """Return why alpha / beta of two fits cannot be compared, in a sentence; empty if it can."""
    if one[1].law.name != other[1].law.name:
        return f"the laws differ ({one[1].law.name} and {other[1].law.name}); choose one with --law."
    for name, fit in (one, other):
        if not len(fit.draws):
            return f"{name} has no bootstrap draws."
        if not fit.law.constant_optimum:
            return f"in the law {fit.law.name} it is not an exchange rate between N and V."
        assumed = assumed_slopes(fit.record)
        if assumed:
            return f"{name} assumes {assumed}."
        absent = [e["words"] for e in (fit.record["effects"] or {}).values() if not e["falls"]]
        if absent:
            return f"{name}: {' '.join(absent)}"
    return ""


def which_is_larger(first: Array, second: Array) -> int:
    """Return 1 if the first number is significantly larger, -1 if the second is, and 0 otherwise.

    Args:
        first: independent draws of the first number, (R,); may be infinite.
        second: independent draws of the second number, (S,).
    """
    ordered = np.sort(second)
    pairs = len(first) * len(second)
    below = int(np.searchsorted(ordered, first, side="left").sum())  # second < first
    above = pairs - int(np.searchsorted(ordered, first, side="right").sum())  # second > first
    tail = (1 - LEVEL) / 2 * pairs
    if pairs - below < tail:
        return 1
    return -1 if pairs - above < tail else 0


def estimate_text(value: float | None, low: float | None, high: float | None) -> str:
    """Return an estimate with its interval as text."""
    if value is None or pd.isna(value):
        return MISSING
    ends = ""
    if low is not None and high is not None and not pd.isna(low):
        ends = f" ({range_text(low, high, '.3g')})"
    return f"{number_text(value, '.3g')}{ends}"
