"""One value of a file that a config names is wrong: `check` says so, or the value is not used."""

from __future__ import annotations

import copy
import csv
import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from feasible_studies import ROOT, Raw, alone, shipped, source_of, study_of
from hostile_text import replaced
from paretoken.config.config import Config
from paretoken.config.fields import Record
from paretoken.config.settings import checked
from paretoken.data.manifest import Manifest
from paretoken.errors import UserError
from paretoken.feasibility.findings import Subject
from paretoken.feasibility.generated import sources_can_be_made
from paretoken.feasibility.recipes import STAGES, recipes_can_be_read, recipes_fit_their_devices
from paretoken.feasibility.reference_tables import (
    latency_and_price,
    measured_table_is_whole,
    published_tables_can_be_read,
)
from paretoken.study.measured import REQUIRED
from paretoken.train.deepspeed_file import read_deepspeed_file
from paretoken.train.recipe import Recipe
from paretoken.train.sources.source_recipes import LlmRecipe, VisionRecipe
from paretoken.world.world_settings import MiniatureSettings
from report_study import latency_table

WRONG = ("nan", "inf", "-inf", "-1", "text", "1e400", "", "0.6_1", "٠.٦", "１")
TOLD_BY = {"measured": measured_table_is_whole, "latency": latency_and_price}
#: What a cell says that no job computes with.
WORDS = "words for readers, which no job computes with"
#: Columns that may hold anything, by table, and why.
IRRELEVANT = {
    "measured": {
        "score": "the error beside it is what is fitted",
        "source": WORDS,
        "flag": "any text marks a row",
        "note": WORDS,
    },
    "values": {"source": WORDS, "flag": WORDS, "note": WORDS},
    "table1": {
        "source": WORDS,
        "flag": WORDS,
        "note": WORDS,
        "llm": "a row of an unknown model is compared with nothing",
        "params_b": "the score is compared by the model's name",
    },
    "dimensions": {"source": WORDS, "flag": WORDS},
    "latency": {
        "llm": "sizes are told apart by params_b",
        "repeats": WORDS,
        "device": WORDS,
        "dtype": WORDS,
        "versions": WORDS,
    },
}
#: Cells that may be empty: a missing number is an empty cell.
MAY_BE_EMPTY = {
    "measured": {"error", "alternative_score"},
    "values": {"value"},
    "table1": {"score"},
    "dimensions": set(),
    "latency": {"encoder_s", "prefill_s", "decode_s", "encoder_j", "prefill_j", "decode_j"},
}
#: Texts that name something: any but none is a name, and one that nothing asks for is not used.
NAMES = {
    "values": {"suite", "quantity"},
    "table1": {"method", "benchmark"},
    "dimensions": {"llm"},
}
TABLES = tuple(IRRELEVANT)
Table = list[list[str]]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@cache
def shipped_table(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the header and rows of a shipped table."""
    study = alone("published").model_dump()["studies"][0]
    path = study["measured"] if name == "measured" else study["published"].get(name)
    if path is None:
        path = f"workflow/reference/published_{name}.csv"
    with (ROOT / path).open(newline="", encoding="utf-8") as stream:
        return tuple(map(tuple, csv.reader(stream)))


def rows_of(name: str, folder: Path) -> Table:
    """Return a table that `check` accepts, to change."""
    if name != "latency":
        return [list(row) for row in shipped_table(name)]
    with latency_table(folder / "whole.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


@cache
def config_with(name: str, path: Path) -> Config:
    """Return a config of the published study that names another table."""

    def change(study: Raw) -> None:
        if name in ("measured", "latency"):
            study[name] = str(path)
        else:
            study["published"][name] = str(path)

    return alone("published", change)


def problems_of(name: str, table: Table, folder: Path) -> list[str]:
    """Return what the rules on tables find."""
    path = folder / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(table)
    rule = TOLD_BY.get(name, published_tables_can_be_read)
    return [str(finding) for finding in rule(Subject(config_with(name, path), 0))]


def accepted_anyway(name: str, column: str, wrong: str, right: str) -> bool:
    """Whether a wrong value is none in a column."""
    if column in IRRELEVANT[name] or wrong == right:
        return True
    if wrong == "" or (name == "latency" and wrong == "nan"):  # which is how pandas writes none
        return column in MAY_BE_EMPTY[name]
    return column in NAMES.get(name, ())


def corrupted(name: str, folder: Path) -> Iterator[tuple[str, str, Table]]:
    """Yield columns, what is written there, and the table: another row in turn for each of them."""
    table = rows_of(name, folder)
    whole = [row for row in table[1:] if not (name == "measured" and not_in_the_grid(table[0], row))]
    tried = WRONG[::3] if name == "latency" else WRONG  # pandas reads it anew each time
    for place, column in enumerate(table[0]):
        for turn, wrong in enumerate(tried):
            changed = [row for row in whole if row[place]] or whole
            row = changed[(7 * place + 5 * turn) % len(changed)]
            right, row[place] = row[place], wrong
            if not accepted_anyway(name, column, wrong, right):
                yield column, wrong, table
            row[place] = right


def not_in_the_grid(header: list[str], row: list[str]) -> bool:
    llms = {llm.name for llm in alone("published").freeze("published").llms}
    return row[header.index("llm")] not in llms or row[header.index("suite")] not in (
        "ocr",
        "visual_reasoning",
    )


@pytest.mark.parametrize("name", TABLES)
def test_a_whole_table_is_accepted(name: str, tmp_path: Path) -> None:
    assert problems_of(name, rows_of(name, tmp_path), tmp_path) == []


@pytest.mark.parametrize("name", TABLES)
def test_a_wrong_cell_is_told(name: str, tmp_path: Path) -> None:
    tried = 0
    for column, wrong, table in corrupted(name, tmp_path):
        found = problems_of(name, table, tmp_path)
        assert found, f"{name}: {column} = {wrong!r} is accepted"
        assert all("Traceback" not in line and "invalid literal" not in line for line in found)
        tried += 1
    assert tried > 5


@pytest.mark.parametrize("name", TABLES)
def test_a_cell_that_is_not_used_may_hold_anything(name: str, tmp_path: Path) -> None:
    table = rows_of(name, tmp_path)
    for column in IRRELEVANT[name]:
        if column in table[0] and column != "device":  # several devices are told apart
            changed = copy.deepcopy(table)
            changed[1][table[0].index(column)] = "text"
            assert problems_of(name, changed, tmp_path) == [], column


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_column_a_second_row_and_an_empty_file_are_told(name: str, tmp_path: Path) -> None:
    table = rows_of(name, tmp_path)
    optional = {*IRRELEVANT[name], "alternative_score"} - (
        {"source"} if name in ("values", "table1") else set()
    )
    if name == "latency":
        optional = set()
    for place, column in enumerate(table[0]):
        if column not in optional:
            without = [[*row[:place], *row[place + 1 :]] for row in table]
            assert problems_of(name, without, tmp_path), f"{name} without {column}"
    assert problems_of(name, [*table, table[1]], tmp_path), "a row twice"
    assert problems_of(name, [[*row, row[0]] for row in table], tmp_path), "a column twice"
    assert problems_of(name, [table[0], [*table[1], "x"], *table[2:]], tmp_path), "a field too many"
    assert problems_of(name, [[*row, "x"] for row in table], tmp_path) == [], "a column more"
    assert problems_of(name, table[:1], tmp_path), "no rows"
    assert problems_of(name, [], tmp_path), "nothing"
    assert set(REQUIRED) <= set(shipped_table("measured")[0])


def test_answers_to_one_question_at_a_time_are_measured(tmp_path: Path) -> None:
    table = rows_of("latency", tmp_path)
    place = table[0].index("batch")
    (told,) = problems_of(
        "latency", [table[0], *[[*r[:place], "8", *r[place + 1 :]] for r in table[1:]]], tmp_path
    )
    assert "one question at a time" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x\n1\n", "lacks"),
        ("latency_s\nfast\n", "lacks the column params_b"),
        ("params_b,visual_tokens,latency_s,encoder_latency_s,latency_device\n1,1,fast,1,x\n", "fast"),
        ("params_b,visual_tokens,latency_s,encoder_latency_s,latency_device\n1,1,-1,1,x\n", "-1"),
        ("params_b,visual_tokens,latency_s,encoder_latency_s\n1,1,1,1\n", "latency_device"),
    ],
)
def test_a_latency_table_is_read_as_the_frontier_reads_it(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "latency.csv"
    path.write_text(text)
    (told,) = latency_and_price(Subject(config_with("latency", path), 0))
    assert told.place.endswith(".latency")
    assert words in told.sentence


#: Values of YAML and JSON files, each in the place of every number, text and flag in turn.
OTHERS: tuple[Any, ...] = (float("nan"), float("inf"), -1, "text", [], None)


def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, part in list(value.items()) if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*way, key))
    else:
        yield way


RECIPES = (
    ("paper", "pretrain"),
    ("paper", "finetune"),
    *(("miniature", name) for name in ("world", "vision", "llm", "pretrain", "finetune")),
)
#: Keys of recipes for which null is a value, and what it means.
MAY_BE_NULL = {
    "llm_width": "the rate holds for every width",
    "compressor": "the projector's rate",
    "deepspeed": "without DeepSpeed",
    "text_kinds": "no rows of text",
}


RECORDS: dict[str, type[Record]] = {
    "world": MiniatureSettings,
    "vision": VisionRecipe,
    "llm": LlmRecipe,
    "pretrain": Recipe,
    "finetune": Recipe,
}


def named(raw: Raw, study: str, name: str) -> tuple[str, Raw, str]:
    """Return where a config names a recipe: the place if the study is alone, the block, its key."""
    if name in STAGES:
        recipes = study_of(raw, study)["training"]["recipes"]
        return f"studies[0].training.recipes.{name}", recipes, name
    place, source = source_of(raw, study, name)
    return f"{place}.recipe", source, "recipe"


@pytest.mark.parametrize(("study", "name"), RECIPES)
def test_a_wrong_value_of_a_recipe_is_told(study: str, name: str, tmp_path: Path) -> None:
    _, block, key = named(shipped(), study, name)
    raw = yaml.safe_load(Path(block[key]).read_text())
    for way in leaves(raw):
        for value in OTHERS:
            missing = way[-1] == "deepspeed" and value == "text"  # a rule looks for the file
            if not missing and not (value is None and way[-1] in MAY_BE_NULL):
                assert complaint(replaced(raw, way, value), RECORDS[name]), (way, value)


def complaint(raw: Any, kind: type[Record]) -> str:
    """Return why a record is refused; nothing if it is not."""
    try:
        found = checked(raw, kind, "wrong")
        if isinstance(found, Manifest):
            for stage in STAGES:
                found.set_named(stage)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("study", "name"), RECIPES)
def test_check_reads_each_recipe(study: str, name: str, tmp_path: Path) -> None:
    whole = shipped()
    place, block, key = named(whole, study, name)
    raw = yaml.safe_load(Path(block[key]).read_text())
    path = tmp_path / "recipe.yaml"
    block[key] = str(path)
    config = alone(study, raw=whole)
    for way in islice(leaves(raw), 3):
        path.write_text(yaml.safe_dump(replaced(raw, way, float("nan"))))
        rules = (recipes_can_be_read, recipes_fit_their_devices, sources_can_be_made)
        found = [str(finding) for rule in rules for finding in rule(Subject(config, 0))]
        assert any(line.startswith(f"{place}: ") for line in found), way


MANIFEST = "workflow/reference/llava_data.yaml"
#: Keys of a manifest that hold any text, and why.
ANY_TEXT = {
    "path": "the name of a file",
    "folder": "the name of a folder",
    "images": "the name of a folder",
    "inner": "the name of a folder",
    "url": "an address is tried when it is fetched",
    "hub": "an id is tried when it is fetched",
    "file": "the name of a file",
    "licence": "words for readers",
}
#: Keys that may be left out: null means that it is not known.
MAY_BE_UNKNOWN = {"bytes", "about_gb", "sha256", "rows", "text_only", "files"}


def test_a_wrong_value_of_a_manifest_is_told() -> None:
    raw = yaml.safe_load(Path(MANIFEST).read_text())
    for way in leaves(raw):
        for value in OTHERS:
            any_text = value == "text" and way[-1] in ANY_TEXT
            if not any_text and not (value is None and way[-1] in MAY_BE_UNKNOWN):
                assert complaint(replaced(raw, way, value), Manifest), (way, value)


def test_the_stage_of_zero_is_told(tmp_path: Path) -> None:
    path = tmp_path / "zero.json"
    for value in (*OTHERS, True, 0, 4, 2.5):
        path.write_text(json.dumps({"zero_optimization": {"stage": value}}))
        with pytest.raises(UserError):
            read_deepspeed_file(path)
