"""The shipped SLURM profile, planned without a cluster: its groups must suit every study."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml

from feasible_studies import found, lacking
from paretoken.config.config import parse
from project_copy import Project

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
PROFILE = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
GROUPED = {entry.partition("=")[0] for entry in PROFILE["groups"]}


def small(study: dict[str, Any]) -> dict[str, Any]:
    """Return a study of the same rules with one seed, two token counts and one benchmark of each suite.

    Figures and claims that need more than that are left out.
    """
    cut = copy.deepcopy(study)
    for compressor in cut["compressors"] if "training" in cut else []:
        compressor["tokens"] = compressor["tokens"][:2]
    for suite in cut["suites"]:
        if "benchmarks" in suite:
            suite["benchmarks"] = suite["benchmarks"][:1]
    kept = {name for suite in cut["suites"] for name in suite.get("benchmarks", [])}
    training = cut.get("training", {})
    if "benchmarks" in training:
        training["benchmarks"] = [own for own in training["benchmarks"] if own["name"] in kept]
    cut |= {"seeds": cut["seeds"][:1]} if "seeds" in cut else {}
    missing = lacking(found(parse({**CONFIG, "run": [cut["name"]], "studies": [cut]})))
    for key in {"figures", "claims"} & set(cut):
        cut[key] = [name for name in cut[key] if name not in missing]
    return cut


def test_every_study_can_be_planned_with_the_groups_of_the_profile(fresh: Project) -> None:
    """Snakemake refuses a group that something outside of it needs and is needed by."""
    studies = [small(study) for study in CONFIG["studies"]]
    content = {"run": [study["name"] for study in studies], "studies": studies}
    (fresh.folder / "all.yaml").write_text(yaml.safe_dump(content))
    jobs = fresh.dry_run("--workflow-profile", "profiles/slurm", "--configfile", "all.yaml")
    grouped = re.findall(r"^    rule (\w+):$", jobs.text, flags=re.MULTILINE)
    assert {*grouped} == GROUPED, "a group names a rule that no study has"
    asked = re.findall(r"^        resources: (.*)$", jobs.text, flags=re.MULTILINE)
    assert len(asked) == len(grouped)
    assert not any("gpus=" in line for line in asked), "jobs of a group would add up their GPUs"
