"""Which files of this package a module is made of, so that a cheap rule reruns when one changes.

Snakemake does not see edits to modules that a shell command imports; cheap rules therefore list
these files as inputs. Snakemake compares checksums of small files, so touching one changes nothing.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: A line for a new law must not refit the others; rules name the modules of the laws they use.
REGISTRY = ROOT / "paretoken" / "registry.py"


def sources(*modules: str) -> list[str]:
    """Return the files behind ``modules`` and all that they import from this package, sorted.

    Paths are relative to the working directory, so that a project may be moved.

    Args:
        modules: dotted names, such as ``paretoken.commands.fit``.

    Raises:
        ValueError: a name is no module of this package.
    """
    found: set[Path] = set()
    waiting = [_file(module) for module in modules]
    if None in waiting:
        raise ValueError(f"no module of this package among {modules}")
    while waiting:
        path = waiting.pop()
        if path and path not in found and path != REGISTRY:
            found.add(path)
            waiting += [_file(name) for name in _imports(path)]
    return sorted(os.path.relpath(path) for path in found)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a module, without those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        yield node
        yield from _nodes(node)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.startswith("paretoken"))


def data_files(package: str) -> list[str]:
    """Return the files of a package's ``assets`` folder, relative to the working directory, sorted.

    Args:
        package: its dotted name, such as ``paretoken.report``.
    """
    folder = ROOT.joinpath(*package.split("."), "assets")
    return sorted(os.path.relpath(path) for path in folder.iterdir())


@cache
def _file(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
