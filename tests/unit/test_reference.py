"""The published tables: keyed, sourced, flagged, and in agreement with themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from paretoken.commands.check import schema_text
from paretoken.config.config import json_schema, load
from paretoken.study.table_files import require_unique

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "workflow" / "reference"
KEYS = {
    "published_errors.csv": ["llm", "compressor", "visual_tokens", "suite"],
    "published_table1.csv": ["method", "visual_tokens", "benchmark"],
    "published_values.csv": ["suite", "quantity"],
    "llm_dimensions.csv": ["llm"],
}


@pytest.mark.parametrize("name", KEYS)
def test_each_cell_appears_once_and_has_a_source(name: str) -> None:
    table = pd.read_csv(REFERENCE / name)
    require_unique(table, KEYS[name], name)
    assert table["source"].notna().all()
    assert "flag" in table.columns


def test_errors_are_one_minus_the_score() -> None:
    table = pd.read_csv(REFERENCE / "published_errors.csv")
    assert (table["error"] - (1 - table["score"])).abs().max() < 1e-9
    assert table.groupby("suite").size().loc[["visual_reasoning", "ocr"]].tolist() == [28, 28]


def test_the_suspicious_cells_are_flagged_with_a_reason() -> None:
    table = pd.read_csv(REFERENCE / "published_errors.csv").set_index(["suite", "llm", "visual_tokens"])
    flags = table["flag"].dropna()
    assert flags.loc["visual_reasoning"].to_dict() == {
        ("qwen1.5-0.5b", 4): "changed_between_commits",
        ("qwen1.5-4b", 576): "changed_between_commits",
        ("qwen1.5-7b", 576): "absent_from_raw_list",
    }
    assert flags.loc["ocr"].to_dict() == {("qwen1.5-7b", 576): "copy_of_another_cell"}
    assert table.loc[flags.index, "note"].notna().all()
    copied = table.loc[("ocr", "qwen1.5-7b", 576), "score"]
    assert copied == table.loc[("ocr", "qwen1.5-4b", 576), "score"]


def test_the_exported_schema_is_the_one_in_the_code() -> None:
    committed = (ROOT / "workflow" / "schemas" / "config.schema.json").read_text()
    assert committed == schema_text(), (
        "run: paretoken check --write-schema workflow/schemas/config.schema.json"
    )


def test_the_shipped_config_fits_the_exported_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("yaml")
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    jsonschema.validate(config, json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config | {"frobnicate": 1}, json_schema())


def test_the_sizes_of_the_config_are_those_of_the_published_table() -> None:
    published = pd.read_csv(REFERENCE / "published_errors.csv").groupby("llm")["params_b"].first()
    sizes = {llm.name: llm.params_b for llm in load(ROOT / "config.yaml").llms}
    assert {name: sizes[name] for name in published.index} == published.to_dict()


def test_the_schema_is_json() -> None:
    assert json.loads(schema_text())["additionalProperties"] is False


def test_pins_name_no_host() -> None:
    pins = (ROOT / "constraints.txt").read_text()
    assert "://" not in pins
    assert "@" not in pins
    assert "torchvision" not in pins
