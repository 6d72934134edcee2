"""The report of `gpu_acceptance`: what was run on which machine, and the table at its end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpu_acceptance_runs import Outcome
from paretoken.io.files import write_json
from paretoken.io.versions import git_state, versions

#: Packages whose versions the report states.
PACKAGES = ("torch", "transformers", "accelerate", "tokenizers", "safetensors", "numpy", "flash-attn")


def write_report(
    path: Path, outcomes: Sequence[Outcome], started: float, minutes: float, tiny: bool
) -> None:
    """Write the report atomically.

    Args:
        path: the file.
        outcomes: what became of the parts.
        started: seconds since 1970.
        minutes: the time that was given.
        tiny: whether shapes were tiny.
    """
    begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started))
    write_json(
        path,
        {
            "started": begin,
            "minutes": minutes,
            "tiny": tiny,
            "machine": machine(outcomes),
            "counts": {v: sum(o.count(v) for o in outcomes) for v in ("pass", "fail", "not run")},
            "parts": [{"verdict": outcome.verdict, **asdict(outcome)} for outcome in outcomes],
        },
    )


def machine(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the device as the parts saw it, its driver, and the versions of the code."""
    seen = next((outcome.machine for outcome in outcomes if outcome.machine), {})
    return {
        **seen,
        "driver": _driver(),
        "versions": versions(*PACKAGES),
        "code": git_state(Path(__file__).resolve().parents[1]),
    }


def _driver() -> list[str]:
    """Return a line for each GPU: name, driver, memory and power limit; none without nvidia-smi."""
    columns = "name,driver_version,memory.total,power.limit"
    try:
        run = subprocess.run(
            ["nvidia-smi", f"--query-gpu={columns}", "--format=csv,noheader"],
            capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return run.stdout.strip().splitlines()


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return the results of all checks and a table of the parts, as text."""
    facts = machine(outcomes)
    lines = [
        f"device: {facts.get('device', 'unknown')}; {'; '.join(facts['driver']) or 'no nvidia-smi'}"
    ]
    lines.append(", ".join(f"{name} {version}" for name, version in facts["versions"].items()))
    lines.append(f"commit: {facts['code']['commit']}{' with changes' * bool(facts['code']['dirty'])}")
    for outcome in outcomes:
        lines += ["", f"{outcome.name}:"]
        lines += [_line(name, result) for name, result in outcome.checks.items()]
        if outcome.reason:
            lines.append(_indented(f"the part: {outcome.reason}"))
    lines += ["", f"{'part':<14}{'verdict':<10}{'pass':>6}{'fail':>6}{'not run':>9}{'seconds':>9}"]
    for outcome in outcomes:
        counts = [outcome.count(verdict) for verdict in ("pass", "fail", "not run")]
        lines.append(
            f"{outcome.name:<14}{outcome.verdict:<10}{counts[0]:>6}{counts[1]:>6}{counts[2]:>9}"
            f"{outcome.seconds:>9.1f}"
        )
    return "\n".join(lines)


def _line(name: str, result: dict[str, Any]) -> str:
    """Return a check's result as a line; the traceback of a failure is below it."""
    shown = {k: v for k, v in result.items() if k not in ("verdict", "rule", "errors")}
    simple = {k: v for k, v in shown.items() if not isinstance(v, list | dict)}
    words = ", ".join(f"{key} {value}" for key, value in simple.items())
    text = f"  {result['verdict']:<8} {name}: {words}"
    failed = result["verdict"] == "fail"
    if failed and "rule" in result:
        text += f"\n{_indented('rule: ' + str(result['rule']))}"
    return f"{text}\n{_indented(str(result['errors']))}" if failed and result.get("errors") else text


def _indented(text: str) -> str:
    return "\n".join(f"           {line}" for line in text.splitlines())
