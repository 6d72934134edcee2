"""The paper's study with its records replaced: two tiny sizes, two token counts, some benchmarks."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from paretoken.config.settings import override
from standins.benchmarks import save_benchmark
from standins.models import save_clip, save_qwen
from standins.training_data import save_training_data

ROOT = Path(__file__).parents[2]
#: Hidden size of each stand-in, by the name of the size that it stands for.
HIDDEN = {"qwen1.5-0.5b": 16, "qwen1.5-1.8b": 32}
#: Its nominal size, billions: as far apart as those that they stand for, so that figure 4 has a pair.
NOMINAL = {"qwen1.5-0.5b": 2e-5, "qwen1.5-1.8b": 7.2e-5}
#: A benchmark of each suite, and one more: a job per cell asks each of them.
ASKED = ("scienceqa", "docvqa", "vizwiz", "vqav2")
#: A law and its special case, and a figure of each kind: scores alone, costs, the published values.
LAWS, FIGURES = ["product", "product_zero_d"], ["fig1a", "fig4", "optimum_by_cost"]
#: Changes to the recipes: seconds on a CPU. Everything else stays as in the paper's.
RECIPES = {
    "pretrain": {"global_batch": "8", "micro_batch": "4", "precision": "fp32", "workers": "0",
                 "gradient_checkpointing": "false", "save_every": "2"},
    "finetune": {"global_batch": "8", "micro_batch": "4", "precision": "fp32", "workers": "0",
                 "gradient_checkpointing": "false", "save_every": "2"},
}  # fmt: skip


def save_sources(folder: Path) -> dict[str, Any]:
    """Write everything that the study fetches under ``folder``; return its records of models."""
    llms = []
    for seed, (name, hidden) in enumerate(HIDDEN.items()):
        path = folder / "hub" / name
        params = save_qwen(path, hidden, seed=seed)
        record = {"name": name, "params_b": NOMINAL[name], "params": params, "hub": str(path)}
        llms.append(record)
    clip = folder / "hub" / "clip"
    vision = {"hub": str(clip), "params": save_clip(clip), "grid": 6}
    save_training_data(folder / "data", folder / "manifest.yaml")
    for name in ASKED:
        save_benchmark(folder / "hub" / name, name)
    return {"llms": llms, "vision": vision}


def save_recipes(folder: Path) -> None:
    """Write the paper's recipes with the changes of `RECIPES`."""
    folder.mkdir(parents=True, exist_ok=True)
    for stage, changes in RECIPES.items():
        raw = yaml.safe_load((ROOT / "workflow" / "recipes" / f"llava_{stage}.yaml").read_text())
        raw.pop("deepspeed", None)
        for key, text in changes.items():
            override(raw, key, text)
        (folder / f"{stage}.yaml").write_text(yaml.safe_dump(raw))


def small_paper(folder: Path, made: dict[str, Any]) -> dict[str, Any]:
    """Return a config whose study ``paper`` is the shipped one, on the stand-ins in ``folder``."""
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text())
    (study,) = (copy.deepcopy(s) for s in shipped["studies"] if s["name"] == "paper")
    records = {record["name"]: record for record in made["llms"]}
    llms = [_record(llm) | records[llm["name"]] for llm in shipped["llms"] if llm["name"] in records]
    (vision,) = (v for v in shipped["vision"] if v["name"] == study["vision"])
    study["llms"], study["holdout"], study["predict"] = list(records), [], []
    study["compressors"] = [{"name": "tokenpacker", "tokens": [1, 4]}]
    for suite in study["suites"]:
        suite["benchmarks"] = [name for name in suite["benchmarks"] if name in ASKED]
    # Four cells of two sizes are too few for AICc.
    study["claims"].remove("log_linear_in_tokens")
    study["figures"] = list(FIGURES)
    study["fit"] = study["fit"] | {"bootstrap": 20, "laws": list(LAWS)}
    study["training"] |= {
        "recipes": {stage: str(folder / "recipes" / f"{stage}.yaml") for stage in RECIPES},
        "benchmarks": [{"name": name, "source": str(folder / "hub" / name)} for name in ASKED],
    }
    return {"run": ["paper"], "llms": llms, "vision": [_record(vision) | made["vision"]],
            "data": [data_record(folder, study["training"]["data"])], "studies": [study]}  # fmt: skip


def data_record(folder: Path, name: str) -> dict[str, Any]:
    """Return the record of the training data that `save_training_data` wrote."""
    where = {"manifest": str(folder / "manifest.yaml"), "root": str(folder / "data")}
    return {"name": name, **where, "max_bad_share": 0.05}


def _record(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "revision"}


def save_small_paper(folder: Path, config: Path) -> dict[str, Any]:
    """Write stand-ins, recipes and the config that uses them; return the config."""
    made = save_sources(folder)
    save_recipes(folder / "recipes")
    content = small_paper(folder, made)
    config.write_text(yaml.safe_dump(content))
    return content
