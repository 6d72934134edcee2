"""Which files a module is made of, against what Python really imports."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from paretoken.study.code_files import ROOT, _imports, sources


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


def parsed(body):
    """Return the modules of this package that some statements import, and the names taken from them."""
    found = set()
    for node in body:
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            found |= parsed(getattr(node, part, ()))
    return {name for name in found if name.partition(".")[0] == "paretoken"}


def test_searching_the_text_finds_the_imports_that_a_parser_finds():
    differing = [
        path.name
        for path in sorted((ROOT / "paretoken").rglob("*.py"))
        if set(_imports(path)) != parsed(ast.parse(path.read_text()).body)
    ]
    assert differing == []


def test_imports_are_found_anywhere_but_not_in_texts_and_for_types(tmp_path):
    file = tmp_path / "odd.py"
    file.write_text(
        '"""Use it so::\n\n    import paretoken.cli\n"""\n'
        "from typing import TYPE_CHECKING\n"
        "import paretoken.errors as wrong\n"
        "from paretoken.costs.answer_work import (\n    one,  # (this)\n    two as second,\n)\n"
        "if TYPE_CHECKING:\n    from paretoken.config import Study\n\n    import paretoken.study.grid\n"
        "def late():\n    from paretoken.io.ranges import V  # now\n"
        "from paretokenizer import x\n"
    )
    found = {
        "errors",
        "costs.answer_work",
        "costs.answer_work.one",
        "costs.answer_work.two",
        "io.ranges",
        "io.ranges.V",
    }
    assert set(_imports(file)) == {f"paretoken.{name}" for name in found}


def test_changing_one_list_changes_no_other():
    sources("paretoken.errors").clear()
    assert sources("paretoken.errors")


def test_paths_follow_the_working_directory(tmp_path, monkeypatch):
    here = sources("paretoken.errors")
    monkeypatch.chdir(tmp_path)
    assert sources("paretoken.errors") != here
    assert all(Path(path).is_file() for path in sources("paretoken.errors"))


def test_several_modules_are_a_sorted_union():
    both = sources("paretoken.errors", "paretoken.io.ranges")
    assert both == sorted(set(sources("paretoken.errors")) | set(sources("paretoken.io.ranges")))


def test_an_unknown_module_is_refused():
    with pytest.raises(ValueError, match="no module"):
        sources("paretoken.nonsense")
    with pytest.raises(ValueError, match="no module"):
        sources("paretoken.errors", "numpy")
