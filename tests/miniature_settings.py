"""The miniature's recipes, shrunk to seconds."""

from __future__ import annotations

from pathlib import Path

from paretoken.config.settings import read_settings
from paretoken.train.sources.source_recipes import LlmRecipe, VisionRecipe
from paretoken.world.world_settings import MiniatureSettings

RECIPES = Path(__file__).parent.parent / "workflow" / "recipes"

SMALL_WORLD = [
    ("world.icons", "6"), ("world.relations", "30"), ("world.numeric", "20"), ("world.properties", "20"),
    ("train_images.count", "60"), ("test_images.count", "50"), ("pretrain.conversations", "80"),
    ("finetune.conversations", "80"), ("finetune.text_rows", "40"),
]  # fmt: skip


def world(*changes: tuple[str, str]) -> MiniatureSettings:
    path = RECIPES / "miniature_world.yaml"
    return read_settings(path, MiniatureSettings, "world", [*SMALL_WORLD, *changes])


def vision(*changes: tuple[str, str]) -> VisionRecipe:
    small = [("steps", "30"), ("images", "100"), ("batch", "16"), ("check_images", "20"),
             ("width", "16"), ("layers", "2"), ("log_every", "10")]  # fmt: skip
    path = RECIPES / "miniature_vision.yaml"
    return read_settings(path, VisionRecipe, "recipe", [*small, *changes])


def llm(*changes: tuple[str, str]) -> LlmRecipe:
    small = [("steps", "40"), ("direct.rows", "32"), ("scenes.rows", "8"), ("check_rows", "50"),
             ("log_every", "10")]  # fmt: skip
    path = RECIPES / "miniature_llm.yaml"
    return read_settings(path, LlmRecipe, "recipe", [*small, *changes])
