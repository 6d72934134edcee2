"""The source files that a module depends on, so that a cheap rule reruns when one of them changes.

Snakemake does not see edits to modules that a shell command imports, so cheap rules list these files
as inputs. Snakemake compares checksums of small files, so touching a file does not rerun a rule.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Not followed, since a new law must not refit the others; rules name the modules that they use.
REGISTRY = ROOT / "paretoken" / "registry.py"
#: An import from this package, at any indentation, as the formatter writes it.
IMPORT = re.compile(
    r"^ *(?:from|import) (paretoken(?:\.\w+)*)(?: as \w+)?(?: import (\([^)]*\)|.*))? *$", re.MULTILINE
)
#: Docstrings, comments, and imports that only a type checker sees.
NO_CODE = re.compile(r'"""(?:.|\n)*?"""|#.*|^( *)if TYPE_CHECKING:.*\n(?:\1 +.*\n|\n)*', re.MULTILINE)


def sources(*modules: str) -> list[str]:
    """Return the files of ``modules`` and of all that they import from this package, sorted.

    Paths are relative to the working directory, so that a project can be moved.

    Args:
        modules: dotted names, such as ``paretoken.commands.fit``.

    Raises:
        ValueError: a name is not a module of this package.
    """
    return list(_listed(modules, Path.cwd()))


@cache
def _listed(modules: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    files = [_file(module) for module in modules]
    if None in files:
        raise ValueError(f"no module of this package among {modules}")
    found = {path for file in files if file for path in _closure(file)}
    return tuple(sorted(os.path.relpath(path, folder) for path in found))


@cache
def _closure(start: Path) -> frozenset[Path]:
    """Return a file and all files that it imports from this package, directly or indirectly."""
    found: set[Path] = set()
    waiting: list[Path | None] = [start]
    while waiting:
        path = waiting.pop()
        if path and path not in found and path != REGISTRY:
            found.add(path)
            waiting += [_file(name) for name in _imports(path)]
    return frozenset(found)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Return the dotted names that a file imports from this package, except for type checking.

    The text is searched, because parsing all files would take longer than planning a small study.
    """
    found: list[str] = []
    for module, names in IMPORT.findall(NO_CODE.sub("", path.read_text(encoding="utf-8"))):
        listed = re.findall(r"(\w+)(?: as \w+)?", names)
        found += [module, *(f"{module}.{name}" for name in listed)]
    return tuple(found)


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
