"""Questions, pictures and answers fit into the positions of local models, or `check` says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feasible_studies import ROOT, found, shipped, study_of
from paretoken.config.config import parse
from paretoken.feasibility.findings import Kind
from paretoken.feasibility.lengths import LEAST_QUESTION
from paretoken.registry import BENCHMARKS

ASKED = [name for name in BENCHMARKS if BENCHMARKS.load(name).hub is not None]
V = 576
SIZES = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 2816,
    "vocab_size": 151_936,
    "tie_word_embeddings": True,
}


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def told(folder: Path, positions: int, benchmark: str, *kinds: Kind, tokens: int = V) -> list[str]:
    """Return what `check` says of one benchmark and a local model with so many positions."""
    config = {"model_type": "qwen2", "max_position_embeddings": positions, **SIZES}
    (folder / "config.json").write_text(json.dumps(config))
    raw = shipped()
    study = study_of(raw, "paper")
    raw.update(run=["paper"], studies=[study])
    raw["llms"][0].update(hub=str(folder), revision=None)
    suite = {**study["suites"][0], "benchmarks": [benchmark]}
    compressors = [{"name": "tokenpacker", "tokens": [1, tokens]}]
    study.update(suites=[suite], compressors=compressors, figures=[], claims=[], fit={"laws": []})
    study.update(holdout=[], text_tokens=[0])
    study["training"]["overrides"] = {s: [f"max_length={positions}"] for s in ("pretrain", "finetune")}
    findings = found(parse(raw), *kinds)
    return [
        str(f) for f in findings if f.place == "llms[0].hub" and "visual tokens, answers" in f.sentence
    ]


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("tokens", [36, V])
def test_an_answer_fits_to_the_token(tmp_path: Path, name: str, tokens: int) -> None:
    needed = tokens + BENCHMARKS.load(name).max_new_tokens + LEAST_QUESTION
    (line,) = told(tmp_path, needed - 1, name, tokens=tokens)
    assert f"{name} of study paper has {tokens} visual tokens" in line
    assert f"or more: {needed};" in line
    assert told(tmp_path, needed, name, tokens=tokens) == []


@pytest.mark.parametrize("name", ASKED)
def test_several_pictures_are_a_warning(tmp_path: Path, name: str) -> None:
    benchmark = BENCHMARKS.load(name)
    needed = V + benchmark.max_new_tokens + LEAST_QUESTION
    warned = told(tmp_path, needed, name, Kind.WARNING)
    assert bool(warned) == (name == "mmmu")
    if benchmark.hub is not None and warned:
        pictures = len(benchmark.hub.images)
        assert f"{pictures} x {V}" in warned[0]
        assert told(tmp_path, needed + (pictures - 1) * V, name, Kind.WARNING) == []


def test_the_cases_that_were_found(tmp_path: Path) -> None:
    for name in ("mmbench", "mathvista"):
        assert told(tmp_path, 1024, name)
        assert not told(tmp_path, 2048, name)
    assert told(tmp_path, 1024, "mmmu", Kind.WARNING)
    assert told(tmp_path, 2048, "mmmu", Kind.WARNING)


def test_tasks_of_another_harness_are_left_to_it(tmp_path: Path) -> None:
    assert told(tmp_path, 640, "mmbench")
    raw = shipped()
    study = study_of(raw, "paper")
    study["training"]["benchmarks"] = [{"name": "their_task", "harness": "lmms_eval", "count": 9}]
    study["suites"][0]["benchmarks"] = ["their_task"]
    raw["llms"][0].update(hub=str(tmp_path), revision=None)
    assert not any("their_task" in f.sentence and "answers" in f.sentence for f in found(parse(raw)))
