"""What a change makes stale, and what it leaves alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from paretoken.io.partial import PARTIAL
from paretoken.study.code_files import data_files
from project_copy import Project
from report_study import latency_table
from small_study import SMALL

pytestmark = pytest.mark.slow
SMALL_CONFIG = ("--configfile", "small.yaml")
CHEAP = {
    "fit": 3,
    "frontier": 1,
    "tables": 1,
    "claims": 1,
    "figure": 1,
    "summary": 1,
    "report": 1,
}


def test_a_finished_study_has_nothing_to_do(finished: Project) -> None:
    assert not finished.dry_run(*SMALL_CONFIG).rules


def test_results_are_complete(finished: Project) -> None:
    results = finished.folder / "results" / "small"
    errors = pd.read_csv(results / "tables" / "errors.csv")
    assert len(errors) == 9
    assert "holds" in (results / "claims.md").read_text()
    assert "alpha" in (results / "summary.md").read_text()
    assert (results / "figures" / "fig1a.png").stat().st_size > 10_000
    assert {path.name.split(".")[-2] for path in results.rglob(".*")} == {
        "progress"
    }  # nothing temporary


def test_touching_a_source_changes_nothing(finished: Project) -> None:
    for path in (finished.folder / "src").rglob("*.py"):
        os.utime(path)
    assert not finished.dry_run(*SMALL_CONFIG).rules


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        ("analysis/laws/product.py", CHEAP),
        ("analysis/frontier.py", {"frontier": 1, "claims": 1, "figure": 1, "summary": 1, "report": 1}),
        ("costs/models/flops.py", {"frontier": 1, "figure": 1, "report": 1}),
        ("report/explorer.py", {"report": 1}),
        ("figures/cost_curves.py", {"figure": 1, "summary": 1}),
        ("analysis/claims/exponents.py", {"claims": 1, "summary": 1}),
        ("compressors/tokenpacker.py", {"shapes": 1, "frontier": 1, "report": 1}),
    ],
)
def test_editing_a_source_reruns_what_is_made_of_it(
    finished: Project, module: str, rules: dict[str, int]
) -> None:
    with finished.with_added(f"src/paretoken/{module}", "# edited"):
        jobs = finished.dry_run(*SMALL_CONFIG).rules
    assert "measured_cell" not in jobs
    assert rules.items() <= dict(jobs).items()


@pytest.mark.parametrize("module", ["compressors/quecc.py", "compressors/tokenpacker_module.py"])
def test_what_a_measured_study_does_not_use_reruns_nothing(finished: Project, module: str) -> None:
    with finished.with_added(f"src/paretoken/{module}", "# edited"):
        assert not finished.dry_run(*SMALL_CONFIG).rules


def test_a_new_size_runs_its_own_cells_only(finished: Project) -> None:
    config = yaml.safe_load(SMALL)
    config["studies"][0]["llms"].append("qwen1.5-1.8b")
    (finished.folder / "larger.yaml").write_text(yaml.safe_dump(config))
    jobs = finished.dry_run("--configfile", "larger.yaml")
    assert jobs.wildcards("llm") == {"qwen1.5-1.8b": 3}
    assert jobs.rules["measured_cell"] == 3
    assert jobs.rules["aggregate"] == 1


def test_a_new_token_count_runs_its_own_cells_only(finished: Project) -> None:
    config = yaml.safe_load(SMALL)
    config["studies"][0]["compressors"][0]["tokens"].append(64)
    (finished.folder / "finer.yaml").write_text(yaml.safe_dump(config))
    assert finished.dry_run("--configfile", "finer.yaml").wildcards("tokens") == {"64": 3}


def test_a_cell_taken_out_leaves_the_table(finished: Project, tmp_path: Path) -> None:
    config = yaml.safe_load(SMALL)
    config["studies"][0]["compressors"][0]["tokens"] = [1, 576]
    copied = Project(shutil.copytree(finished.folder, tmp_path / "copy"), finished.python)
    assert not copied.dry_run(*SMALL_CONFIG).rules
    (copied.folder / "fewer.yaml").write_text(yaml.safe_dump(config))
    done = copied.snakemake("results/small/tables/errors.csv", "--configfile", "fewer.yaml")
    assert done.returncode == 0, done.stderr
    errors = pd.read_csv(copied.folder / "results/small/tables/errors.csv")
    assert sorted(set(errors["visual_tokens"])) == [1, 576]


def test_a_cell_without_measurement_says_what_is_missing(finished: Project) -> None:
    config = yaml.safe_load(SMALL)
    config["studies"][0]["llms"].append("qwen1.5-14b")
    config["studies"][0]["predict"] = []
    (finished.folder / "unmeasured.yaml").write_text(yaml.safe_dump(config))
    target = "results/small/runs/qwen1.5-14b/tokenpacker-1/s0/errors.csv"
    done = finished.snakemake(target, "--configfile", "unmeasured.yaml")
    assert done.returncode == 2
    assert "has no row with llm = qwen1.5-14b" in done.stdout + done.stderr
    assert not (finished.folder / target).exists()


def test_a_new_figure_draws_itself_only(finished: Project) -> None:
    config = yaml.safe_load(SMALL)
    config["studies"][0]["figures"].append("profile")
    (finished.folder / "figures.yaml").write_text(yaml.safe_dump(config))
    rules = finished.dry_run("--configfile", "figures.yaml").rules
    assert rules == {"figure": 1, "summary": 1, "report": 1, "all": 1}


def test_a_new_line_in_the_registry_reruns_nothing(finished: Project) -> None:
    with finished.with_added("src/paretoken/registry.py", "# a new law"):
        assert not finished.dry_run(*SMALL_CONFIG).rules


def test_a_killed_run_goes_on_with_the_same_command(finished: Project) -> None:
    """Without the Python that starts warm: a user's processes, to the end of the study."""
    finished = Project(finished.folder)
    shutil.rmtree(finished.folder / "results" / "small")
    running = finished.start(*SMALL_CONFIG)
    deadline = time.monotonic() + 120
    while not list((finished.folder / ".snakemake" / "locks").glob("*")):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = finished.snakemake(*SMALL_CONFIG)  # while the first one lives, it is refused
    assert second.returncode == 1
    assert "cannot be locked" in second.stderr
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    done = finished.snakemake(*SMALL_CONFIG)
    assert done.returncode == 0, done.stderr
    assert not finished.dry_run(*SMALL_CONFIG).rules
    results = finished.folder / "results"
    hidden = {path.name.split(".")[-2] for path in (results / "small").rglob(".*")}
    assert hidden == {"progress"}
    assert not list(results.rglob(f"{PARTIAL}*"))


