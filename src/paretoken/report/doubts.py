"""The open questions of a study: warnings of its fits, missing errors and flagged cells."""

from __future__ import annotations

import pandas as pd

from paretoken.analysis.study_results import StudyResults


def doubts(results: StudyResults) -> list[str]:
    """Return the warnings of the headline fits, and sentences on missing errors and flagged cells."""
    suites = results.study.suites if results.study.fit.laws else []
    sentences = [
        f"{suite.title}: {warning}"
        for suite in suites
        for warning in results.headline(suite.name).record["warnings"]
    ]
    errors = results.errors
    missing = errors[errors["error"].isna()]
    if len(missing):
        are = "error is" if len(missing) == 1 else "errors are"
        sentences.append(f"{len(missing)} of {len(errors)} {are} missing: {_named(missing)}.")
    flagged = errors[errors["flag"] != ""]
    for flag, rows in flagged.groupby("flag"):
        cells, use, leave = (
            ("This cell is", "uses it", "leaves it out")
            if len(rows) == 1
            else ("These cells are", "uses them", "leaves them out")
        )
        note = f" The headline fit {use}, and the unflagged fit {leave}." if suites else ""
        sentences.append(f"{cells} flagged “{flag}”: {_named(rows)}.{note}")
    return sentences


def _named(rows: pd.DataFrame) -> str:
    return ", ".join(
        f"{row['llm']} with V = {row['visual_tokens']} ({row['suite']})" for _, row in rows.iterrows()
    )
