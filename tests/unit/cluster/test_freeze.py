"""What a launch copies, and what it links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paretoken.cluster import freeze as module
from paretoken.cluster.freeze import belongs_to, freeze, in_launch, remove_old


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("workflow/recipes", "data/images", ".snakemake", "src/paretoken/__pycache__", "hub"):
        (folder / name).mkdir(parents=True)
    (folder / "config.yaml").write_text("run: [a]")
    (folder / "workflow/recipes/a.yaml").write_text("steps: 1")
    (folder / "data/images/1.png").write_bytes(b"x")
    return folder


def test_settings_are_copied_with_their_times_and_data_is_linked(project: Path) -> None:
    os.utime(project / "config.yaml", (1000, 1000))
    launch = project / ".snakemake" / "launches" / "1"
    freeze(project, launch)
    (project / "config.yaml").write_text("run: [b]")
    (project / "workflow/recipes/a.yaml").write_text("steps: 2")
    assert (launch / "config.yaml").read_text() == "run: [a]"
    assert (launch / "config.yaml").stat().st_mtime == 1000
    assert (launch / "workflow/recipes/a.yaml").read_text() == "steps: 1"
    for name in ("results", "data", ".snakemake"):
        assert (launch / name).resolve() == (project / name).resolve()
    assert not (launch / "src/paretoken/__pycache__").exists()
    assert [path.name for path in launch.parent.iterdir()] == ["1"]


@pytest.mark.parametrize("limit", ["FILES", "BYTES"])
def test_large_folders_are_linked(project: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(module, limit, 100 if limit == "BYTES" else 3)
    for number in range(5):
        (project / "hub" / str(number)).write_bytes(b"x" * 30)
    launch = project / ".snakemake" / "launches" / "1"
    freeze(project, launch)
    assert (launch / "hub").is_symlink()
    assert not (launch / "workflow").is_symlink()


def test_files_of_the_project_are_found_in_the_launch(project: Path, tmp_path: Path) -> None:
    launch = project / ".snakemake" / "launches" / "1"
    assert in_launch(project / "smoke.yaml", project, launch) == launch / "smoke.yaml"
    elsewhere = tmp_path / "other.yaml"
    assert in_launch(elsewhere, project, launch) == elsewhere


def test_launches_without_jobs_are_removed(project: Path) -> None:
    launches = project / ".snakemake" / "launches"
    for name in ("1", "2"):
        (launches / name).mkdir(parents=True)
    remove_old(launches, [launches / "2"])
    assert [path.name for path in launches.iterdir()] == ["2"]
    remove_old(project / "absent", [])


def test_jobs_of_a_project_are_those_of_its_launches_too(project: Path, tmp_path: Path) -> None:
    assert belongs_to(project, project)
    assert belongs_to(project / ".snakemake" / "launches" / "1", project)
    assert not belongs_to(tmp_path / "project2", project)
    assert not belongs_to(tmp_path, project)
