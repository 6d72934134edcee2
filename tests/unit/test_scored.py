"""A cell's rows, from the scores of its benchmarks."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest

from paretoken.cli import main
from paretoken.config import Benchmark, load
from paretoken.contract import ERROR_COLUMNS, SCORE_COLUMNS
from paretoken.errors import UserError
from paretoken.grid import Cell
from paretoken.scored import error_rows, read_scores, score_rows

CELL = Cell("small", "average_pool", 4, 7)


def score(*values: float) -> dict[str, Any]:
    mean = sum(values) / len(values)
    return {"benchmark": "exact_match", "metric": "accuracy", "score": mean, "n": len(values),
            "interval": [0.0, 1.0], "rows": [{"score": value} for value in values]}  # fmt: skip


SCORES = {"fact": score(1, 1, 1, 0), "number": score(0, 0, 1, 1), "name": score(1, 0)}


def test_a_suites_error_is_the_mean_over_its_benchmarks() -> None:
    suites = {"a": ["fact", "number"], "b": ["name"]}
    first, second = error_rows("mine", CELL, 6.83e-6, suites, SCORES)
    assert (first["suite"], first["llm"], first["visual_tokens"], first["seed"]) == (
        "a", "small", "4", "7")  # fmt: skip
    assert float(first["error"]) == (0.25 + 0.5) / 2
    assert float(first["stderr"]) == pytest.approx(math.sqrt(0.25 / 4 + (1 / 3) / 4) / 2)
    assert float(second["error"]) == 0.5
    assert float(first["params_b"]) == 6.83e-6


def test_a_benchmark_that_was_not_scored_is_named() -> None:
    with pytest.raises(UserError, match="suite a needs the scores of property"):
        error_rows("mine", CELL, 1.0, {"a": ["fact", "property"]}, SCORES)


def test_each_benchmark_is_a_row() -> None:
    rows = score_rows("mine", CELL, 1.0, SCORES)
    assert [row["benchmark"] for row in rows] == ["fact", "number", "name"]
    assert all(set(row) == set(SCORE_COLUMNS) for row in rows)
    assert rows[0]["questions"] == "4"


@pytest.mark.parametrize("content", ["[]", '{"score": 1}', json.dumps(score(1) | {"rows": []})])
def test_what_is_no_score_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "fact.json"
    path.write_text(content)
    with pytest.raises(UserError, match="no score"):
        read_scores([path])


def test_two_files_of_one_benchmark_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "fact.json" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(json.dumps(score(1)))
    with pytest.raises(UserError, match="two score files are called fact"):
        read_scores(paths)


def test_the_commands_write_the_tables(tmp_path: Path) -> None:
    for name, content in SCORES.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    words = ["cell-scores", "--study", "mine", "--scores",
             *(str(tmp_path / f"{n}.json") for n in SCORES),
             "--suites", "a=fact,number", "b=name", "--llm", "small", "--params-b", "6.83e-6",
             "--compressor", "average_pool", "--tokens", "4", "--seed", "7",
             "--out-scores", str(tmp_path / "scores.csv"),
             "--out", str(tmp_path / "errors.csv")]  # fmt: skip
    assert main(words) == 0
    with (tmp_path / "errors.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(ERROR_COLUMNS)
    assert [row["error"] for row in rows] == ["0.375", "0.5"]
    table = str(tmp_path / "all.csv")
    assert main(["scores", "--cells", str(tmp_path / "scores.csv"), "--out", table]) == 0
    assert len(Path(table).read_text().splitlines()) == 1 + len(SCORES)
    other = (tmp_path / "scores.csv").read_text().replace(",7,", ",8,").replace("accuracy", "F1")
    (tmp_path / "other.csv").write_text(other)
    mixed = [str(tmp_path / "scores.csv"), str(tmp_path / "other.csv")]
    assert main(["scores", "--cells", *mixed, "--out", table]) == 2
    assert len(Path(table).read_text().splitlines()) == 1 + len(SCORES)
    twice = [str(tmp_path / "scores.csv")] * 2
    assert main(["scores", "--cells", *twice, "--out", table]) == 2


def test_the_benchmarks_of_the_config_are_those_of_the_data() -> None:
    from paretoken.data.miniature.write import SUITE_NAMES

    assert get_args(Benchmark) == SUITE_NAMES


def test_sizes_are_those_of_the_models(project: Path) -> None:
    import miniature_settings as small
    from paretoken.data.miniature.world import World
    from paretoken.train.sources.llm import count_parameters, new_llm

    frozen = load(project / "config.yaml").freeze("miniature")
    recipe, words = small.llm(), World(small.world().world, 0).words
    for llm in frozen.llms:
        assert llm.width is not None
        counted = count_parameters(new_llm(recipe, words, llm.width, seed=0))["non_embedding"]
        assert llm.params_b == pytest.approx(counted / 1e9, rel=5e-3)


def test_a_stated_standard_error_counts_where_rows_do_not_give_it() -> None:
    stated = score(1, 0, 1, 0) | {"score": 0.3, "details": {"stderr": 0.02}}
    (row,) = error_rows("mine", CELL, 1.0, {"a": ["mme", "fact"]}, {"mme": stated, "fact": score(1, 0)})
    assert float(row["error"]) == pytest.approx((0.7 + 0.5) / 2)
    assert float(row["stderr"]) == pytest.approx(math.sqrt(0.02**2 + 0.5 / 2) / 2)
