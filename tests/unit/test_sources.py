"""Which files a module is made of, against what Python really imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from paretoken.sources import ROOT, sources


def names(*modules):
    inside = ROOT / "paretoken"
    return {Path(path).resolve().relative_to(inside).as_posix() for path in sources(*modules)}


def test_a_module_without_imports_is_itself():
    assert "errors.py" in names("paretoken.errors")
    assert names("paretoken.errors") <= {"errors.py", "__init__.py"}


def test_a_command_is_made_of_all_it_imports():
    found = names("paretoken.commands.fit")
    assert {"commands/fit.py", "analysis/fit.py", "analysis/solver.py", "analysis/laws/base.py"} <= found
    assert not any(name.startswith("figures/") for name in found)


@pytest.mark.parametrize(
    "module",
    ["paretoken.commands.fit", pytest.param("paretoken.commands.frontier", marks=pytest.mark.slow)],
)
def test_no_module_that_python_loads_is_missing(module):
    """The import is done in a process of its own; packages' empty `__init__.py` may be left out."""
    code = (
        f"import {module}, sys, json; print(json.dumps([m.__file__ for n, m in sys.modules.items()"
        " if n.startswith('paretoken') and m.__file__]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {Path(path) for path in json.loads(run.stdout) if Path(path).name != "__init__.py"}
    loaded = {path for path in loaded if path.name != "registry.py"}  # on purpose; see sources
    assert loaded <= {Path(path).resolve() for path in sources(module)}


def test_several_modules_are_a_sorted_union():
    both = sources("paretoken.errors", "paretoken.tokens")
    assert both == sorted(set(sources("paretoken.errors")) | set(sources("paretoken.tokens")))


def test_an_unknown_module_is_refused():
    with pytest.raises(ValueError, match="no module"):
        sources("paretoken.nonsense")
    with pytest.raises(ValueError, match="no module"):
        sources("paretoken.errors", "numpy")
