"""Copies of the project: fresh, finished, and with the smoke study."""

from __future__ import annotations

import pytest

from project_copy import Project, copy_project
from small_study import SMALL
from smoke_study import write_smoke


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Project:
    """A copy in which nothing has run."""
    return copy_project(tmp_path_factory.mktemp("fresh"), warm)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Project:
    """A copy in which the small study has run."""
    project = copy_project(tmp_path_factory.mktemp("finished"), warm)
    (project.folder / "small.yaml").write_text(SMALL)
    done = project.snakemake("--configfile", "small.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture(scope="module")
def smoke_project(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Project:
    """A copy with the smoke study's config and recipes, in which nothing has run."""
    project = copy_project(tmp_path_factory.mktemp("smoke"), warm)
    write_smoke(project.folder)
    return project
