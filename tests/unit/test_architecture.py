"""Who may import whom, read from the imports themselves."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from paretoken.registry import BENCHMARKS, CLAIMS, COMPRESSORS, COST_MODELS, FIGURES, LAWS

SOURCE = Path(__file__).parents[2] / "src"
PACKAGE = SOURCE / "paretoken"

#: The packages and modules at the top, from the one that imports nothing of this project to the one that
#: imports everything: each may import those before it. What is in them: docs/architecture.md.
ORDER = [
    *("errors", "io", "registry", "compressors", "config", "study", "costs"),
    *("model_files", "data", "models", "hub", "evaluate", "world", "train"),
    *("plan", "feasibility", "workflow", "slurm", "jobs"),
    *("analysis", "figures", "report", "help", "cli", "commands"),
]
#: File names that are conventions and therefore occur in several packages.
CONVENTIONAL = {"__init__.py", "base.py"}


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


def test_every_package_has_its_place_in_the_order() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith("__")}
    assert found == set(ORDER)


def test_the_page_on_architecture_lists_the_packages_in_their_order() -> None:
    page = (SOURCE.parent / "docs" / "architecture.md").read_text()
    table = page.partition("## Packages")[2].partition("## Decisions")[0]
    firsts = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [name.strip("/") for cell in firsts for name in re.findall(r"`([\w/]+)`", cell)] == ORDER


@pytest.mark.parametrize("part", ORDER)
def test_dependencies_point_one_way(part: str) -> None:
    later = ORDER[ORDER.index(part) + 1 :]
    wrong = {
        (str(path.relative_to(PACKAGE)), name)
        for path in _files(part)
        for name in _modules(path)
        if name.startswith("paretoken.") and name.split(".")[1] in later
    }
    assert not wrong


def test_file_names_do_not_repeat() -> None:
    """A subcommand's file may be called like the module whose work it does."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "commands"]
    names = Counter(path.name for path in paths)
    assert {name for name, count in names.items() if count > 1} <= CONVENTIONAL


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


@pytest.mark.parametrize("part", ["analysis", "costs", "figures", "report"])
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
    "import paretoken.config, paretoken.study.grid, paretoken.study.code_files": (
        "numpy",
        "pandas",
        "torch",
    ),
    "import paretoken.feasibility.examine": ("numpy", "pandas", "matplotlib", "torch"),
    "paretoken.cli.main(['check'])": ("numpy", "pandas", "torch"),
    "import paretoken.workflow.table_rules, paretoken.workflow.source_rules": (
        "numpy",
        "pandas",
        "torch",
    ),
    "import paretoken.plan.resources": ("numpy", "pandas", "torch"),
    "[each.load(n) for each in (COMPRESSORS, BENCHMARKS) for n in each]": ("numpy", "pandas", "torch"),
    "import paretoken.commands.plan": ("numpy", "pandas", "torch"),
    "import paretoken.commands.status": ("numpy", "pandas", "torch"),
    "import paretoken.commands.shapes": ("numpy", "pandas", "torch"),
    "import paretoken.commands.latency": ("numpy", "pandas", "torch"),
    "import paretoken.config.devices, paretoken.costs.gpu_memory": ("torch", "transformers", "pandas"),
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
