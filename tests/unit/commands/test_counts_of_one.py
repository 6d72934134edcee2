"""A count of one takes the singular in everything that commands print."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

import paretoken.commands
from paretoken.cli import main
from paretoken.data.rows import read_rows

ROOT = Path(__file__).parents[3]
MEASURED = "workflow/reference/published_errors.csv"
#: Words that end with "s" and may follow the number 1, because they are verbs or no plurals.
NO_PLURALS = {"as", "is", "has", "was", "does", "takes", "holds", "this", "its", "less", "loss", "axis"}
PLURAL = re.compile(r"(?<![\w.,-])1 (?:[a-z-]+ )??([a-z-]+s)\b")
#: An amount in an f-string that is counted from data, and the words after it.
COUNT = re.compile(r"(len|sum)\(")
WORDS = re.compile(r" (?:[a-z][a-z-]* )?[a-z][a-z-]*s\b")

Run = Callable[..., str]


def plurals(text: str) -> list[str]:
    """Return the plurals that follow the number 1."""
    return [found[0] for found in PLURAL.finditer(text) if found[1] not in NO_PLURALS]


def test_plurals_after_one_are_found() -> None:
    assert plurals("1 conversations, 1 of them; 1 bad rows, 1 row is bad") == [
        "1 conversations",
        "1 bad rows",
    ]
    assert (
        plurals("21 cells, 0.1 images, 1,000 rows, stage-1 results, 1 s, 1 conversation has 2 rows")
        == []
    )


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command from the root of the checkout and return everything that it prints."""
    monkeypatch.chdir(ROOT)

    def command(*arguments: object, code: int = 0) -> str:
        assert main([str(each) for each in arguments]) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    return command


@pytest.fixture
def one_cell(tmp_path: Path) -> Path:
    """The shipped config with one study, which trains one cell."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    study = next(each for each in config["studies"] if each["name"] == "miniature")
    compressor = study["compressors"][0]
    study |= {"compressors": [compressor | {"tokens": compressor["tokens"][:1]}], "fit": {"laws": []}}
    study |= {key: study[key][:1] for key in ("llms", "suites", "seeds")}
    study |= {key: [] for key in ("claims", "figures", "predict", "holdout")}
    del study["training"]["blind"]
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump(config | {"studies": [study], "run": ["miniature"]})
    )
    return tmp_path / "config.yaml"


def test_a_study_of_one_cell(run: Run, one_cell: Path, tmp_path: Path) -> None:
    cell = ("--suites", "ocr", "--study", "published", "--llm-name", "qwen1.5-0.5b", "--params-b", 0.5,
            "--compressor", "tokenpacker", "--tokens", 1, "--seed", 0)  # fmt: skip
    run("cell", "--measured", MEASURED, *cell, "--out", tmp_path / "cell.csv")
    printed = run(
        "aggregate", "--cells", tmp_path / "cell.csv", "--suites", "ocr", "--out", tmp_path / "e.csv"
    )
    assert "1 error (" in printed
    shown = {"aggregate": printed, "check": run("check", "--config", one_cell)}
    for name in ("plan", "status"):
        shown[name] = run(name, "--study", "miniature", "--config", one_cell)
    assert "1 cell x 1 suite;" in shown["check"]
    assert "in all: 1 cell," in shown["plan"]
    assert {name: plurals(text) for name, text in shown.items() if plurals(text)} == {}


def test_a_fit_with_one_text_token_and_one_budget(run: Run, tmp_path: Path) -> None:
    fit = tmp_path / "fit.json"
    shown = {
        "fit": run("fit", "--table", MEASURED, "--suite", "ocr", "--bootstrap", 1, "--text-tokens", 1,
                   "--no-comparison", "--out", fit),
        "frontier": run("frontier", "--fit", fit, "--text-tokens", 1, "--budget", 1, 1e12,
                        "--out", tmp_path / "frontier.csv"),
        "recommend": run("recommend", "--fit", fit, "--budget-flops", 1e12, "--text-tokens", 1,
                         "--tokens", 1),
        "json": run("recommend", "--fit", fit, "--budget-flops", 1e12, "--text-tokens", 1,
                    "--format", "json"),
    }  # fmt: skip
    assert "1 budget is below" in shown["frontier"]
    assert "1 text token," in shown["recommend"]
    assert {name: plurals(text) for name, text in shown.items() if plurals(text)} == {}


def test_one_prediction(run: Run, tmp_path: Path) -> None:
    row = {"question_id": "1", "answer": "red", "prediction": "red"}
    (tmp_path / "p.jsonl").write_text(json.dumps(row) + "\n")
    score = ("score", "--benchmark", "exact_match", "--predictions", tmp_path / "p.jsonl")
    printed = run(*score, "--out", tmp_path / "score.json")
    assert "1 row" in printed
    (tmp_path / "p.jsonl").write_text(json.dumps(row | {"prediction": 3}) + "\n")
    refused = run(*score, "--out", tmp_path / "score.json", code=2)
    assert "1 of 1 row has a prediction that is not a text" in refused
    assert plurals(printed + refused) == []


def test_one_conversation(run: Run, tiny_world: Path, tmp_path: Path) -> None:
    rows = read_rows(tiny_world / "train.jsonl")
    bad = rows[0] | {"conversations": []}
    line = (
        "tokenize",
        "--llm",
        tiny_world / "llm",
        "--data",
        tmp_path / "rows.json",
        "--out",
        tmp_path / "t",
    )
    (tmp_path / "rows.json").write_text(json.dumps([rows[0], bad]))
    shown = [run(*line, code=2), run(*line, "--max-bad-share", 0.5)]
    assert "1 of 2 rows is bad" in shown[0]
    assert "1 conversation, " in shown[1]
    assert "1 bad row," in shown[1]
    (tmp_path / "rows.json").write_text(json.dumps([bad]))
    shown.append(run(*line[:-1], tmp_path / "other", code=2))
    assert plurals("\n".join(shown)) == []


def test_commands_count_by_the_function_for_it() -> None:
    """A number of rows in an f-string that is followed by a plural would be wrong for one row."""
    found = []
    for path in Path(next(iter(paretoken.commands.__path__))).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            parts = node.values if isinstance(node, ast.JoinedStr) else []
            for number, words in pairwise(parts):
                if not isinstance(number, ast.FormattedValue) or not isinstance(words, ast.Constant):
                    continue
                if COUNT.match(ast.unparse(number.value)) and WORDS.match(str(words.value)):
                    found.append((path.name, ast.unparse(number.value) + words.value))
    assert found == []
