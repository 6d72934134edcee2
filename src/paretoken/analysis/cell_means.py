"""Average cells over their seeds, with both kinds of noise: of sampled questions and of seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paretoken.study.table_files import flags

KEY = ["params_b", "llm", "compressor", "visual_tokens"]


def cell_means(errors: pd.DataFrame) -> pd.DataFrame:
    """Return one row per measured cell of one suite, by size and then tokens.

    Args:
        errors: rows of tables/errors.csv of one suite, without missing errors.

    Returns:
        Columns `KEY`, ``error`` (mean over seeds), ``seeds``, ``stderr_questions`` (of that mean,
        from the sample of questions; NaN if unknown), ``stderr_seeds`` (from the spread over seeds;
        NaN for one seed), ``stderr`` and ``flag`` (empty, or a reason to suspect the cell). Each
        seed draws its own questions, so the spread over seeds includes both kinds of noise:
        ``stderr`` is ``stderr_seeds`` for several seeds and ``stderr_questions`` for one.
    """
    groups = errors.assign(flag=flags(errors)).groupby(KEY, sort=True)
    means = groups.agg(
        error=("error", "mean"),
        seeds=("error", "size"),
        stderr_questions=("stderr", _of_mean),
        stderr_seeds=("error", "sem"),
        flag=("flag", "max"),
    )
    means["stderr"] = means["stderr_seeds"].fillna(means["stderr_questions"])
    columns = ["error", "seeds", "stderr_questions", "stderr_seeds", "stderr", "flag"]
    return means[columns].reset_index()


def suite_means(errors: pd.DataFrame) -> pd.DataFrame:
    """Return `cell_means` of every suite in tables/errors.csv, with the suite in the first column."""
    measured = errors[errors["error"].notna()]
    parts = [
        cell_means(measured[measured["suite"] == suite]).assign(suite=suite)
        for suite in measured["suite"].unique()
    ]
    if not parts:
        return pd.DataFrame(columns=["suite", *KEY])
    table = pd.concat(parts, ignore_index=True)
    return table[["suite", *[name for name in table if name != "suite"]]]


def _of_mean(stderr: pd.Series[float]) -> float:
    """Return the standard error of a mean of independent values with these standard errors."""
    values = np.asarray(stderr, dtype=float)
    return float(np.sqrt((values**2).sum()) / len(values))
