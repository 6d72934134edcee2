"""Variants that a config names must exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paretoken.config import Config, parse
from paretoken.errors import UserError
from paretoken.evaluate.variants import demand_variants
from paretoken.yaml_files import read_yaml


def with_own(**own: Any) -> Config:
    """Return the shipped config with settings of its own for one benchmark of the paper's study."""
    raw = read_yaml(Path(__file__).parents[3] / "config.yaml")
    (study,) = (study for study in raw["studies"] if study["name"] == "paper")
    study["training"]["benchmarks"] = [own]
    return parse(raw)


def test_variants_that_exist_are_accepted() -> None:
    demand_variants(with_own(name="scienceqa", questions="full", scoring="letter_only"))
    demand_variants(with_own(name="mme", limit=3))


@pytest.mark.parametrize("key", ["questions", "scoring"])
def test_a_variant_that_does_not_exist_is_named_with_its_place(key: str) -> None:
    words = rf"study paper, training.benchmarks, docvqa.{key}: 'binary' is no variant of docvqa"
    with pytest.raises(UserError, match=words):
        demand_variants(with_own(name="docvqa", **{key: "binary"}))
