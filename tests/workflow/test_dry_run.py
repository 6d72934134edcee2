"""Which jobs a config asks for."""

from __future__ import annotations

from pathlib import Path

import yaml

from project_copy import Project

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())


def test_the_published_study_is_one_job_per_cell_and_fit(fresh: Project) -> None:
    rules = fresh.dry_run("--config", "run=[published]").rules
    study = next(s for s in CONFIG["studies"] if s["name"] == "published")
    laws, suites = len(study["fit"]["laws"]), len(study["suites"])
    assert rules["measured_cell"] == 4 * 7
    assert rules["fit"] == laws * suites * 2 + suites  # with and without flagged cells; the paper's grid
    assert rules["figure"] == len(study["figures"])
    once = ("aggregate", "claims", "summary", "report", "shapes")
    assert {name: rules[name] for name in once} == dict.fromkeys(once, 1)
    assert not {*rules} & {"pretrain", "finetune", "predict", "score", "cell_scores", "scores"}
    assert not any(name.startswith(("fetch", "questions", "world")) for name in rules)


def test_run_accepts_one_name_without_brackets(fresh: Project) -> None:
    target = "results/published/runs/qwen1.5-4b/tokenpacker-1/s0/errors.csv"
    assert fresh.dry_run("--config", "run=published", "--", target).rules["measured_cell"] == 1


def test_a_bad_selection_is_refused_with_exit_code_2(fresh: Project) -> None:
    done = fresh.snakemake("--dry-run", "--config", "run=[absent]", "rum=1")
    assert done.returncode == 2
    for message in ("unknown study 'absent'; write one of: published", "unknown key 'rum'"):
        assert message in done.stderr
    assert "Traceback" not in done.stderr
