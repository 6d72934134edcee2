"""The ledger: the tests of all claims of a study, as a table and as a page."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from paretoken.analysis.claims.base import Claim
from paretoken.analysis.study_results import StudyResults
from paretoken.io.escape import markdown
from paretoken.io.text_tables import MISSING, markdown_table, number_text, range_text
from paretoken.registry import CLAIMS

COLUMNS = (
    "claim", "statement", "where", "computed", "claimed", "value", "low", "high", "verdict", "because",
)  # fmt: skip


def ledger(results: StudyResults, names: Sequence[str]) -> pd.DataFrame:
    """Test the claims called ``names`` and return one row for each, in that order.

    Raises:
        UserError: a claim needs a suite, a fit or a published number that the study lacks.
    """
    rows = []
    for name in names:
        claim: Claim = CLAIMS.load(name)
        found = vars(claim.test(results)).copy()
        interval = found.pop("interval")
        ends = (interval.low, interval.high) if interval else (None, None)
        found |= dict(zip(("low", "high"), ends, strict=True))
        rows.append({"claim": claim.name, "statement": claim.statement, "where": claim.where} | found)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def page(table: pd.DataFrame, study: str) -> str:
    """Return the ledger as Markdown."""
    shown = pd.DataFrame(
        {
            "Claim": table["statement"],
            "Where": table["where"],
            "Computed": table["computed"],
            "Claimed": table["claimed"],
            "Value": [_value(row) for _, row in table.iterrows()],
            "Verdict": table["verdict"].astype(str),
        }
    )
    reasons = "\n".join(
        f"- *{markdown(str(row['statement']))}*: {markdown(str(row['because']))}"
        for _, row in table.iterrows()
    )
    counts = ", ".join(
        f"{markdown(str(verdict))}: {n}" for verdict, n in table["verdict"].value_counts().items()
    )
    return (
        f"# Claims tested by the study `{study}`\n\n"
        f"Claims tested: {len(table)}{f' ({counts})' if counts else ''}. A claim holds if the 95 % "
        "interval lies inside the claimed region, fails if it lies outside, and is undecided otherwise. "
        "Intervals of results of a fit come from resampling that matches the noise of its cells, those "
        "of differences between methods are Student's over seeds, and those of Table 1 come from the "
        "rounding of its scores.\n\n"
        f"{markdown_table(shown, bold=('Verdict',))}\n\n## Why\n\n{reasons}\n"
    )


def _value(row: pd.Series[float]) -> str:
    if pd.isna(row["value"]):
        return MISSING
    interval = ""
    if not (pd.isna(row["low"]) and pd.isna(row["high"])):
        interval = f" ({range_text(row['low'], row['high'], '.3g')})"
    return f"{number_text(row['value'], '.3g')}{interval}"
