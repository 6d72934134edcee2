"""Describe a recommendation as text."""

from __future__ import annotations

from typing import Any

from paretoken.analysis.subject import in_words as subject_in_words
from paretoken.costs.models.base import CostModel
from paretoken.io.text_tables import counted, size_label, visual_tokens
from paretoken.registry import COST_MODELS

#: The uncertainty that a share of draws counts, by what was drawn.
UNCERTAINTY = {
    ("law",): "uncertainty of the law's parameters only",
    ("law", "cost"): "uncertainty of the law's parameters and noise of the measured cost",
}

#: One other configuration, and several.
OTHERS = ("other affordable configuration is", "other affordable configurations are")


def in_words(answer: dict[str, Any]) -> str:
    """Return the recommendation as a few lines of text."""
    model: CostModel = COST_MODELS.load(answer["cost_model"])
    budget = f"{model.show(answer['budget'])}{model.applies_to(answer['batch'])}"
    lines = [
        f"With {budget} and {counted(answer['text_tokens'], 'text token', form='g')}, use "
        f"{_words(model, answer['recommended'])}."
    ]
    for place, row in enumerate(answer["runners_up"], start=2):
        tie = "; a tie" if row["tie"] else ""
        lines.append(f"  {'next best: ' if place == 2 else f'{place}. '}{_words(model, row)}{tie}")
    lines += _ties(answer)
    if answer["chosen_in_draws"] is not None and not answer["law_is_constant"]:
        uncertainty = UNCERTAINTY[tuple(answer["draws_include"])]
        share = 100 * answer["chosen_in_draws"]
        lines.append(f"It is best in {share:.0f} % of the bootstrap draws ({uncertainty}).")
    if answer["v_star"] is not None:
        lines.append(_star(answer))
    lines += [*_subject(answer), *(f"Caution: {each}" for each in answer["cautions"])]
    return "\n".join(lines)


def _ties(answer: dict[str, Any]) -> list[str]:
    if not answer["ties"]:
        return []
    listed = sum(bool(row["tie"]) for row in answer["runners_up"])
    among = f" ({listed} of them listed)" if listed else ""
    return [
        f"{counted(answer['ties'], *OTHERS)} not distinguished from it{among}: the 95 % interval "
        "of the difference of both errors includes 0, or they differ only along scales without a "
        "significant effect. Choose among them for other reasons."
    ]


def _star(answer: dict[str, Any]) -> str:
    low, high = answer["v_star_low"], answer["v_star_high"]
    interval = "" if low is None or high is None else f" (95 % interval {low:.3g} to {high:.3g})"
    if not answer["v_star_determined"]:
        return (
            "If models of every size were available, the data would not determine the best number of "
            f"visual tokens{interval}."
        )
    return (
        f"If models of every size were available, {visual_tokens(answer['v_star'], '.3g')}{interval} "
        "would be best at any budget; with these sizes, the best number depends on the budget."
    )


def _subject(answer: dict[str, Any]) -> list[str]:
    """Return what the errors measure, which law predicts them, and what the cost counts."""
    model: CostModel = COST_MODELS.load(answer["cost_model"])
    suite = f" of {answer['suite']}" if answer["suite"] else ""
    left_out = f" (left out: {model.leaves_out})" if model.leaves_out else ""
    return [
        subject_in_words(answer["subject"]),
        f"The {answer['law']} law{answer['constraints']}{suite} predicts the error; "
        f"cost: {answer['cost_description']}{left_out}.",
    ]


def _words(model: CostModel, row: dict[str, Any]) -> str:
    named = f" ({', '.join(row['models'])})" if row["models"] else ""
    outside = "; outside the fitted range, an extrapolation" if row["extrapolated"] else ""
    return (
        f"{size_label(row['params_b'])}{named} with {visual_tokens(row['visual_tokens'])}: "
        f"expected error {row['error']:.4f}{intervals(row)}, {model.show(row['cost'])}{_noise(row)}"
        f"{outside}"
    )


def _noise(row: dict[str, Any]) -> str:
    """Return the 95 % interval of a measured cost in brackets; empty if it is unknown."""
    low, high = row.get("cost_low"), row.get("cost_high")
    return "" if low is None or low == high else f" (95 % {low:.4g} to {high:.4g})"


def intervals(row: dict[str, Any]) -> str:
    """Return both 95 % intervals of a predicted error in brackets; empty without draws."""
    if row["error_low"] is None:
        return ""
    return (
        f" (95 % intervals: of the mean {row['error_low']:.4f} to {row['error_high']:.4f}, of a new "
        f"measurement {row['measured_low']:.4f} to {row['measured_high']:.4f})"
    )
