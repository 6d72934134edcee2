from __future__ import annotations

from typing import Any

import pytest

from paretoken.errors import UserError
from paretoken.evaluate.lmms_answers import MAX_NEW_TOKENS, batches, cut, generation
from paretoken.evaluate.lmms_score import as_score, choose_metric
from paretoken.evaluate.score_intervals import interval


def sample(number: int, **metrics: Any) -> dict[str, Any]:
    return {"doc_id": number, "doc": {"answer": "a", "_id": "other"}, "arguments": ["what ?", {}],
            "filtered_resps": ["a"], **metrics}  # fmt: skip


def test_a_mean_over_rows_has_the_interval_of_our_own_scores() -> None:
    samples = [sample(i, acc={"score": float(i < 3)}) for i in range(4)] + [sample(4, other=1.0)]
    found = as_score("b", "t", "acc", 1.0, {"acc,none": 0.75, "acc_stderr,none": "N/A"}, samples)
    assert (found["score"], found["n"], found["interval"]) == (0.75, 4, interval([1, 1, 1, 0]))
    assert found["rows"][0] == {
        "answer": "a",
        "_id": "0",
        "prompt": "what ?",
        "prediction": "a",
        "score": 1.0,
    }
    assert found["details"]["stderr"] == pytest.approx(0.25)


def test_percentages_and_sums_are_divided_by_what_they_can_reach() -> None:
    percent = [sample(0, acc=100.0), sample(1, acc=0.0)]
    found = as_score("b", "t", "acc", 100.0, {"acc,none": 50.0}, percent)
    assert (found["score"], [row["score"] for row in found["rows"]]) == (0.5, [1.0, 0.0])
    right = [sample(0, points={"score": 1}), sample(1, points={"score": 0})]
    mme = as_score("b", "t", "points", 2000.0, {"points,none": 500.0}, right)
    assert (mme["score"], mme["details"]["stderr"]) == (0.25, 0.5)
    stated = as_score("b", "t", "f1", 1.0, {"f1,none": 0.5, "f1_stderr,none": 0.1}, [sample(0, f1=[1])])
    assert stated["interval"] == pytest.approx([0.304, 0.696], abs=1e-3)
    assert "score" not in stated["rows"][0]


def test_a_metric_that_is_not_a_score_is_refused() -> None:
    with pytest.raises(UserError, match="--maximum 100"):
        as_score("b", "t", "acc", 1.0, {"acc,none": 50.0}, [sample(0, acc=50.0)])
    with pytest.raises(UserError, match="no number"):
        as_score("b", "t", "acc", 1.0, {"acc,none": None}, [sample(0, acc=1.0)])
    with pytest.raises(UserError, match="--metric: a, b"):
        choose_metric("t", ["a", "b"], None)
    with pytest.raises(UserError, match="unknown metric of t 'c'"):
        choose_metric("t", ["a", "b"], "c")
    assert choose_metric("t", ["a"], None) == "a"


def test_requests_are_batched_by_settings_and_length() -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        ("long text", {"a": 1}),
        ("x", {}),
        ("text", {"a": 1}),
        ("y", {"a": 1}),
    ]
    assert list(batches(asked, 2)) == [[3, 2], [0], [1]]


def test_answers_end_where_the_task_says() -> None:
    assert generation({"max_new_tokens": 5, "until": "\n"}) == (5, ["\n"])
    assert generation({"until": ["", "."]}) == (MAX_NEW_TOKENS, ["."])
    assert cut("yes. no\n", ["\n", "."]) == "yes"
    assert cut("yes", ["."]) == "yes"
