"""N is the size of a model, and every size of a law is a model of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from feasible_studies import ROOT, Raw, found, shipped, study_of
from paretoken.config.config import parse
from paretoken.costs.shapes import decoder_shape
from paretoken.feasibility.findings import Kind

#: Models of families, as people call them: billions in the name, parameters in all, without embeddings.
NAMED = {
    "Qwen1.5-0.5B, counted twice": (0.5, 619_570_176, 307_982_336),
    "Qwen1.5-1.8B": (1.8, 1_836_828_672, 1_214_510_080),
    "Qwen1.5-4B": (4, 3_950_369_280, 3_172_456_960),
    "Qwen1.5-7B": (7, 7_721_324_544, 6_476_271_616),
    "Qwen3-0.6B": (0.6, 596_049_920, 440_467_456),
    "Vicuna-7B": (7, 6_738_415_616, 6_476_271_616),
    "Llama-3.2-1B": (1, 1_235_814_400, 973_146_112),
    "Llama-3-8B": (8, 8_030_261_248, 6_979_588_096),
    "Gemma-2B": (2, 2_506_172_416, 1_981_884_416),
    "Gemma-3-270M": (0.27, 268_098_176, 100_326_016),
    "Phi-3-mini": (3.8, 3_821_079_552, 3_624_019_968),
    "Mistral-7B": (7, 7_241_732_096, 6_979_588_096),
}


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def only(name: str) -> Raw:
    """Return the shipped config with one of its studies."""
    raw = shipped()
    return {**raw, "run": [name], "studies": [study_of(raw, name)]}


def record_of(raw: Raw, name: str) -> Raw:
    found: Raw = next(record for record in raw["llms"] if record["name"] == name)
    return found


def told(raw: Raw, part: str, *kinds: Kind) -> list[str]:
    return [line for line in map(str, found(parse(raw), *kinds)) if part in line.partition(": ")[0]]


def local_llm(folder: Path, **changes: Any) -> int:
    """Write the config.json of a language model; return its parameters."""
    config = {
        "model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 128, "vocab_size": 512, **changes,
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return decoder_shape(config).parameters()["total"]


@pytest.mark.parametrize("name", NAMED)
def test_names_of_real_models_are_accepted(name: str) -> None:
    nominal, total, body = NAMED[name]
    for params_b in (nominal, total / 1e9, body / 1e9):
        raw = only("table1")
        record_of(raw, "vicuna-1.5-7b").update(params_b=params_b, params=total)
        assert told(raw, ".params_b", Kind.WARNING) == []


@pytest.mark.parametrize("factor", [1000, 10, 5, 1 / 10, 1 / 1000])
@pytest.mark.parametrize("place", [1, 3])
def test_a_size_far_from_its_recorded_parameters_is_a_problem(factor: float, place: int) -> None:
    raw = only("published")
    record = raw["llms"][place]
    record.update(params_b=record["params_b"] * factor)
    lines = told(raw, f"llms[{place}].params_b")
    assert lines
    assert all(f"params: {record['params']:_}" in line for line in lines)


@pytest.mark.parametrize("factor", [100, 5, 1 / 5, 1 / 100])
@pytest.mark.parametrize("name", ["miniature-16", "miniature-84", "miniature-144"])
def test_a_size_far_from_its_width_is_a_problem(factor: float, name: str) -> None:
    raw = only("miniature")
    record = record_of(raw, name)
    # Without embeddings 5 times too large may be the total of a small model: those count more than that.
    factor = 20 if factor == 5 else factor
    record.update(params_b=record["params_b"] * factor)
    (line, *_) = told(raw, f"llms[{raw['llms'].index(record)}].params_b")
    assert f"a model of width {record['make']['width']} has" in line


@pytest.mark.parametrize("factor", [1, 1.9, 1 / 1.9, 3, 1e4, 1 / 20])
def test_a_local_model_is_counted(factor: float, tmp_path: Path) -> None:
    raw = only("paper")
    total = local_llm(tmp_path / "llm")
    record = record_of(raw, "qwen1.5-0.5b")
    record.update(hub=str(tmp_path / "llm"), revision=None, params=None, params_b=factor * total / 1e9)
    lines = told(raw, "llms[0].params_b")
    assert bool(lines) == (not 0.5 <= factor <= 2)
    assert all(f"has {total:,} parameters" in line for line in lines)


def test_without_a_law_a_wrong_size_is_a_warning(tmp_path: Path) -> None:
    raw = only("table1")
    record_of(raw, "vicuna-1.5-7b").update(params_b=70)
    assert told(raw, "params_b") == []
    assert told(raw, "params_b", Kind.WARNING)


def test_one_width_under_two_sizes_is_refused_by_a_law() -> None:
    raw = only("miniature_long")
    make = record_of(raw, "miniature-144")["make"]
    record_of(raw, "miniature-84").update(make=dict(make), params_b=4e-4)
    (line,) = told(raw, ".llms")
    assert "miniature-84 and miniature-144 are the same model, of width 144" in line
    study_of(raw, "miniature_long").update(fit={"laws": []}, holdout=[], figures=[], claims=[])
    assert told(raw, ".llms") == []


def same_model(*changes: Raw) -> bool:
    """Return whether the first two sizes of the paper's study are told to be one model."""
    raw = only("paper")
    for record, change in zip(raw["llms"], changes, strict=False):
        record.update(change)
    return any("are the same model" in line for line in told(raw, "studies[0].llms"))


HUB, ONE, OTHER = "Qwen/Qwen1.5-4B-Chat", "a" * 40, "b" * 40


@pytest.mark.parametrize("hub", [HUB, HUB.lower(), "qwen/QWEN1.5-4B-chat"])
@pytest.mark.parametrize(
    ("revisions", "params", "same"),
    [
        ((None, None), (None, None), True),
        ((ONE, ONE), (None, None), True),
        ((ONE, ONE), (460_000_000, 1_800_000_000), True),
        ((ONE, None), (None, None), True),
        ((None, ONE), (None, 1_800_000_000), True),
        ((None, ONE), (1_800_000_000, 1_800_000_000), True),
        ((None, ONE), (460_000_000, 1_800_000_000), False),
        ((ONE, OTHER), (None, None), False),
    ],
)
def test_one_repository_under_two_sizes(
    hub: str, revisions: tuple[Any, Any], params: tuple[Any, Any], same: bool
) -> None:
    records = [{"revision": r, "params": p} for r, p in zip(revisions, params, strict=True)]
    assert same_model({"hub": HUB, **records[0]}, {"hub": hub, **records[1]}) == same


def test_one_folder_under_two_names(tmp_path: Path) -> None:
    local_llm(tmp_path / "llm")
    (tmp_path / "alias").symlink_to(tmp_path / "llm")
    names = [str(tmp_path / "llm"), f"{tmp_path}/llm/", str(tmp_path / "alias")]
    for name in names[1:]:
        change = {"revision": None, "params": None}
        assert same_model({"hub": names[0], **change}, {"hub": name, **change})
    local_llm(tmp_path / "other")
    assert not same_model({"hub": names[0], **change}, {"hub": str(tmp_path / "other"), **change})
