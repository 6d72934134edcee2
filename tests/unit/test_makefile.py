"""What `make` says before it sets anything up: how much there is to download, which Python it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
NEEDS = "paretoken needs Python 3.11, 3.12, 3.13 or 3.14, and "
CHOOSE = "say which one to use: make PYTHON=/path/to/python"


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `make` in a folder where nothing is set up yet."""
    for name in ("pyproject.toml", "constraints.txt"):
        (folder / name).touch()
    line = ["make", "-f", MAKEFILE, *words]
    own = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
    return subprocess.run(line, cwd=folder, env=own, capture_output=True, text=True, check=False)


def interpreter(folder: Path, says: str, code: int) -> Path:
    """Write a program that calls itself a Python, of a version that is supported if ``code`` is 0."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\ncase "$2" in *platform*) echo "{says}" ;; *) exit {code} ;; esac\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["3.10.13", "3.15.0"])
def test_a_python_that_is_too_old_or_too_new_is_reported_in_one_sentence(
    tmp_path: Path, version: str
) -> None:
    python = interpreter(tmp_path, f"is Python {version}", 1)
    done = make(tmp_path, f"PYTHON={python}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"{NEEDS}{python} is Python {version}; {CHOOSE}"
    assert done.stdout == ""


def test_a_missing_python_is_reported_in_one_sentence(tmp_path: Path) -> None:
    done = make(tmp_path, "PYTHON=")
    assert done.stderr.splitlines()[0] == f"{NEEDS}none is on PATH; install one, or {CHOOSE}"
    done = make(tmp_path, "PYTHON=./absent")
    assert done.stderr.splitlines()[0] == f"{NEEDS}./absent does not run; {CHOOSE}"


@pytest.mark.parametrize(
    ("goals", "size"),
    [
        ((), "3.1 GB"),
        (("test",), "3.1 GB"),
        (("published",), "0.25 GB"),
        (("published", "study"), "3.1 GB"),
    ],
)
def test_how_much_there_is_to_download_comes_first(
    tmp_path: Path, goals: tuple[str, ...], size: str
) -> None:
    done = make(tmp_path, "--dry-run", f"PYTHON={sys.executable}", *goals)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert f"about {size} to download" in said
    assert said.index(f"about {size}") < said.index(" -m venv ") < said.index("pip install")
    assert ("target published needs no PyTorch" in said) == (size == "3.1 GB")


def test_the_project_supports_what_the_makefile_asks_for() -> None:
    assert 'requires-python = ">=3.11,<3.15"' in (MAKEFILE.parent / "pyproject.toml").read_text()
    assert "(3, 11) <= sys.version_info[:2] <= (3, 14)" in MAKEFILE.read_text()
