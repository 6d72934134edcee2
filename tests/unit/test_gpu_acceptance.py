"""benchmarks/gpu_acceptance.py: parts that crash, hang or print nonsense, and all parts in tiny."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gpu_acceptance
from gpu_acceptance_report import summary, write_report
from gpu_acceptance_runs import Outcome, run_part
from gpu_checks import Check, judged, plain, run_checks

#: Generous: only parts that hang reach their limit.
LONG = 120.0

#: A part of four checks whose second one does what is asked, as a process.
PART = """
import argparse, json, os, signal, sys, time
options = argparse.ArgumentParser()
options.add_argument("--seconds", type=float)
options.add_argument("--begin", type=int)
begin = options.parse_args().begin
names = ["a", "b", "c", "d"]
print(json.dumps({{"checks": names, "machine": {{"device": "none"}}}}), flush=True)
for name in names[begin:]:
    print(json.dumps({{"begins": name}}), flush=True)
    if name == "b":
        {deed}
    print(json.dumps({{"check": name, "verdict": "pass", "value": 1}}), flush=True)
"""


def part(deed: str) -> list[str]:
    return [sys.executable, "-c", PART.format(deed=deed)]


def verdicts(outcome: Outcome) -> list[str]:
    return [str(outcome.checks[name]["verdict"]) for name in outcome.names]


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("os._exit(7)", "exit code 7"),
        ("raise ValueError('broken')", "exit code 1"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal 11 (SIGSEGV)"),
    ],
)
def test_a_crash_costs_one_check(deed: str, reason: str) -> None:
    outcome = run_part("p", part(deed), LONG)
    assert verdicts(outcome) == ["pass", "fail", "pass", "pass"]
    assert outcome.verdict == "fail"
    assert reason in outcome.checks["b"]["reason"]
    assert reason in outcome.reason
    if "broken" in deed:
        assert "ValueError: broken" in outcome.checks["b"]["errors"]


def test_a_hang_ends_at_the_limit_and_keeps_what_was_done() -> None:
    started = time.monotonic()
    outcome = run_part("p", part("time.sleep(10**6)"), 8.0)
    assert time.monotonic() - started < LONG
    assert outcome.verdict == "fail"
    assert "did not end within 8 s" in outcome.reason
    if outcome.begun:  # a busy machine may not start a process within the limit
        assert verdicts(outcome) == ["pass", "fail", "not run", "not run"]


@pytest.mark.parametrize(
    "deed",
    [
        "print('no JSON')",
        "print('[1, 2]')",
        """print('{"check": "b", "verdict": "splendid"}')""",
        """print('{"check": "b"}')""",
        "sys.stdout.buffer.write(bytes([255, 254, 10])); sys.stdout.flush()",
        "print('[' * 10**5)",
    ],
)
def test_lines_that_are_no_results_are_reported(deed: str) -> None:
    outcome = run_part("p", part(deed), LONG)
    assert outcome.verdict == "fail"
    assert "1 lines that are no results" in outcome.reason
    assert verdicts(outcome) == ["pass"] * 4


@pytest.mark.parametrize(("visible", "used"), [(None, "0"), ("3,1", "3"), ("", "")])
def test_a_part_sees_one_gpu(
    visible: str | None, used: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    deed = f"open({str(tmp_path / 'seen')!r}, 'w').write(os.environ['CUDA_VISIBLE_DEVICES'])"
    assert run_part("p", part(deed), LONG).verdict == "pass"
    assert (tmp_path / "seen").read_text() == used


def test_a_part_without_results_fails() -> None:
    silent = run_part("p", [sys.executable, "-c", "pass"], LONG)
    assert (silent.verdict, silent.reason) == ("fail", "printed no results")
    broken = run_part("p", [sys.executable, "-c", "import no_such_module"], LONG)
    assert broken.verdict == "fail"
    assert "before its first check" in broken.reason
    assert "ModuleNotFoundError: No module named 'no_such_module'" in broken.reason


def test_bad_parts_do_not_stop_the_others(tmp_path: Path) -> None:
    deeds = {"crash": "os._exit(3)", "raise": "1 / 0", "garbage": "print('?')", "good": "pass"}
    reports: list[list[str]] = []

    def keep(outcomes: list[Outcome]) -> None:
        write_report(tmp_path / "report.json", outcomes, 0.0, 8, tiny=True)
        report = json.loads((tmp_path / "report.json").read_text())
        reports.append([entry["verdict"] for entry in report["parts"]])

    outcomes = gpu_acceptance.run_parts(
        dict.fromkeys(deeds, 1.0), lambda name: part(deeds[name]), 4 * LONG, keep
    )
    assert [outcome.verdict for outcome in outcomes] == ["fail", "fail", "fail", "pass"]
    assert reports[0] == ["fail", "not run", "not run", "not run"]
    assert reports[-1] == ["fail", "fail", "fail", "pass"]
    text = summary(outcomes)
    assert "ZeroDivisionError" in text
    assert "ended with exit code 3" in text
    assert "good          pass           4     0        0" in text


def test_time_that_parts_leave_goes_to_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: dict[str, float] = {}

    def run(name: str, command: list[str], limit_s: float) -> Outcome:
        limits[name] = limit_s
        return Outcome(name)

    monkeypatch.setattr(gpu_acceptance, "run_part", run)
    shares = {"a": 1.0, "b": 2.0, "c": 1.0}
    gpu_acceptance.run_parts(shares, lambda name: [name], 4000.0, lambda outcomes: None)
    assert limits == pytest.approx({"a": 1000, "b": 4000 * 2 / 3, "c": 4000}, rel=0.02)
    limits.clear()
    outcomes = gpu_acceptance.run_parts(shares, lambda name: [name], 0.0, lambda outcomes: None)
    assert limits == {}
    assert {outcome.reason for outcome in outcomes} == {"no time was left"}


def test_checks_fail_alone_and_are_left_out_without_time() -> None:
    lines: list[dict[str, Any]] = []
    clock = iter([100.0, 100.0, 100.0, 0.5])

    def fail() -> dict[str, Any]:
        raise MemoryError("no room\nsecond line")

    checks = [
        Check("a", lambda: judged(True, "always", loss=float("nan"))),
        Check("b", fail),
        Check("c", lambda: judged(False, "never")),
        Check("d", lambda: judged(True, "always")),
    ]
    recovered: list[int] = []
    run_checks(checks, lines.append, lambda: next(clock), lambda: recovered.append(1))
    results = {line["check"]: line for line in lines if "check" in line}
    assert [results[name]["verdict"] for name in "abcd"] == ["pass", "fail", "fail", "not run"]
    assert results["b"]["reason"] == "MemoryError: no room"
    assert "raise MemoryError" in results["b"]["errors"]
    assert [line["begins"] for line in lines if "begins" in line] == ["a", "b", "c"]
    assert len(recovered) == 3
    assert plain(results["a"])["loss"] == "nan"


def test_a_costly_check_is_not_begun_in_too_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("gpu_checks.time.monotonic", lambda: now[0])

    def takes(seconds: float) -> Callable[[], dict[str, Any]]:
        def run() -> dict[str, Any]:
            now[0] += seconds
            return judged(True, "always")

        return run

    checks = [Check("small", takes(10.0), 1.0), Check("large", takes(40.0), 4.0)]
    for total, expected in ((65.0, "pass"), (55.0, "not run")):  # 4 x 10 s, with caution 52 s
        now[0], lines = 0.0, []

        def left(total: float = total) -> float:
            return total - now[0]

        run_checks(checks, lines.append, left, lambda: None)
        assert lines[-1]["verdict"] == expected


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--out", "r.json", "--minutes", "0"],
        ["--out", "r.json", "--minutes", "nan"],
        ["--out", "r.json", "--minutes", "soon"],
        ["--out", "r.json", "--parts", "all"],
    ],
)
def test_impossible_arguments_end_with_code_2(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        gpu_acceptance.main(words)
    assert stopped.value.code == 2
    assert gpu_acceptance.main(["--out", str(tmp_path)]) == 2  # a folder
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_all_parts_in_tiny(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gpu_acceptance.main(["--tiny", "--minutes", "120", "--out", str(tmp_path / "report.json")])
    report = json.loads((tmp_path / "report.json").read_text())
    parts = {entry["name"]: entry for entry in report["parts"]}
    assert list(parts) == list(gpu_acceptance.PARTS)
    failed = {
        f"{name}: {check}": result
        for name, entry in parts.items()
        for check, result in entry["checks"].items()
        if result["verdict"] != "pass"
    }
    assert failed == {}
    assert report["counts"]["not run"] == 0
    assert [entry["reason"] for entry in parts.values()] == [""] * len(parts)
    from paretoken.registry import COMPRESSORS

    tried = {check.partition(",")[0] for check in parts["compressors"]["checks"]}
    assert tried == set(COMPRESSORS)
    assert report["machine"]["versions"]["torch"]
    table = capsys.readouterr().out
    assert all(f"{name:<14}{entry['verdict']}" in table for name, entry in parts.items())
