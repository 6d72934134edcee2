"""Who may import whom, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from paretoken.registry import CLAIMS, COST_MODELS, FIGURES, LAWS

SOURCE = Path(__file__).parents[2] / "src"
PACKAGE = SOURCE / "paretoken"

#: Part of the house -> parts of this package that it may not import.
FORBIDDEN = {
    "analysis": ("figures", "report", "commands", "cli"),
    "figures": ("report", "commands", "cli"),
    "report": ("commands", "cli"),
    "config": ("analysis", "figures", "records", "report", "commands", "cli"),
    "grid": ("analysis", "figures", "records", "report", "commands", "cli"),
    "measured": ("analysis", "figures", "records", "report", "commands", "cli"),
    "scored": ("analysis", "figures", "records", "report", "commands", "cli"),
    "cost": ("analysis", "figures", "records", "report", "commands", "cli"),
    "cost_models": ("analysis", "figures", "report", "commands", "cli"),
    "cost_memory": ("analysis", "figures", "records", "report", "commands", "cli"),
    "planning": ("analysis", "figures", "records", "report", "progress", "commands", "cli"),
    "feasibility": ("analysis", "figures", "records", "report", "progress", "commands", "cli"),
    "progress": ("analysis", "figures", "records", "report", "commands", "cli"),
}


def _modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def _files(part: str) -> list[Path]:
    folder = PACKAGE / part
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{part}.py"]


@pytest.mark.parametrize("part", FORBIDDEN)
def test_dependencies_point_one_way(part: str) -> None:
    wrong = {
        (path.name, name)
        for path in _files(part)
        for name in _modules(path)
        for other in FORBIDDEN[part]
        if name == f"paretoken.{other}" or name.startswith(f"paretoken.{other}.")
    }
    assert not wrong


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_nothing_in_src_imports_snakemake_and_nothing_but_the_cli_imports_commands(path: Path) -> None:
    modules = _modules(path)
    assert not {name for name in modules if name.partition(".")[0] == "snakemake"}
    if path.parent.name != "commands":
        assert not {name for name in modules if name.startswith("paretoken.commands")}


@pytest.mark.parametrize("part", ["analysis", "cost_models", "figures", "report"])
def test_the_analysis_half_never_imports_torch(part: str) -> None:
    heavy = {"torch", "transformers", "datasets", "accelerate"}
    assert not {n for path in _files(part) for n in _modules(path) if n.partition(".")[0] in heavy}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import paretoken.config, paretoken.grid, paretoken.sources", ("numpy", "pandas", "torch")),
        ("import paretoken.commands.cell", ("numpy", "pandas", "pydantic", "torch")),
        ("import paretoken.commands.cell_scores", ("numpy", "pandas", "pydantic", "torch")),
        ("import paretoken.commands.score", ("torch", "transformers", "pandas")),
        ("import paretoken.commands.lmms_eval", ("torch", "transformers", "lmms_eval")),
        ("import paretoken.evaluate.lmms_plugin", ("torch", "transformers", "lmms_eval")),
        ("import paretoken.feasibility.examine", ("numpy", "pandas", "matplotlib", "torch")),
        ("import paretoken.cli; paretoken.cli.main(['check'])", ("numpy", "pandas", "torch")),
        ("import paretoken.planning.resources", ("numpy", "pandas", "torch")),
        ("import paretoken.commands.plan", ("numpy", "pandas", "torch")),
        ("import paretoken.commands.status", ("numpy", "pandas", "torch")),
        ("import paretoken.devices, paretoken.cost_memory", ("torch", "transformers", "pandas")),
        ("import paretoken.cli", ("numpy", "pandas", "pydantic", "torch")),
        ("import paretoken.commands.fit", ("matplotlib", "torch")),
        ("import paretoken.commands.recommend", ("matplotlib", "torch")),
        ("import paretoken.commands.shapes", ("numpy", "pandas", "torch")),
        ("import paretoken.commands.latency", ("numpy", "pandas", "torch")),
        ("import paretoken.commands.report", ("torch", "vl_convert")),
    ],
)
def test_start_up_is_lean(statement: str, absent: tuple[str, ...]) -> None:
    code = f"{statement}; import sys; print(*(m for m in {absent!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_every_registered_name_loads() -> None:
    for registry in (LAWS, FIGURES, CLAIMS, COST_MODELS):
        for name in registry:
            assert registry.load(name).name == name
