"""Which files of this package a module is made of, so that a cheap rule reruns when one changes.

Snakemake does not see edits to modules that a shell command imports; cheap rules therefore list
these files as inputs. Snakemake compares checksums of small files, so touching one changes nothing.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent


def sources(*modules: str) -> list[str]:
    """Return the files behind ``modules`` and all that they import from this package, sorted.

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
        if path and path not in found:
            found.add(path)
            waiting += [_file(name) for name in _imports(path)]
    return sorted(str(path) for path in found)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.startswith("paretoken"))


@cache
def _file(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
