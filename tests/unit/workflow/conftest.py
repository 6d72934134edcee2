"""The shipped config, studies that differ from it in a few keys, and wildcards as in Snakemake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from paretoken.config.config import Config, parse

PROJECT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the project's settings and no results."""
    for name in ("config.yaml", "workflow"):
        (tmp_path / name).symlink_to(PROJECT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def raw() -> dict[str, Any]:
    """The shipped config, as YAML gives it."""
    content: dict[str, Any] = yaml.safe_load((PROJECT / "config.yaml").read_text())
    return content


@pytest.fixture(scope="session")
def config(raw: dict[str, Any]) -> Config:
    """The shipped config."""
    return parse(raw)


@pytest.fixture(scope="session")
def changed(raw: dict[str, Any]) -> Callable[..., Config]:
    """Return a function: the shipped config, with other keys in one study and in its training."""

    def config_of(name: str, training: dict[str, Any], **study: Any) -> Config:
        studies = [
            each | study | {"training": each["training"] | training} if each["name"] == name else each
            for each in raw["studies"]
        ]
        return parse(raw | {"studies": studies})

    return config_of


@pytest.fixture(scope="session")
def of() -> Callable[..., SimpleNamespace]:
    """Return a function: wildcards, which are all texts."""

    def wildcards(study: str, **values: object) -> SimpleNamespace:
        return SimpleNamespace(study=study, **{name: str(value) for name, value in values.items()})

    return wildcards


@pytest.fixture(scope="session")
def cell_of(of: Callable[..., SimpleNamespace]) -> Callable[..., SimpleNamespace]:
    """Return a function: the wildcards of a cell of a shipped study."""
    known = {
        "paper": ("qwen1.5-7b", "tokenpacker", 16, 0),
        "table1": ("vicuna-1.5-7b", "tokenpacker", 16, 2),
        "miniature": ("miniature-48", "average_pool", 4, 100),
        "text_length": ("miniature-36", "average_pool", 9, 501),
        "miniature_table1": ("miniature-48", "average_pool", 4, 302),
        "published": ("qwen1.5-4b", "tokenpacker", 36, 0),
    }

    def wildcards(study: str, **values: object) -> SimpleNamespace:
        names = ("llm", "compressor", "tokens", "seed")
        return of(study, **(dict(zip(names, known[study], strict=True)) | values))

    return wildcards
