"""Which jobs a config asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import Project

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())


def test_the_published_study_is_one_job_per_cell_and_fit(fresh: Project) -> None:
    rules = fresh.dry_run("--config", "run=[published]").rules
    study = next(s for s in CONFIG["studies"] if s["name"] == "published")
    laws, suites = len(study["fit"]["laws"]), len(study["suites"])
    assert rules["measured_cell"] == 4 * 7
    assert rules["fit"] == laws * suites * 2  # with and without flagged cells
    assert rules["paper_grid"] == suites
    assert rules["figure"] == len(study["figures"])
    once = ("aggregate", "claims", "summary", "report", "shapes")
    assert {name: rules[name] for name in once} == dict.fromkeys(once, 1)


def test_run_accepts_one_name_without_brackets(fresh: Project) -> None:
    assert fresh.dry_run("--config", "run=published").rules["measured_cell"] == 28


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "run=[absent]"], "'absent' is no study; write one of: published"),
        (["--config", "run=[]"], "run = []: is empty"),
        (["--config", "rum=1"], "'rum' is no key here"),
    ],
)
def test_a_bad_selection_is_refused_with_exit_code_2(
    fresh: Project, arguments: list[str], message: str
) -> None:
    done = fresh.snakemake("--dry-run", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_lint_finds_nothing(fresh: Project) -> None:
    done = fresh.snakemake("--lint")
    assert done.returncode == 0, done.stderr
