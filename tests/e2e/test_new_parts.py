"""What CONTRIBUTING says of adding a part, done to a copy of the project.

A compressor, which takes two files and a line, is planned, trained and reported; a benchmark, one file
and a line, is planned and scored.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from project_copy import Project, copy_project
from smoke_study import SOURCES, STUDY, write_recipes, write_study

pytestmark = pytest.mark.slow

SPECIFICATION = '''
"""Each region's patches, weighted by a gate that learns."""

from paretoken.compressors.reach import square_regions
from paretoken.compressors.specification import Products, Specification


def _products(sizes):
    return Products(first=sizes.patches * sizes.joined, attention=sizes.patches * sizes.joined)


GATED = Specification(
    name="gated",
    title="Gated & pooled",
    source="this test",
    module="paretoken.compressors.gated_module:Gated",
    reach=square_regions,
    parameters=lambda sizes: sizes.joined + 1,
    products=_products,
)
'''
MODULE = '''
"""The gate."""

from torch import nn

from paretoken.compressors.base import Compressor, regions


class Gated(Compressor):
    """Weighted means of regions."""

    def __init__(self, layout, tokens):
        super().__init__(layout, tokens)
        self.width = layout.joined_width
        self.gate = nn.Linear(self.width, 1)

    def forward(self, features):
        patches = self.joined(features)
        side = self.layout.side
        weight = regions(self.gate(patches), side, self.region).softmax(2).transpose(2, 3)
        return (weight @ regions(patches, side, self.region)).squeeze(2)
'''
BENCHMARK = '''
"""The colour of a thing."""

from paretoken.evaluate.benchmarks.base import Benchmark, HubData


def score(row):
    return float(row["prediction"].strip().lower() == row["answer"])


def prompt(row):
    return row["question"]


COLOURS = Benchmark(
    name="colours",
    metric="accuracy",
    score=score,
    source="this test",
    columns=("answer",),
    hub=HubData("nobody/colours", "test", columns=("question",)),
    prompt=prompt,
    questions=400,
)
'''
#: What stands in the registry, and the line that is added behind it.
LINES = {
    '    ("none", "paretoken.compressors.none:NONE"),\n': (
        '    ("gated", "paretoken.compressors.gated:GATED"),\n'
    ),
    '    ("mme", "paretoken.evaluate.benchmarks.mme:MME"),\n': (
        '    ("colours", "paretoken.evaluate.benchmarks.colours:COLOURS"),\n'
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Project:
    """A copy of the project with the new parts, and a study of the compressor."""
    made = copy_project(tmp_path_factory.mktemp("gated"), warm)
    package = made.folder / "src" / "paretoken"
    (package / "compressors" / "gated.py").write_text(SPECIFICATION)
    (package / "compressors" / "gated_module.py").write_text(MODULE)
    (package / "evaluate" / "benchmarks" / "colours.py").write_text(BENCHMARK)
    registry = package / "registry.py"
    text = registry.read_text()
    for line, added in LINES.items():
        assert text.count(line) == 1
        text = text.replace(line, line + added)
    registry.write_text(text)
    write_recipes(made.folder)
    training = STUDY["training"] | {"whiten": False, "blind": []}
    compressors = [{"name": "gated", "tokens": [4]}, {"name": "average_pool", "tokens": [4]}]
    study = STUDY | {"training": training, "llms": ["miniature-16"], "compressors": compressors}
    write_study(
        made.folder, "gated.yaml", study | {"fit": {"laws": []}, "figures": ["methods"], "claims": []}
    )
    return made


def paretoken(project: Project, *words: str) -> str:
    command = [str(Path(project.python).parent / "paretoken"), *words]
    own = os.environ | {"PYTHONPATH": str(project.folder / "src")}
    done = subprocess.run(
        command, cwd=project.folder, env=own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def plan(project: Project, study: dict[str, Any]) -> list[dict[str, str]]:
    """Return the plan of a study in the shipped config, which commands take whole."""
    shipped = yaml.safe_load((project.folder / "config.yaml").read_text())
    made = SOURCES if study["name"] == STUDY["name"] else {}
    config = shipped | {"run": [study["name"]], "studies": [study], **made}
    (project.folder / "whole.yaml").write_text(yaml.safe_dump(config))
    paretoken(project, "check", "--config", "whole.yaml")
    asked = ("--study", study["name"], "--config", "whole.yaml", "--format", "csv")
    return list(csv.DictReader(io.StringIO(paretoken(project, "plan", *asked))))


def test_a_compressor_is_planned(project: Project) -> None:
    (study,) = yaml.safe_load((project.folder / "gated.yaml").read_text())["studies"]
    rows = [row for row in plan(project, study) if row["compressor"] == "gated"]
    assert {row["stage"] for row in rows} == {"pretrain", "finetune", "predict"}


def test_a_benchmark_is_planned_and_scored(project: Project) -> None:
    raw = yaml.safe_load((project.folder / "config.yaml").read_text())
    (paper,) = (study for study in raw["studies"] if study["name"] == "paper")
    paper |= {"suites": [paper["suites"][0] | {"benchmarks": ["colours"]}], "figures": [], "claims": []}
    rows = [row for row in plan(project, paper) if row["stage"] == "predict"]
    assert {row["conversations"] for row in rows} == {"400"}
    answered = [("Red", "red"), ("blue", "green"), ("grey ", "grey"), ("", "red")]
    lines = [
        json.dumps({"question_id": str(number), "prediction": said, "answer": right})
        for number, (said, right) in enumerate(answered)
    ]
    (project.folder / "answers.jsonl").write_text("\n".join(lines))
    words = ("--benchmark", "colours", "--predictions", "answers.jsonl", "--out", "score.json")
    paretoken(project, "score", *words)
    assert json.loads((project.folder / "score.json").read_text())["score"] == 0.5


def test_a_compressor_is_trained_and_reported_beside_another(project: Project) -> None:
    done = project.snakemake("--configfile", "gated.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    results = project.folder / "results" / "smoke"
    adapters = {}
    for name in ("gated", "average_pool"):
        record = json.loads(
            (
                results / "runs" / "miniature-16" / f"{name}-4" / "s3" / "pretrain" / "run.json"
            ).read_text()
        )
        adapters[name] = record["parameters"]["adapter"]
    vision = json.loads((results / "sources" / "s3" / "vision" / "config.json").read_text())
    joined = len(STUDY["training"]["layers"]) * vision["hidden_size"]
    assert adapters["gated"] == adapters["average_pool"] + joined + 1
    scores = pd.read_csv(results / "tables" / "scores.csv")
    assert set(scores["compressor"]) == {"gated", "average_pool"}
    assert "gated" in (results / "methods.md").read_text()
    assert (results / "figures" / "methods.png").stat().st_size > 10_000
    assert "gated" in (results / "report.html").read_text()


def test_an_edit_of_it_redraws_costs_and_trains_nothing(project: Project) -> None:
    """Last: it stands on the finished study."""
    with project.with_added("src/paretoken/compressors/gated.py", "# edited"):
        rules = project.dry_run("--configfile", "gated.yaml").rules
    assert rules["shapes"] == rules["report"] == 1
    assert not {*rules} & {"pretrain", "finetune", "predict", "aggregate"}
    with project.with_added("src/paretoken/compressors/quecc.py", "# not in the study"):
        assert not project.dry_run("--configfile", "gated.yaml").rules
