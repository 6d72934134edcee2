"""Copies of the project: fresh, finished, and with the smoke study."""

from __future__ import annotations

import pytest

from project_copy import Project, copy_project
from smoke_study import write_smoke

__all__ = ["SMALL", "Project"]

#: A study of six cells and one law: everything that the full one has, in seconds.
SMALL = """
run: [small]
studies:
  - name: small
    question: Does a small study run?
    measured: workflow/reference/published_errors.csv
    vision: clip-vit-l-14-336
    llms: [qwen1.5-0.5b, qwen1.5-4b, qwen1.5-7b]
    compressors: [{name: tokenpacker, tokens: [1, 16, 576]}]
    suites: [{name: visual_reasoning, title: Visual reasoning, role: reasoning}]
    predict: [qwen1.5-14b]
    text_tokens: [0, 50]
    fit: {laws: [product], bootstrap: 20}
    figures: [fig1a]
    published: {values: workflow/reference/published_values.csv}
    claims: [five_times_faster, visual_alpha]
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which nothing has run."""
    return copy_project(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which the small study has run."""
    project = copy_project(tmp_path_factory.mktemp("finished"))
    (project.folder / "small.yaml").write_text(SMALL)
    done = project.snakemake("--configfile", "small.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture(scope="module")
def smoke_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with the smoke study's config and recipes, in which nothing has run."""
    project = copy_project(tmp_path_factory.mktemp("smoke"))
    write_smoke(project.folder)
    return project
