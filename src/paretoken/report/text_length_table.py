"""The table of the best V by length of the question, in Markdown and LaTeX."""

from __future__ import annotations

import pandas as pd

from paretoken.analysis.study_results import StudyResults
from paretoken.io.escape import markdown
from paretoken.io.text_tables import MISSING, latex_table, markdown_table


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """Return the output of `optima`, formatted for a page."""
    return pd.DataFrame(
        {
            "suite": found["suite"],
            "Q": found["text_tokens"],
            "budget in": found["cost"],
            "best V": [_range(row, "best_tokens", "least", "most") for _, row in found.iterrows()],
            "V* predicted": [
                _range(row, "predicted", "predicted_low", "predicted_high")
                for _, row in found.iterrows()
            ],
            "mean error": found["mean_error"].map("{:.3f}".format),
            "s per question": [
                _range(row, "latency_s", "latency_low_s", "latency_high_s")
                for _, row in found.iterrows()
            ],
        }
    )


def _range(row: pd.Series[float], name: str, low: str, high: str) -> str:
    if pd.isna(row[name]):
        return MISSING
    ends = "" if pd.isna(row[low]) else f" ({row[low]:.3g} to {row[high]:.3g})"
    return f"{row[name]:.3g}{ends}"


def page(results: StudyResults, found: pd.DataFrame) -> str:
    """Return the table as Markdown."""
    return (
        f"# Text length in the study `{results.study.name}`\n\n{markdown(results.study.question)}\n\n"
        "Each question was repeated until its prompt had at least Q text tokens. *Best V* is the number "
        "of visual tokens of the best affordable cell among the measured ones (geometric mean over "
        "budgets, minimum and maximum in brackets). Budgets are in FLOPs 2N(Q + V) or in measured "
        "seconds per question (median, quartiles in brackets). *V\\* predicted* is that of the headline "
        "law, with its 95 % "
        f"interval.\n\n{markdown_table(shown(found))}\n\n![Text length](figures/text_length.png)\n"
    )


def latex_of(found: pd.DataFrame) -> str:
    """Return the table as LaTeX."""
    return latex_table(shown(found))
