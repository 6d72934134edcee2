"""No file that a run writes, and nothing that it says, holds a secret of its environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paretoken.slurm.freeze import freeze
from project_copy import Project
from small_study import SMALL

pytestmark = pytest.mark.slow

#: Names of variables -> what they hold.
SECRETS = {
    name: f"s3cr3t-{number}-{name.lower()}-value"
    for number, name in enumerate(
        ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY",
         "WANDB_API_KEY", "GITHUB_TOKEN", "DB_PASSWORD")
    )
}  # fmt: skip


def holding(folder: Path, words: list[bytes]) -> list[str]:
    """Return the files below a folder that hold one of some words, in their content or name."""
    found = []
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes() + os.fsencode(path.relative_to(folder))
        if any(word in content for word in words):
            found.append(str(path.relative_to(folder)))
    return found


def test_no_file_of_a_run_holds_a_token_of_its_environment(
    fresh: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results, logs, benchmarks, Snakemake's own records, and the copy that a launch would make."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_ENDPOINT", "https://user:pa55-of-mirror@mirror.example")
    words = [value.encode() for value in (*SECRETS.values(), "pa55-of-mirror")]
    (fresh.folder / ".env").write_text(f"HF_TOKEN={SECRETS['HF_TOKEN']}\n")
    (fresh.folder / "small.yaml").write_text(SMALL)
    broken = SMALL.replace("measured: workflow/reference/published_errors.csv", "measured: absent.csv")
    (fresh.folder / "broken.yaml").write_text(broken.replace("small", "broken"))
    done = fresh.snakemake("--configfile", "small.yaml", "--printshellcmds", "--verbose")
    assert done.returncode == 0, done.stderr
    failed = fresh.snakemake("--configfile", "broken.yaml", "--printshellcmds", "--show-failed-logs")
    assert failed.returncode != 0
    freeze(fresh.folder, fresh.folder / "launch")
    written = list((fresh.folder / "results").rglob("*"))
    assert any(path.suffix == ".log" for path in written)
    assert any(path.suffix == ".tsv" for path in written), "benchmarks"
    assert list((fresh.folder / ".snakemake" / "log").iterdir())
    assert holding(fresh.folder, words) == [".env"]
    said = "".join((done.stdout, done.stderr, failed.stdout, failed.stderr)).encode()
    assert not [word for word in words if word in said]


def test_nothing_is_written_where_a_link_among_the_logs_leads(fresh: Project, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (fresh.folder / "linked.yaml").write_text(SMALL.replace("small", "linked"))
    logs = fresh.folder / "results" / "linked" / "logs"
    logs.mkdir(parents=True)
    (logs / "aggregate.log").symlink_to(victim)
    done = fresh.snakemake("--configfile", "linked.yaml")
    assert done.returncode == 2
    assert "aggregate.log is a link to" in done.stderr
    assert victim.read_text() == "precious"
