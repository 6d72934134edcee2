"""What the cells of a fit lack, and what in them looks wrong, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoken.analysis.diagnostics import ILL_CONDITIONED, LARGEST_B, conditioning, is_constant
from paretoken.analysis.estimate import Estimate


def range_warnings(fitted: Estimate) -> list[str]:
    """Return sentences on values that look like another unit or the opposite quantity."""
    cells, sentences = fitted.cells, []
    slopes = [n for n in ("a", "b") if n in fitted.law.linear and fitted.parameters[n] <= 0]
    if fitted.law.slopes and (is_constant(fitted) or slopes):
        sentences.append(
            "No fall of the error with N or with V is seen: is the column an accuracy? Errors are "
            "wanted."
        )
    if cells.N.max() > LARGEST_B:
        sentences.append(
            f"N reaches {cells.N.max():.3g}: frontier and recommend read N as billions of parameters; "
            "refit with --n-unit parameters if these are raw counts."
        )
    if cells.Y.max() > 1:
        sentences.append(
            f"Errors reach {cells.Y.max():.3g} and are taken as they are: fine for a loss, but shares "
            "belong between 0 and 1 (divide percentages by 100)."
        )
    return sentences


def data_warnings(fitted: Estimate, flagged: list[str], repeated: Sequence[int] = ()) -> list[str]:
    """Return sentences on what the data lack.

    Args:
        fitted: the fit.
        flagged: the flagged cells in it.
        repeated: lines of the table that say the same as an earlier one.
    """
    cells, law = fitted.cells, fitted.law
    used = cells.used
    sentences: list[str] = []
    levels = len(np.unique(cells.N[used]))
    if law.slopes and levels < 5:
        sentences.append(
            f"Too few levels of N ({levels}): its exponent rests on {levels} model sizes, and the "
            "bootstrap over sizes is coarse."
        )
    v_levels = len(np.unique(cells.V[used]))
    if law.slopes and v_levels < 4:
        sentences.append(f"Too few levels of V ({v_levels}): its exponent rests on them alone.")
    if not fitted.converged:
        sentences.append("The descent ran out of steps: the parameters may not be at the minimum.")
    condition = conditioning(fitted)["condition_number"]
    if condition is not None and condition > ILL_CONDITIONED:
        sentences.append(
            f"The estimates are nearly collinear (condition number {condition:.1g}): the data hardly "
            "tell the parameters apart."
        )
    spare = int(used.sum()) - len(fitted.law.free)
    if spare < 5:
        sentences.append(f"Only {spare} more cells than parameters: intervals and rmse mean little.")
    if flagged:
        verb = "cells are" if len(flagged) > 1 else "cell is"
        named = "; ".join(flagged[:3]) + (" …" if len(flagged) > 3 else "")
        sentences.append(
            f"{len(flagged)} flagged {verb} in the fit ({named}); compare with --exclude-flagged."
        )
    if below := int((cells.Y[used] < 0).sum()):
        sentences.append(
            f"{below} of {used.sum()} values are below 0, which no error is: noise, or another column?"
        )
    if repeated:
        lines = ", ".join(map(str, repeated[:3])) + (" …" if len(repeated) > 3 else "")
        rows = "1 row repeats" if len(repeated) == 1 else f"{len(repeated)} rows repeat"
        sentences.append(
            f"{rows} an earlier row in every column (line {lines}), counted again: "
            "take copies out, or tell repetitions apart by a column such as seed."
        )
    return sentences
