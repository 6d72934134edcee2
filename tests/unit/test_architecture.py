"""Who may import whom, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from paretoken.registry import BENCHMARKS, CLAIMS, COMPRESSORS, COST_MODELS, FIGURES, LAWS

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
    "compressors": ("analysis", "figures", "records", "report", "planning", "commands", "cli"),
    "cost": ("analysis", "figures", "records", "report", "commands", "cli"),
    "cost_models": ("analysis", "figures", "report", "commands", "cli"),
    "cost_memory": ("analysis", "figures", "records", "report", "commands", "cli"),
    "planning": ("analysis", "figures", "records", "report", "progress", "commands", "cli"),
    "feasibility": ("analysis", "figures", "records", "report", "progress", "commands", "cli"),
    "progress": ("analysis", "figures", "records", "report", "commands", "cli"),
}


@cache
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


def test_nothing_in_src_imports_snakemake_and_nothing_but_the_cli_imports_commands() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 300
    wrong = {
        (path.relative_to(PACKAGE), name)
        for path in paths
        for name in _modules(path)
        if name.partition(".")[0] == "snakemake"
        or (name.startswith("paretoken.commands") and path.parent.name != "commands")
    }
    assert not wrong


@pytest.mark.parametrize("part", ["analysis", "cost_models", "figures", "report"])
def test_the_analysis_half_never_imports_torch(part: str) -> None:
    heavy = {"torch", "transformers", "datasets", "accelerate"}
    assert not {n for path in _files(part) for n in _modules(path) if n.partition(".")[0] in heavy}


#: What is imported, or run, and what that must not import; the leanest first, as all are tried one after
#: the other in one process.
LEAN = {
    "import paretoken.cli": ("numpy", "pandas", "pydantic", "torch", "snakemake"),
    "paretoken.cli.main(['--help'])": ("numpy", "pandas", "pydantic", "torch", "snakemake"),
    "import paretoken.commands.cell": ("numpy", "pandas", "pydantic", "torch"),
    "import paretoken.commands.cell_scores": ("numpy", "pandas", "pydantic", "torch"),
    "import paretoken.config, paretoken.grid, paretoken.sources": ("numpy", "pandas", "torch"),
    "import paretoken.feasibility.examine": ("numpy", "pandas", "matplotlib", "torch"),
    "paretoken.cli.main(['check'])": ("numpy", "pandas", "torch"),
    "import paretoken.workflow.tables, paretoken.workflow.sources": ("numpy", "pandas", "torch"),
    "import paretoken.planning.resources": ("numpy", "pandas", "torch"),
    "[each.load(n) for each in (COMPRESSORS, BENCHMARKS) for n in each]": ("numpy", "pandas", "torch"),
    "import paretoken.commands.plan": ("numpy", "pandas", "torch"),
    "import paretoken.commands.status": ("numpy", "pandas", "torch"),
    "import paretoken.commands.shapes": ("numpy", "pandas", "torch"),
    "import paretoken.commands.latency": ("numpy", "pandas", "torch"),
    "import paretoken.devices, paretoken.cost_memory": ("torch", "transformers", "pandas"),
    "import paretoken.commands.score": ("torch", "transformers", "pandas"),
    "import paretoken.commands.lmms_eval": ("torch", "transformers", "lmms_eval"),
    "import paretoken.evaluate.lmms_plugin": ("torch", "transformers", "lmms_eval"),
    "import paretoken.commands.fit": ("matplotlib", "torch", "scipy"),
    "import paretoken.commands.frontier": ("matplotlib", "torch", "scipy"),
    "import paretoken.commands.recommend": ("matplotlib", "torch", "scipy"),
    "import paretoken.commands.claims": ("matplotlib", "torch", "scipy"),
    "import paretoken.commands.figure": ("torch", "scipy", "altair"),
    "import paretoken.commands.report": ("torch", "scipy", "vl_convert", "snakemake"),
}
TRY_ALL = f"""
import sys
from paretoken.registry import BENCHMARKS, COMPRESSORS
for statement, absent in {LEAN!r}.items():
    try:
        exec(statement)
    except SystemExit:
        pass
    if found := [name for name in absent if name in sys.modules]:
        sys.exit(f"{{statement}} imports {{found}}")
"""


def test_start_up_is_lean() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRY_ALL], cwd=SOURCE.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_registered_name_loads() -> None:
    for registry in (LAWS, FIGURES, CLAIMS, COST_MODELS, COMPRESSORS, BENCHMARKS):
        for name in registry:
            assert registry.load(name).name == name
