"""A cell's rows, from the scores of its benchmarks."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from paretoken.cli import main
from paretoken.config.asked import benchmarks_of
from paretoken.config.config import load
from paretoken.errors import UserError
from paretoken.evaluate.score import score_predictions
from paretoken.registry import BENCHMARKS
from paretoken.study.contract import ERROR_COLUMNS, SCORE_COLUMNS
from paretoken.study.grid import Cell
from paretoken.study.scored import error_rows, read_scores, score_rows

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
        "a",
        "small",
        "4",
        "7",
    )
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
def test_files_that_are_not_scores_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "fact.json"
    path.write_text(content)
    with pytest.raises(UserError, match="not a score"):
        read_scores([path])


def test_two_files_of_one_benchmark_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "fact.json" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(json.dumps(score(1)))
    with pytest.raises(UserError, match="there are two scores of fact"):
        read_scores(paths)


def test_the_commands_write_the_tables(tmp_path: Path) -> None:
    for name, content in SCORES.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    words = ["cell-scores", "--study", "mine", "--score-files",
             *(str(tmp_path / f"{n}.json") for n in SCORES),
             "--suite-benchmarks", "a=fact,number", "b=name", "--llm-name", "small",
             "--params-b", "6.83e-6", "--compressor", "average_pool", "--tokens", "4", "--seed", "7",
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
    from paretoken.world.write import PARTS

    assert tuple(benchmarks_of(generated=True)) == PARTS


def test_sizes_are_those_of_the_models(project: Path) -> None:
    import miniature_settings as small
    from paretoken.train.sources.llm import count_parameters, new_llm
    from paretoken.world.facts import World

    frozen = load(project / "config.yaml").freeze("miniature")
    recipe, words = small.llm(), World(small.world().world, 0).words
    for llm in frozen.llms:
        assert llm.make is not None
        counted = count_parameters(new_llm(recipe, words, llm.make.width, seed=0))["non_embedding"]
        assert llm.params_b == pytest.approx(counted / 1e9, rel=5e-3)


def test_a_stated_standard_error_counts_where_rows_do_not_give_it() -> None:
    stated = score(1, 0, 1, 0) | {"score": 0.3, "details": {"stderr": 0.02}}
    (row,) = error_rows("mine", CELL, 1.0, {"a": ["mme", "fact"]}, {"mme": stated, "fact": score(1, 0)})
    assert float(row["error"]) == pytest.approx((0.7 + 0.5) / 2)
    assert float(row["stderr"]) == pytest.approx(math.sqrt(0.02**2 + 0.5 / 2) / 2)


def of_parts() -> dict[str, Any]:
    """Return the score of a benchmark with two parts, as `paretoken score` writes it."""
    rows = [
        {"question_id": str(number), "answer": "red", "part": part, "prediction": said}
        for number, (part, said) in enumerate(
            [
                ("fact", "red"),
                ("name", "red"),
                ("fact", "blue"),
                ("name", "blue"),
                ("fact", "red"),
                ("name", "blue"),
                ("fact", "red"),
            ]
        )
    ]
    return score_predictions(BENCHMARKS.load("world"), rows)


def test_parts_give_the_scores_and_errors_that_files_of_their_own_give(tmp_path: Path) -> None:
    whole, exact = of_parts(), BENCHMARKS.load("exact_match")
    plain = [{k: v for k, v in row.items() if k != "score"} for row in whole["rows"]]
    paths = []
    for part in ("fact", "name"):
        alone = score_predictions(exact, [row for row in plain if row["part"] == part])
        paths.append(tmp_path / f"{part}.json")
        paths[-1].write_text(json.dumps(alone))
    (tmp_path / "world.json").write_text(json.dumps(whole))
    apart, together = read_scores(paths), read_scores([tmp_path / "world.json"])
    assert list(apart) == list(together) == ["fact", "name"]
    for part, score in apart.items():
        for key in ("metric", "score", "n", "interval", "rows"):
            assert together[part][key] == score[key]
    suites = {"both": ["fact", "name"], "one": ["name"]}
    found = [error_rows("mine", CELL, 1.0, suites, scores) for scores in (apart, together)]
    assert found[0] == found[1], "to the last digit, with their standard errors"
    assert float(found[0][0]["error"]) == pytest.approx((1 / 4 + 2 / 3) / 2, rel=1e-15)
    assert score_rows("mine", CELL, 1.0, apart) == score_rows("mine", CELL, 1.0, together)


def test_parts_replace_their_benchmark(tmp_path: Path) -> None:
    (tmp_path / "first.json").write_text(json.dumps(score(1, 0)))
    (tmp_path / "world.json").write_text(json.dumps(of_parts()))
    (tmp_path / "last.json").write_text(json.dumps(score(0)))
    paths = [tmp_path / f"{name}.json" for name in ("first", "world", "last")]
    assert list(read_scores(paths)) == ["first", "fact", "name", "last"]
    assert score_rows("mine", CELL, 1.0, read_scores(paths))[1]["questions"] == "4"


def test_a_part_and_a_benchmark_of_the_same_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text(json.dumps(of_parts()))
    (tmp_path / "fact.json").write_text(json.dumps(score(1)))
    for order in (("world", "fact"), ("fact", "world")):
        with pytest.raises(UserError, match=f"{order[1]}.json: there are two scores of fact"):
            read_scores([tmp_path / f"{name}.json" for name in order])


WHOLE = {"score": 0.5, "n": 4, "interval": [0.0, 1.0]}
MALFORMED: list[Any] = [
    [],
    {},
    7,
    "fact",
    {"column": "part"},
    {"column": "part", "scores": {}},
    {"column": "part", "scores": []},
    {"column": "part", "scores": {"fact": WHOLE}},
    {"column": "part", "scores": {"fact": WHOLE, "name": WHOLE, "more": WHOLE}},
    {"column": "part", "scores": {"fact": WHOLE, "other": WHOLE}},
    {"column": "part", "scores": {"fact": WHOLE, "name": None}},
    {"column": "part", "scores": {"fact": WHOLE, "name": {"score": 0.5, "n": 3}}},
    {"column": "part", "scores": {"fact": WHOLE, "name": WHOLE | {"score": "0.5"}}},
    {"column": "part", "scores": {"fact": WHOLE, "name": WHOLE | {"score": True}}},
    {"column": "part", "scores": {"fact": WHOLE, "name": WHOLE | {"n": None}}},
    {"column": "part", "scores": {"fact": WHOLE, "name": WHOLE | {"interval": [0.0]}}},
    {"column": "part", "scores": {"fact": WHOLE, "name": WHOLE | {"interval": 0.5}}},
    {"column": "kind", "scores": {"fact": WHOLE, "name": WHOLE}},
    {"column": ["part"], "scores": {"fact": WHOLE, "name": WHOLE}},
    {"column": None, "scores": {"fact": WHOLE, "name": WHOLE}},
    {"scores": {"fact": WHOLE, "name": WHOLE}},
]


@pytest.mark.parametrize("parts", MALFORMED, ids=lambda parts: json.dumps(parts)[:60])
def test_malformed_parts_are_refused(tmp_path: Path, parts: Any) -> None:
    path = tmp_path / "world.json"
    good = {"column": "part", "scores": {"fact": WHOLE, "name": WHOLE}}
    path.write_text(json.dumps(of_parts() | {"parts": good}))
    assert list(read_scores([path])) == ["fact", "name"]
    path.write_text(json.dumps(of_parts() | {"parts": parts}))
    with pytest.raises(UserError, match=f"{path} is not a score"):
        read_scores([path])


def test_a_row_without_its_part_is_refused(tmp_path: Path) -> None:
    content = of_parts()
    del content["rows"][3]["part"]
    path = tmp_path / "world.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="is not a score"):
        read_scores([path])


def test_the_command_averages_parts_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text(json.dumps(of_parts()))
    words = [
        "cell-scores",
        "--study",
        "mine",
        "--score-files",
        str(tmp_path / "world.json"),
        "--suite-benchmarks",
        "a=fact,name",
        "b=name",
        "--llm-name",
        "small",
        "--params-b",
        "6.83e-6",
        "--compressor",
        "average_pool",
        "--tokens",
        "4",
        "--seed",
        "7",
        "--out-scores",
        str(tmp_path / "scores.csv"),
        "--out",
        str(tmp_path / "errors.csv"),
    ]
    assert main(words) == 0
    with (tmp_path / "errors.csv").open() as stream:
        errors = [float(row["error"]) for row in csv.DictReader(stream)]
    assert errors == pytest.approx([(1 / 4 + 2 / 3) / 2, 2 / 3], rel=1e-15)
    with (tmp_path / "scores.csv").open() as stream:
        assert [row["benchmark"] for row in csv.DictReader(stream)] == ["fact", "name"]
