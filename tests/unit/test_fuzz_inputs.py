"""A fast part of benchmarks/fuzz_inputs.py, and its judges shown to find what they are for."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

import fuzz_inputs
from fuzzing import cases, configs, conversations, expected, hub, mutations, scores, targets, world
from paretoken.errors import UserError

FAST = ("check", "score-mme", "score-gqa", "score-pope", "score-exact_match", "score-docvqa", "tokenize")
PER_TARGET = 12


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fast targets read of the world: a byte-level tokenizer."""
    from standins.models import tokenizer

    folder = tmp_path_factory.mktemp("world")
    tokenizer().save_pretrained(folder / "bytes")
    return folder


@pytest.mark.parametrize("target", FAST)
def test_changed_inputs_end_in_no_traceback_and_are_not_accepted_wrongly(
    target: str, stand_ins: Path
) -> None:
    results = fuzz_inputs.run_cases([(target, n) for n in range(PER_TARGET)], 1, stand_ins)
    failed = [(r.number, r.change, r.reasons) for r in results if r.verdict in fuzz_inputs.BAD]
    assert failed == []
    assert results[0].verdict == "accepted"
    assert {"rejected", "accepted"} == {result.verdict for result in results}


def test_a_case_depends_on_target_seed_and_number_only(stand_ins: Path) -> None:
    several = fuzz_inputs.run_cases([("score-gqa", n) for n in (3, 4, 5)], 7, stand_ins)
    (alone,) = fuzz_inputs.run_cases([("score-gqa", 5)], 7, stand_ins)
    assert (alone.change, alone.verdict) == (several[2].change, several[2].verdict)
    (other,) = fuzz_inputs.run_cases([("score-gqa", 5)], 8, stand_ins)
    assert other.change != alone.change


def test_every_kind_of_change_happens_and_leaves_the_original() -> None:
    rng, document = Random(0), {"rows": [{"id": 1, "image": "a.png", "said": ["x", "y"]}, {"id": 2}]}
    before, kinds = copy.deepcopy(document), Counter()
    for _ in range(400):
        made, change = mutations.mutate(rng, document)
        kinds[change.kind] += 1
        assert document == before
        assert made != before or change.kind == "swap" or change.before is change.after
    assert set(kinds) == set(mutations.KINDS)


def attempt(tmp_path: Path, **changes: Any) -> cases.Attempt:
    return cases.Attempt(["score"], "a change", [tmp_path / "out"], **changes)


USEFUL = "paretoken score: row 2 has no answer; add one"


@pytest.mark.parametrize(
    ("outcome", "written", "verdict", "reason"),
    [
        (cases.Outcome(2, "", USEFUL), None, "rejected", None),
        (cases.Outcome(0, "", ""), None, "accepted", None),
        (cases.Outcome(None, "", "", "KeyError: 'x'"), None, "traceback", "KeyError"),
        (cases.Outcome(2, "", "paretoken score: x"), None, "nonsense", "without a useful message"),
        (cases.Outcome(2, "", USEFUL), "out", "nonsense", "out was written"),
        (cases.Outcome(2, "", USEFUL), ".partial-out-1", "nonsense", "left behind"),
    ],
)
def test_verdicts(
    tmp_path: Path, outcome: cases.Outcome, written: str | None, verdict: str, reason: str | None
) -> None:
    if written:
        (tmp_path / written).touch()
    found, reasons = cases.judge(attempt(tmp_path), outcome)
    assert found == verdict
    assert reason is None if not reasons else str(reason) in reasons[0]


def test_late_rejections_and_failing_judges_are_counted_as_faults(tmp_path: Path) -> None:
    late = attempt(tmp_path, late=lambda outcome: ["after an hour"])
    assert cases.judge(late, cases.Outcome(2, "", USEFUL)) == ("nonsense", ["after an hour"])

    def broken(outcome: cases.Outcome) -> list[str]:
        raise KeyError("score")

    verdict, reasons = cases.judge(attempt(tmp_path, judge=broken), cases.Outcome(0, "", ""))
    assert verdict == "nonsense"
    assert "KeyError: 'score'" in reasons[0]
    same = cases.Attempt(["score"], "", [])
    assert "the unchanged input was rejected" in cases.judge(same, cases.Outcome(2, "", USEFUL))[1][0]


@pytest.mark.parametrize(
    ("raised", "verdict"), [(UserError("x"), "traceback"), (SystemExit(1), "traceback"), (None, "ok")]
)
def test_whatever_a_command_raises_is_caught(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException | None, verdict: str
) -> None:
    def main(line: list[str]) -> int:
        print("said")
        if raised is not None:
            raise raised
        return 0

    monkeypatch.setattr(cases, "main", main)
    outcome = cases.run_command(["score"])
    assert outcome.out == "said\n"
    assert bool(outcome.failure) == (verdict == "traceback")


ROW = {
    "id": 1,
    "image": "1.png",
    "conversations": [{"from": "human", "value": "<image>\nwhat ?"}, {"from": "gpt", "value": "1998"}],
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"image": None}, "placeholders"),
        ({"image": "a\\b.png"}, "cannot be in a folder"),
        ({"image": "/a.png"}, "cannot be in"),
        ({"image": "../a.png"}, "cannot be in"),
        ({"image": 3}, "its image is 3"),
        ({"conversations": []}, "malformed"),
        ({"conversations": [*ROW["conversations"], {"from": "gpt", "value": "x"}]}, "malformed"),
        ({"conversations": [ROW["conversations"][0], {"from": "gpt", "value": 6}]}, "malformed"),
    ],
)
def test_conversations_are_judged(change: dict[str, Any], problem: str | None) -> None:
    found = conversations.row_problem(ROW | change)
    assert found is None if problem is None else problem in str(found)


