"""One cell of the paper's study on the cluster: DeepSpeed on two nodes, by the shipped rules."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import ROOT, Lab
from projects import Folder

from in_process import paretoken
from paretoken.io.files import read_json
from project_copy import copy_project
from standins.study import HIDDEN, save_small_paper

LLM = "qwen1.5-0.5b"
CELL = f"results/paper/runs/{LLM}/tokenpacker-4/s0"
RECIPES = ROOT / "workflow" / "recipes"


def split_as_the_paper_does(folder: Path) -> None:
    """Give the stand-ins' recipes what they leave out: the paper's own DeepSpeed settings."""
    shutil.copytree(RECIPES / "deepspeed", folder / "deepspeed")
    for stage in ("pretrain", "finetune"):
        (own,) = yaml.safe_load_all((folder / f"{stage}.yaml").read_text())
        (shipped,) = yaml.safe_load_all((RECIPES / f"llava_{stage}.yaml").read_text())
        content = own | {"deepspeed": shipped["deepspeed"]}
        (folder / f"{stage}.yaml").write_text(yaml.safe_dump(content))


def prepare(folder: Path, config: dict[str, Any]) -> None:
    """Make all that the cell is trained from, as the rules before it would, in this process."""
    (study,) = config["studies"]
    (llm,) = (record for record in config["llms"] if record["name"] == LLM)
    (vision,) = config["vision"]
    (data,) = config["data"]
    made = folder / "results" / "paper" / "sources"
    origin = ["--source", llm["hub"], "--params", llm["params"], "--template", llm["template"]]
    paretoken("fetch", "--kind", "llm", *origin, "--out", made / "llms" / LLM)
    origin = ["--source", vision["hub"], "--params", vision["params"], "--grid", vision["grid"]]
    paretoken("fetch", "--kind", "vision", *origin, "--out", made / "vision")
    for stage, template in study["training"]["templates"].items():
        bad, out = ["--max-bad-share", data["max_bad_share"]], made / "data" / stage
        paretoken(
            *("data", "--manifest", data["manifest"], "--data-set", stage, "--root", data["root"]),
            *(*bad, "--out", out),
        )
        paretoken(
            *("tokenize", "--data", out / "conversations", "--skipped", out / "skipped.json"),
            *("--llm", made / "llms" / LLM, "--template", template, *bad),
            *("--out", made / "encoded" / stage / LLM),
        )


@pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
def test_a_cell_of_the_paper_is_trained_by_deepspeed_on_two_nodes(lab: Lab, tmp_path: Path) -> None:
    project = Folder(tmp_path / "project", lab)
    project.path.mkdir()
    copy_project(project.path)
    config = save_small_paper(project.path / "standins", project.path / "paper.yaml")
    split_as_the_paper_does(project.path / "standins" / "recipes")
    gpus = {"pretrain": 2, "finetune": 2, "predict": 1}
    config["llms"] = [llm | {"gpus": gpus} for llm in config["llms"] if llm["name"] in HIDDEN]
    (project.path / "paper.yaml").write_text(yaml.safe_dump(config))
    project.write_profile(site={"gpu": {"partition": "gpu", "per_node": 1}}, retries=0)
    prepare(project.path, config)
    project.start(f"{CELL}/finetune/run.json", "--configfile", "paper.yaml").end()

    cell = project.path / CELL
    for stage, zero in (("pretrain", 2), ("finetune", 3)):
        record = read_json(cell / stage / "run.json")
        assert (record["batch"]["devices"], record["zero_stage"]) == (2, zero), stage
        assert "2 nodes" in (cell / "logs" / f"{stage}.log").read_text()
        assert (cell / "logs" / f"{stage}-rank1.log").exists(), "one log for each process"
    jobs = [job for job in lab.jobs() if str(project.path) in job["folder"]]
    assert {job["state"] for job in jobs} == {"COMPLETED"}
    assert {job["name"] for job in jobs} == {
        f"{stage} {LLM} tokenpacker-4 s0" for stage in ("pretrain", "finetune")
    }
