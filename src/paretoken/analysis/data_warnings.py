"""Warnings about cells that are missing or look wrong, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoken.analysis.diagnostics import ILL_CONDITIONED, LARGEST_B, conditioning, is_constant
from paretoken.analysis.estimate import Estimate
from paretoken.io.text_tables import counted


def range_warnings(fitted: Estimate) -> list[str]:
    """Return warnings about values that look like another unit or the opposite quantity."""
    cells, sentences = fitted.cells, []
    slopes = [n for n in ("a", "b") if n in fitted.law.linear and fitted.parameters[n] <= 0]
    if fitted.law.slopes and (is_constant(fitted) or slopes):
        sentences.append(
            "The fit shows no fall of the error with N or with V: is the column an accuracy? It must "
            "hold errors."
        )
    if cells.N.max() > LARGEST_B:
        sentences.append(
            f"N reaches {cells.N.max():.3g}: frontier and recommend read N as billions of parameters; "
            "refit with --n-unit parameters if these are raw counts."
        )
    if cells.Y.max() > 1:
        sentences.append(
            f"Errors reach {cells.Y.max():.3g} and are used unchanged: this is fine for losses, but "
            "shares must lie between 0 and 1 (divide percentages by 100)."
        )
    return sentences


def data_warnings(fitted: Estimate, flagged: list[str], repeated: Sequence[int] = ()) -> list[str]:
    """Return warnings about what the data lack.

    Args:
        fitted: the fit.
        flagged: descriptions of the flagged cells in it.
        repeated: lines of the table that repeat an earlier one.
    """
    cells, law = fitted.cells, fitted.law
    used = cells.used
    sentences: list[str] = []
    levels = len(np.unique(cells.N[used]))
    if law.slopes and levels < 5:
        sentences.append(
            f"Too few levels of N ({levels}): its exponent rests on "
            f"{counted(levels, 'model size')}, and the "
            "bootstrap over sizes is coarse."
        )
    v_levels = len(np.unique(cells.V[used]))
    if law.slopes and v_levels < 4:
        sentences.append(f"Too few levels of V ({v_levels}): its exponent rests on them alone.")
    if not fitted.converged:
        sentences.append(
            "The optimiser reached its step limit: the parameters may not be at the minimum."
        )
    condition = conditioning(fitted)["condition_number"]
    if condition is not None and condition > ILL_CONDITIONED:
        sentences.append(
            f"The estimates are nearly collinear (condition number {condition:.1g}): the data hardly "
            "distinguish the parameters."
        )
    spare = int(used.sum()) - len(fitted.law.free)
    if spare < 5:
        sentences.append(
            f"There {'is' if spare == 1 else 'are'} only {counted(spare, 'more cell')} than parameters: "
            "intervals and rmse mean little."
        )
    if flagged:
        verb = "cells are" if len(flagged) > 1 else "cell is"
        named = "; ".join(flagged[:3]) + (" …" if len(flagged) > 3 else "")
        sentences.append(
            f"{len(flagged)} flagged {verb} in the fit ({named}); compare with --exclude-flagged."
        )
    if below := int((cells.Y[used] < 0).sum()):
        sentences.append(
            f"{below} of {counted(used.sum(), 'value')} {'is' if below == 1 else 'are'} below 0, but an "
            "error cannot be: is it noise, or the wrong column?"
        )
    if repeated:
        lines = ", ".join(map(str, repeated[:3])) + (" …" if len(repeated) > 3 else "")
        rows = "1 row repeats" if len(repeated) == 1 else f"{len(repeated)} rows repeat"
        sentences.append(
            f"{rows} an earlier row in every column (line {lines}), and each counts: remove copies, or "
            "distinguish repetitions by a column such as seed."
        )
    return sentences
