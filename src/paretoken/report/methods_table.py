"""The table of methods, with one row per method and token count, and the best methods."""

from __future__ import annotations

import pandas as pd

from paretoken.analysis.methods import suite_errors
from paretoken.analysis.scales import PERCENT
from paretoken.analysis.study_results import StudyResults
from paretoken.io.escape import markdown
from paretoken.io.text_tables import MISSING, markdown_list, markdown_table

Cell = pd.Series  # one row of `method_scores`


def wide(results: StudyResults, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the table as text: a row per method and V, a column per benchmark and suite.

    A score is ``mean ± half of its interval``, with the published number in brackets; a suite's column
    is its error.

    Args:
        results: the results of the study.
        scores: the output of `method_scores`.
    """
    benchmarks = list(dict.fromkeys(scores["benchmark"]))
    errors = {suite.name: suite_errors(results, suite.name) for suite in results.study.suites}
    rows = []
    for key, own in scores.groupby(["llm", "compressor", "visual_tokens"], sort=False):
        llm, compressor, tokens = str(key[0]), str(key[1]), int(own["visual_tokens"].iloc[0])
        by_benchmark = own.set_index("benchmark")
        shown = compressor if tokens else "blind"
        row = {"method": shown, "LLM": llm, "V": str(tokens)}
        for name in benchmarks:
            row[name] = score_text(by_benchmark.loc[name]) if name in by_benchmark.index else MISSING
        for suite, means in errors.items():
            found = means[(means["llm"] == llm) & (means["compressor"] == shown)]
            found = found[found["visual_tokens"] == tokens]
            row[f"error {suite}"] = error_text(found.iloc[0]) if len(found) else MISSING
        rows.append(row)
    return pd.DataFrame(rows)


def score_text(row: Cell) -> str:
    """Return a score with half its interval, and the published one in brackets."""
    digits = 0 if row["out_of"] > 100 else 1
    text = f"{row['score']:.{digits}f}{_half(row['low'], row['high'], digits)}"
    return text if pd.isna(row["published"]) else f"{text} [{row['published']:g}]"


def error_text(row: Cell) -> str:
    """Return an error with half its interval."""
    return f"{row['error']:.3f}{_half(row['low'], row['high'], 3)}"


def _half(low: float | None, high: float | None, digits: int) -> str:
    return "" if pd.isna(low) or pd.isna(high) else f" ± {(high - low) / 2:.{digits}f}"


def methods_page(
    results: StudyResults, table: pd.DataFrame, compared: pd.DataFrame, scores: pd.DataFrame
) -> str:
    """Return the table and the best methods as Markdown.

    Args:
        results: the results of the study.
        table: the output of `wide`.
        compared: the output of `comparisons`.
        scores: the output of `method_scores`.
    """
    study = results.study
    return (
        f"# Methods of the study `{study.name}`\n\n{markdown(study.question)}\n\n"
        f"Scores are out of 100{_points(scores)}: the mean over seeds ± half of the 95 % interval "
        "(Student's t over seeds; with one seed, from the sample of questions). Numbers in brackets are "
        "from the paper's Table 1: one run each, with other recipes. An error is 1 minus the mean score "
        f"of a suite.{_not_compared(scores)}\n\n"
        f"{markdown_table(table)}\n\n"
        f"## Best methods\n\n{markdown_list(winners(results, compared))}\n"
    )


def _points(scores: pd.DataFrame) -> str:
    """Return the benchmarks whose scores are not out of 100, with their maxima, in brackets."""
    others = scores[scores["out_of"] != PERCENT].drop_duplicates(["benchmark", "out_of"])
    named = [
        f"{markdown(str(name))}: {points:g}"
        for name, points in zip(others["benchmark"], others["out_of"], strict=True)
    ]
    return f" ({', '.join(named)})" if named else ""


def _not_compared(scores: pd.DataFrame) -> str:
    """Return a sentence per benchmark whose published numbers are of another metric."""
    rows = scores[scores["not_compared"].notna()].drop_duplicates(["benchmark", "not_compared"])
    return "".join(
        f" {markdown(str(name))} is not compared with the published numbers: {markdown(str(why))}."
        for name, why in zip(rows["benchmark"], rows["not_compared"], strict=True)
    )


def winners(results: StudyResults, compared: pd.DataFrame) -> list[str]:
    """Return a text per suite and V: the best method, and the significance of its differences."""
    titles = {suite.name: suite.title for suite in results.study.suites}
    sentences = []
    for (suite, _, tokens), own in compared.groupby(["suite", "llm", "visual_tokens"], sort=False):
        is_open = own["better"] == "undecided"
        beaten, close = (", ".join(own["compressor"][rows]) for rows in (~is_open, is_open))
        found = [
            f"{own['against'].iloc[0]} has the lowest error",
            *([f"It is significantly better than {beaten}"] if beaten else []),
            *([f"It is not significantly different from {close}"] if close else []),
        ]
        sentences.append(f"{titles[str(suite)]}, V = {tokens}: {'. '.join(found)}.")
    return sentences or ["There are no methods to compare."]


def error_rows(results: StudyResults, suite: str) -> pd.DataFrame:
    """Return the errors of a suite's methods, sorted by number of tokens and then by error."""
    rows = suite_errors(results, suite).sort_values(["visual_tokens", "error"], kind="stable")
    return rows[["compressor", "llm", "visual_tokens", "error", "low", "high", "seeds"]]
