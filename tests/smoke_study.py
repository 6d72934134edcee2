"""A trained study of four cells, everything shrunk to seconds: what the miniature is, and no result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from miniature_settings import RECIPES, SMALL_WORLD
from paretoken.config.settings import override

#: Changes to the miniature's recipes.
CHANGES: dict[str, list[tuple[str, str]]] = {
    "world": SMALL_WORLD,
    "vision": [("steps", "30"), ("images", "100"), ("batch", "16"), ("check_images", "20")],
    "llm": [("steps", "30"), ("direct.rows", "32"), ("scenes.rows", "8"), ("check_rows", "50")],
    "pretrain": [("steps", "10"), ("global_batch", "8"), ("micro_batch", "8"), ("save_every", "10")],
    "finetune": [("steps", "10"), ("global_batch", "8"), ("micro_batch", "8"), ("save_every", "10")],
}

#: Where it comes from: everything is made, by the recipes above.
SOURCES: dict[str, Any] = {
    "llms": [
        {
            "name": f"miniature-{width}",
            "params_b": params_b,
            "make": {"recipe": "smoke/llm.yaml", "width": width},
        }
        for width, params_b in ((16, 6.83e-6), (28, 2.07e-5), (48, 6.04e-5))
    ],
    "vision": [{"name": "miniature-vit", "grid": 6, "make": {"recipe": "smoke/vision.yaml"}}],
    "data": [{"name": "smoke", "world": {"recipe": "smoke/world.yaml", "seed": 1}}],
}
STUDY: dict[str, Any] = {
    "name": "smoke",
    "question": "Does a trained study run from nothing to its summary?",
    "training": {
        "data": "smoke",
        "recipes": {name: f"smoke/{name}.yaml" for name in ("pretrain", "finetune")},
        "templates": {"pretrain": "chat", "finetune": "chat"},
        "aspects": {"pretrain": "crop", "finetune": "crop"},
        "features": True,
        "normalise": True,
        "layers": [2, 3],
        "projector_width": 32,
        "whiten": True,
        "blind": ["miniature-16"],
    },
    "vision": "miniature-vit",
    "llms": ["miniature-16", "miniature-28"],
    "compressors": [{"name": "average_pool", "tokens": [1, 4]}],
    "seeds": [3],
    "suites": [
        {
            "name": "reasoning",
            "title": "Reasoning",
            "role": "reasoning",
            "benchmarks": ["fact", "number"],
        },
        {"name": "ocr", "title": "Read", "role": "ocr", "benchmarks": ["read_sparse"]},
    ],
    "text_tokens": [0, 4],
    "fit": {"laws": ["product"], "bootstrap": 20},
    "figures": ["fig1a"],
    "claims": ["ocr_reverses"],
}


def write_smoke(project: Path) -> None:
    """Write the recipes and the config ``smoke.yaml``."""
    write_recipes(project)
    write_study(project, "smoke.yaml", STUDY)


def write_recipes(project: Path) -> None:
    """Write the recipes, under ``smoke/``."""
    folder = project / "smoke"
    folder.mkdir()
    for name, changes in CHANGES.items():
        raw = yaml.safe_load((RECIPES / f"miniature_{name}.yaml").read_text())
        for key, text in changes:
            override(raw, key, text)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(raw))


def write_study(project: Path, name: str, study: dict[str, Any]) -> None:
    """Write a config that runs only ``study``; one on generated data has sources of its own."""
    made = SOURCES if (study.get("training") or {}).get("data") == "smoke" else {}
    (project / name).write_text(yaml.safe_dump({"run": [study["name"]], "studies": [study], **made}))
