"""For all tests: their order, one thread, nothing left behind, no search for garbage in what stays."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from warm import warm_python

TESTS = Path(__file__).parent
# Two processes of tests on two cores: threads of libraries would only wait for each other. Children
# inherit this, and it is set before anything imports numpy or torch.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# Hundreds of children import this package; without its byte code each compiles it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what waits for a cluster take turns with what needs a processor; short files come last.

    Files go to processes of pytest-xdist in this order, each as soon as one of them has nothing to do.
    """
    kinds: dict[str, list[Path]] = {}
    for path in dict.fromkeys(item.path for item in items):
        kind = path.relative_to(TESTS).parts[0]
        kinds.setdefault(kind if kind in ("cluster", "unit") else "processor", []).append(path)
    order = {
        path: (kind == "unit", number / len(paths))
        for kind, paths in kinds.items()
        for number, path in enumerate(paths)
    }
    items.sort(key=lambda item: order[item.path])


def pytest_collection_finish() -> None:
    """Take what there is by now, 700,000 objects, out of the garbage collector's sight.

    It stays to the end, and every training run asks for a full collection, half a second each.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _environment_and_folder_stay() -> Iterator[None]:
    """Undo what a command that ran in this process set for itself: the next test is not to see it."""
    environment, folder = dict(os.environ), Path.cwd()
    yield
    os.chdir(folder)
    for name in {*os.environ} - {*environment}:
        del os.environ[name]
    os.environ.update(environment)


@pytest.fixture(scope="session")
def warm() -> Iterator[str]:
    """A Python whose imports are done."""
    with warm_python() as python:
        yield python