def test_a_misspelt_image_is_found() -> None:
    row = {"images" if key == "image" else key: value for key, value in ROW.items()}
    assert conversations.row_problem(row) == "has a key that looks like image"


def test_tokens_that_miss_an_answer_are_found(tmp_path: Path, stand_ins: Path) -> None:
    import numpy as np

    from paretoken.cli import main

    (tmp_path / "rows.json").write_text(json.dumps([ROW]))
    out = tmp_path / "tokens"
    line = ["tokenize", "--data", str(tmp_path / "rows.json"), "--llm", str(stand_ins / "bytes")]
    assert main([*line, "--out", str(out)]) == 0
    llm = stand_ins / "bytes"
    assert conversations.encoded_problems(out, llm, [ROW], "chat") == []
    assert conversations.encoded_problems(out, llm, [ROW, ROW], "chat") == [
        "1 conversations were stored, 2 are good"
    ]
    learned = np.load(out / "learned.npy")
    learned[np.flatnonzero(learned)[0]] = False  # the first digit has no loss
    np.save(out / "learned.npy", learned)
    (problem,) = conversations.encoded_problems(out, llm, [ROW], "chat")
    assert problem.startswith("conversation 0: learns '998<|im_end|>")
    np.save(out / "learned.npy", np.zeros_like(learned))
    assert conversations.encoded_problems(out, llm, [ROW], "chat") == [
        "conversation 0: 0 learned parts for 1 answers"
    ]


@pytest.mark.parametrize("benchmark", ["exact_match", *world.TABLES])
def test_rows_of_every_benchmark_are_judged(benchmark: str) -> None:
    rows = scores.base_rows(benchmark)
    assert [expected.row_problem(benchmark, row) for row in rows] == [None] * len(rows)
    assert expected.repeated_key(benchmark, rows) is None
    assert expected.repeated_key(benchmark, [*rows, rows[0]]) is not None
    assert expected.row_problem(benchmark, {**rows[0], "prediction": ["x"]}) is None
    for said in (None, 1, ["x", "y"], [["x"]], {"a": "x"}, float("nan")):
        assert "its prediction" in str(expected.row_problem(benchmark, {**rows[0], "prediction": said}))
    for column in expected.COLUMNS[benchmark]:
        if column in ("options", "choices") and benchmark in ("mmmu", "mathvista"):
            continue  # only some rows have any
        for value in (None, {"a": 1}, True, [[]]):
            assert expected.row_problem(benchmark, {**rows[0], column: value}) is not None


def test_a_list_that_scores_otherwise_is_found(tmp_path: Path) -> None:
    base = scores.base_rows("gqa")
    given = [{**row, "prediction": [row["prediction"]]} for row in base]
    result = {"rows": [{"score": 0.0} for _ in given]}
    found = scores._row_problems("gqa", base, given, result, tmp_path / "score.json")
    assert found[0] == "the prediction ['red'] scores 0.0 instead of 1.0"
    assert len(found) == 3
    wrong = {"n": 3, "score": 1.2, "interval": [0, 1], "rows": [{"score": -1}]}
    assert len(scores._number_problems(wrong, 4)) == 3


def test_pictures_are_judged() -> None:
    from standins.pictures import picture

    assert hub.picture_problem(picture(0)) is None
    assert "cannot be decoded" in str(hub.picture_problem(picture(0)[:100]))


@pytest.mark.parametrize(
    ("kind", "place", "before", "after", "wrong"),
    [
        ("rename", ("studies", 0, "fit"), {}, "fits", True),
        ("repeat", ("run",), "a", "a", True),
        ("retype", ("llms", 0, "params_b"), 7, [], True),
        ("retype", ("x", "packing"), True, 7, True),
        ("odd number", ("llms", 0, "make", "width"), 16, -16, True),
        ("drop", ("x", "seeds"), [0], None, False),
        ("odd number", ("llms", 0, "make", "width"), 16, "16", False),
        ("odd text", ("x", "title"), "A", "B", False),
        ("odd number", ("llms", 0, "make", "width"), 16, "16x", True),
        ("odd text", ("x", "title"), "A", " ", True),
        ("odd text", ("x", "role"), "ocr", "ocrx", True),
    ],
)
def test_changes_of_a_config_are_judged(
    kind: str, place: mutations.Place, before: Any, after: Any, wrong: bool
) -> None:
    assert bool(configs.value_problem(mutations.Change(kind, place, before, after))) == wrong


def test_the_cases_are_shared_out_and_counted() -> None:
    numbers = targets.counts(2000)
    assert set(numbers) == set(targets.TARGETS)
    assert sum(numbers.values()) == pytest.approx(2000, rel=0.03)
    assert min(targets.counts(1).values()) == 1
    made = [cases.Result("score-gqa", n, v, "") for n, v in enumerate(("rejected", "nonsense"))]
    lines = fuzz_inputs.table([*made, cases.Result("check", 0, "traceback", "")]).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["score", "2", "0", "1", "0", "1"],
        ["check", "1", "0", "0", "1", "0"],
        ["all", "3", "0", "1", "1", "1"],
    ]