def test_editing_a_part_of_the_page_makes_the_page_anew(finished: Project) -> None:
    names = {Path(path).name for path in data_files("paretoken.report")}
    assert {"page.css", "explorer.js", "page.html.j2"} <= names
    with finished.with_added("src/paretoken/report/assets/explorer.js", ""):
        jobs = finished.dry_run(*SMALL_CONFIG).rules
    assert jobs == {"report": 1, "all": 1}


def test_a_latency_table_or_price_redraws_what_shows_costs_and_refits_nothing(finished: Project) -> None:
    config = yaml.safe_load(SMALL)
    config["studies"][0] |= {"latency": "latency.csv", "price_per_hour": 2}
    latency_table(finished.folder / "latency.csv")
    (finished.folder / "timed.yaml").write_text(yaml.safe_dump(config))
    rules = finished.dry_run("--configfile", "timed.yaml").rules
    assert rules == {"frontier": 1, "report": 1, "all": 1}


#: Runs a command in which every connection to a name is refused: the report must not ask for anything.
OFFLINE = """
import runpy, socket, sys
def refuse(*arguments, **options): raise OSError("no network in this test")
socket.getaddrinfo = socket.create_connection = refuse
sys.argv = ["snakemake", *sys.argv[1:]]
runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("name", ["bundle.html", "bundle.zip"])
def test_snakemakes_own_report_has_captions_and_categories_and_needs_no_network(
    finished: Project, name: str
) -> None:
    arguments = [sys.executable, "-c", OFFLINE, "--cores", "1", *SMALL_CONFIG, "--report", name]
    environment = os.environ | {"PYTHONPATH": str(finished.folder / "src")}
    done = subprocess.run(
        arguments, cwd=finished.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    path = finished.folder / name
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as bundle:
            names = bundle.namelist()
            index = next(n for n in names if n.endswith("report.html") and "data" not in n)
            page = bundle.read(index).decode()
            assert any(n.endswith("fig1a.png") for n in names)
    else:
        page = path.read_text()
    for part in ("fig1a", "claims", "small", "what it shows and how", "tested on the study", "explorer"):
        assert part in page, part
