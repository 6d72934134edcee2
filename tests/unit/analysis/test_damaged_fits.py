"""A ``fit.json`` that is wrong in one place ends with an answer or a message, never in a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from damaged import require_user_errors

COMMANDS = {
    "recommend": ["--budget-flops", "1e12", "--text-tokens", "50"],
    "frontier": [
        "--out-pareto",
        "p.csv",
        "--out-crossovers",
        "c.csv",
        "--out-by-cost",
        "b.csv",
        "--out",
        "frontier.csv",
        "--text-tokens",
        "50",
    ],
}


def small(record: dict[str, Any]) -> dict[str, Any]:
    """Return a fit with few draws, so that each command takes milliseconds."""
    return record | {"draws": record["draws"][:5], "noise_draws": record["noise_draws"][:5]}


@pytest.mark.parametrize("name", COMMANDS)
def test_damaged_fits_end_in_no_traceback(
    published_record: dict[str, Any],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [name, "--fit", "fit.json", *COMMANDS[name]]
    most = 300 if name == "recommend" else 40
    done, refused = require_user_errors(small(published_record), Path("fit.json"), command, most)
    assert done
    assert refused
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_damage_anywhere_in_a_fit_ends_in_no_traceback(
    published_record: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = {key: value for key, value in published_record.items() if key not in ("versions", "outliers")}
    command = [name, "--fit", "fit.json", *COMMANDS[name]]
    require_user_errors(small(kept), Path("fit.json"), command, 600 if name == "recommend" else 80)
