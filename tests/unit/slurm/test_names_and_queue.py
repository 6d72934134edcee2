"""What jobs are called, and what is read from SLURM's answers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from paretoken.slurm.job_names import covers, digest, label, mark, share_outputs
from paretoken.slurm.queue import FIELD, RECORD, failure_reason, fate_of, read_queue, says_done

CELL = {"study": "paper", "llm": "qwen1.5-7b", "compressor": "tokenpacker", "tokens": "16", "seed": "0"}


@pytest.mark.parametrize(
    ("rule", "wildcards", "expected"),
    [
        ("finetune", CELL, "finetune qwen1.5-7b tokenpacker-16 s0"),
        ("predict", {**CELL, "benchmark": "gqa"}, "predict qwen1.5-7b tokenpacker-16 s0 gqa"),
        (
            "tokenize",
            {"study": "m", "origin": "sources/s3", "stage": "pretrain", "vocabulary": "world"},
            "tokenize s3 pretrain world",
        ),
        (
            "tokenize",
            {"study": "m", "origin": "sources", "stage": "pretrain", "vocabulary": "a"},
            "tokenize pretrain a",
        ),
        ("summary", {"study": "paper"}, "summary"),
    ],
)
def test_names_read(rule: str, wildcards: dict[str, str], expected: str) -> None:
    assert label(rule, wildcards) == expected


def test_a_mark_names_outputs_and_their_work() -> None:
    own = mark([("a", "w"), ("b", "x")])
    assert own == mark([("b", "x"), ("a", "w"), ("a", "w")])
    other = mark([("a", "w"), ("b", "y")])
    assert share_outputs(own, other)
    assert not covers(own, other)
    assert not share_outputs(own, mark([("c", "w")]))


def test_a_group_covers_what_is_left_of_it() -> None:
    group = mark([("a", "w"), ("b", "x")])
    assert covers(group, mark([("b", "x")]))
    assert not covers(mark([("b", "x")]), group)


@pytest.mark.parametrize("text", ["", "(null)", "rule_cell", "paretoken:", "paretoken", "other:a.b"])
def test_comments_of_other_jobs_are_not_marks(text: str) -> None:
    own = mark([("a", "w")])
    assert not covers(text, own)
    assert not covers(own, text)
    assert not share_outputs(text, own)


@pytest.mark.parametrize("words", [["a", "b"], ["ab"], ["a", "b", "c"]])
def test_digests_know_their_words_in_any_order(words: list[str]) -> None:
    assert digest(words) == digest(words[::-1])
    assert digest(words) != digest([*words, "more"])


@pytest.mark.parametrize(
    ("state", "fate"),
    [
        ("COMPLETED", "done"), ("PREEMPTED", "taken"), ("NODE_FAIL", "taken"), ("TIMEOUT", "failed"),
        ("OUT_OF_MEMORY", "failed"), ("CANCELLED", "failed"), ("COMPLETING", "alive"),
        ("REQUEUE_HOLD", "alive"), ("SUSPENDED", "alive"), ("A_NEW_ONE", "alive"),
    ],
)  # fmt: skip
def test_states_have_a_fate(state: str, fate: str) -> None:
    assert fate_of(state) == fate


def printed(*jobs: tuple[str, ...]) -> str:
    """Return jobs as squeue prints them."""
    return "".join(f"{RECORD}{FIELD.join(job)}\n" for job in jobs)


def test_the_queue_is_read() -> None:
    text = printed(
        ("7", "RUNNING", "2026-11-25T10:00:00", "/work", "paretoken:a:b", "None", "finetune a | b s0"),
        ("8", "PENDING", "N/A", "/work", "(null)", "PartitionTimeLimit", "x"),
        ("9", "CANCELLED by 0", "N/A", "/work", "m", "None", "y"),
        ("10", "PENDING", "N/A", "/work", "m", "launch failed requeued held", "z"),
        ("11", "PENDING", "N/A", "/work", "m", "JobHeldUser", "z"),
    )
    first, second, third, held, waiting = read_queue(text)
    assert held.fate == "taken", "SLURM holds it for ever: it is submitted again"
    assert waiting.fate == "alive", "a person holds it, who may let it go"
    assert (first.number, first.name, first.fate) == ("7", "finetune a | b s0", "alive")
    assert first.end == datetime(2026, 11, 25, 10)
    assert (second.end, second.waits, first.waits) == (None, "never", None)
    assert (third.state, third.fate) == ("CANCELLED", "failed")
    assert list(read_queue("")) == []


def test_a_name_may_hold_anything() -> None:
    odd = "two\nlines 99|RUNNING|N/A|/work|m|None|x \N{REPLACEMENT CHARACTER}"
    found = list(read_queue(printed(("7", "RUNNING", "N/A", "/work", "m", "None", odd))))
    assert [job.number for job in found] == ["7"]
    assert found[0].name == " ".join(odd.split())


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("rule a:\n1 of 1 steps (100%) done\n", True),
        ("7 of 7 steps (100%) done\nElapsed time: 1\n", True),
        ("3 of 7 steps (43%) done\n", False),
        ("", False),
    ],
)
def test_a_forgotten_jobs_log_says_whether_it_ended(tmp_path: Path, text: str, done: bool) -> None:
    log = tmp_path / "7.log"
    log.write_text(text)
    assert says_done(log) is done
    assert not says_done(tmp_path / "absent.log")


@pytest.mark.parametrize(
    ("state", "text", "expected"),
    [
        ("OUT_OF_MEMORY", "", "its memory ran out (900 MB"),
        (
            "FAILED",
            "slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch",
            "its memory ran out",
        ),
        (
            "FAILED",
            "slurmstepd: error: StepId=1 exceeded memory limit; Exceeded job memory limit",
            "memory",
        ),
        ("FAILED", "Traceback", "its command failed"),
        ("TIMEOUT", "", "it reached its time limit"),
        ("DEADLINE", "", "its state in SLURM is DEADLINE"),
    ],
)
def test_reasons(tmp_path: Path, state: str, text: str, expected: str) -> None:
    log = tmp_path / "7.log"
    log.write_text(text)
    assert expected in failure_reason(state, [log, tmp_path / "absent"], 900, tmp_path)
