"""Starts the cluster, once per process of tests; skipped where there is no SLURM, never in CI."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cells import Cells
from lab import Lab, missing

#: Processes of pytest-xdist have a cluster each.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
#: Below the ports that the kernel gives to clients.
PORT = 17_000 + 400 * WORKER + os.getpid() % 40 * 10


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here takes seconds."""
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.slow)


def demand(accounting: bool = False) -> None:
    """Skip where no cluster can be started; fail if that is in CI."""
    reason = missing(accounting)
    if not reason and find_spec("snakemake_executor_plugin_slurm") is None:
        reason = "the SLURM executor is not installed: pip install -c constraints.txt -e '.[slurm]'"
    if reason and os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"in CI the cluster is tested: {reason}")
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cluster without accounting."""
    demand()
    yield from running(Lab(tmp_path_factory.mktemp("slurm"), PORT))


@pytest.fixture(scope="module")
def accounting_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cluster with a database of accounts, which soon forgets jobs otherwise."""
    demand(accounting=True)
    settings = {"ACCOUNTING": "1", "MIN_JOB_AGE": "2"}
    yield from running(Lab(tmp_path_factory.mktemp("slurm-accounting"), PORT + 200, settings))


def running(lab: Lab) -> Iterator[Lab]:
    """Start a cluster, and stop it in the end."""
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


@pytest.fixture
def make_cells(tmp_path: Path) -> Iterator[Callable[..., Cells]]:
    """Return how to make a project of cells."""
    made: list[Cells] = []

    def make(
        lab: Lab, cells: Mapping[str, Any], commands: str = "sleep 1", folder: str = "cells"
    ) -> Cells:
        made.append(Cells(tmp_path / folder, lab, cells, commands))
        return made[-1]

    yield make
    for project in made:
        project.lab.clear()
