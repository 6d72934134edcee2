from __future__ import annotations

from typing import Any

import pytest

from paretoken.errors import UserError
from paretoken.evaluate.benchmarks.pope import read_answer
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS

POPE = BENCHMARKS.load("pope")


def row(category: str, answer: str, prediction: Any, image: str = "a") -> dict[str, Any]:
    return {"category": category, "answer": answer, "prediction": prediction, "image_source": image}


@pytest.mark.parametrize(
    ("prediction", "read"),
    [
        ("No", "no"), ("no, there is not", "no"), ("There is no dog. Yes", "no"), ("Yes. No", "yes"),
        ("", "yes"), ("Nope", "yes"), ("NO", "yes"), ("no!", "yes"), ("No,", "no"), ("a\nno", "yes"),
    ],
)  # fmt: skip
def test_how_answers_are_read(prediction: str, read: str) -> None:
    assert read_answer(prediction) == read


def test_f1_by_hand_mean_and_pooled() -> None:
    rows = [
        row("random", "yes", "Yes"),
        row("random", "no", "No"),
        row("popular", "yes", "Yes"),
        row("popular", "no", "Yes"),
        row("popular", "yes", "No"),
    ]
    result = score_predictions(POPE, rows)
    # random: 1; popular: one of each, 2 / (2 + 1 + 1); pooled: 4 / (4 + 1 + 1).
    assert result["score"] == pytest.approx((1 + 0.5) / 2)
    assert result["details"]["f1_pooled"] == pytest.approx(4 / 6)
    assert result["details"]["accuracy"] == 0.6
    assert result["details"]["said_yes"] == 0.6
    assert [r["score"] for r in result["rows"]] == [1, 1, 1, 0, 0]
    assert score_predictions(POPE, rows, "pooled")["score"] == pytest.approx(4 / 6)


def test_the_literal_variant_loses_unread_answers_from_f1() -> None:
    rows = [row("random", "yes", "Yes"), row("random", "yes", "Yes."), row("random", "no", "No way")]
    result = score_predictions(POPE, rows, "literal")
    assert result["score"] == 1
    assert result["details"]["accuracy"] == pytest.approx(1 / 3)
    assert score_predictions(POPE, rows)["score"] == 1


@pytest.mark.parametrize("variant", [None, "pooled", "literal"])
def test_a_missing_category_is_in_the_metric(variant: str | None) -> None:
    rows = [row(name, "yes", "yes") for name in ("random", "popular", "adversarial")]
    name = POPE.variant(variant).metric
    assert score_predictions(POPE, rows, variant)["metric"] == name
    assert score_predictions(POPE, rows[:2], variant)["metric"] == f"{name} (without adversarial)"
    assert (
        score_predictions(POPE, rows[:1], variant)["metric"] == f"{name} (without adversarial, popular)"
    )


@pytest.mark.parametrize("category", ["Random", "random ", "", None, 1])
def test_another_category_is_refused(category: Any) -> None:
    with pytest.raises(
        UserError, match=r"row 1: its category is .*; it must be one of adversarial, popular"
    ):
        score_predictions(POPE, [row(category, "yes", "yes")])


def test_f1_without_a_yes_is_zero() -> None:
    assert score_predictions(POPE, [row("random", "yes", "no"), row("random", "no", "no")])["score"] == 0


def test_whole_images_are_resampled() -> None:
    one = [row("random", "yes", "Yes", "a"), row("random", "yes", "No", "a")] * 50
    assert score_predictions(POPE, one)["details"]["stderr"] == pytest.approx(0, abs=1e-12)
