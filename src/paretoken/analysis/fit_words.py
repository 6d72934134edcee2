"""Describe a fit as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paretoken.analysis.law_words import warnings as law_warnings
from paretoken.analysis.trade import assumed_slopes, trade
from paretoken.config.constraints import constraints_of
from paretoken.io.text_tables import counted, number_text, range_text
from paretoken.registry import LAWS


def in_words(record: dict[str, Any]) -> str:
    """Return the fit as a few lines of text."""
    lines = [
        f"{record['formula']}   [{record['status']}, {counted(record['n_points'], 'cell')}, "
        f"{record['loss']} loss {record['objective']:.6g}, rmse {record['rmse']:.4g}]"
    ]
    intervals = record["intervals"]
    shown = record["parameters"]
    constraints = constraints_of(record["constraints"])
    fixed = {name for name, _ in constraints.fixed}
    for name, value in shown.items():
        known = "   fixed" if name in fixed else _range(intervals.get(name))
        tied = "   tied" if name in (constraints.tied or ()) else ""
        lines.append(f"  {name:<16}{_number(value)}{known}{tied}")
    if LAWS.load(record["law"]).constant_optimum:
        lines += _trade(record)
    largest, unseen = (record["holdout"].get(key) or {} for key in ("leave_largest_n_out", "unseen"))
    lines += _predicted(largest, "largest N ({})")
    if unseen.get("n") != largest.get("n"):
        lines += _predicted(unseen, "N = {}")
    if record["laws"]:
        lines += _compared(record["laws"])
    left_out = len(record["data"]["exclusions"])
    if left_out:
        lines.append(f"  rows left out: {left_out} (listed under data.exclusions)")
    return "\n".join(lines + [f"warning: {sentence}" for sentence in record["warnings"]])


def _trade(record: dict[str, Any]) -> list[str]:
    """Return alpha / beta, V*, and whether a larger model or more tokens are better."""
    intervals, assumed = record["intervals"], assumed_slopes(record)
    ratio = _number(record["alpha_over_beta"])
    lines = [f"  {'alpha_over_beta':<16}{ratio}{_range(intervals.get('alpha_over_beta'))}"]
    for Q, value in (record["v_star"] or {}).items():
        star = (intervals.get("v_star") or {}).get(Q)
        lines.append(f"  {f'V* at Q = {Q}':<16}{_number(value)}{_range(star)}")
    if assumed:
        return [*lines, f"  alpha_over_beta and V* depend on {assumed}, which the fit assumes"]
    found = trade(record)
    because = f" ({found.because})" if found.because else ""
    return [*lines, f"  {found.side}{because}"]


def _compared(laws: dict[str, Any]) -> list[str]:
    """Return the comparison of laws as a table of a few columns, and its conclusions."""
    head = ("AICc diff.", "weight", "R²", "pattern p", "largest N*", "")
    lines = [_columns("  laws on these cells", head)]
    for row in laws["laws"]:
        if row["reason"]:
            continue
        held = row["largest_n_out"]
        cells = (
            _short(row["aicc_difference"], "+.1f"),
            _short(row["weight"], ".2f"),
            _short(row["r_squared_of_means"], ".3f"),
            _short(row["pattern_p"], ".2g"),
            "" if held is None else f"{100 * held:.2f} %",
            "excluded" if row["excluded"] else "",
        )
        lines.append(_columns(f"    {row['law']}", cells))
    lines.append("  * held out: mean relative error of its prediction from the smaller sizes")
    doubts = law_warnings(laws)  # printed with the other warnings
    return lines + [f"  {sentence}" for sentence in laws["words"] if sentence not in doubts]


def _columns(first: str, cells: Sequence[str]) -> str:
    return (f"{first:<22}" + "".join(f"{cell:>12}" for cell in cells)).rstrip()


def _short(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _predicted(held_out: dict[str, Any], words: str) -> list[str]:
    """Return how well held-out sizes are predicted; empty if the others do not determine the law."""
    if not held_out.get("law"):
        return []
    sizes = words.format(", ".join(f"{n:g}" for n in held_out["n"]))
    error = 100 * held_out["law"]["mean_abs_relative_error"]
    return [f"  {sizes} held out: mean relative error {error:.2f} %"]


def _number(value: float | None) -> str:
    return f"{number_text(value, '.6g'):>12}"


def _range(interval: dict[str, Any] | None) -> str:
    if not interval:
        return ""
    return f"   95 % {range_text(interval['low'], interval['high'], '.4g')}"
