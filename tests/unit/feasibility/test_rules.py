"""Rules one by one: what is wrong is told with its place, what is allowed and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import hub_data
from feasible_studies import ROOT, Raw, data_of, found, shipped, source_of, study_of
from paretoken.config.asked import benchmarks_of
from paretoken.config.config import Config, parse
from paretoken.errors import UserError
from paretoken.feasibility.examine import blocking, examine, require_runnable
from paretoken.feasibility.findings import Kind
from paretoken.registry import BENCHMARKS


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # paths in the config are relative to it


def changed(name: str, study: dict[str, Any] | None = None, **training: Any) -> Raw:
    """Return the shipped config with other values in a study and in its training."""
    raw = shipped()
    record = study_of(raw, name)
    record.update(study or {})
    if training:
        record["training"] = {**record["training"], **training}
    return raw


def with_record(raw: Raw, key: str, name: str, **values: Any) -> Raw:
    """Return a config with other values in a record of `llms` or `vision`."""
    next(record for record in raw[key] if record["name"] == name).update(values)
    return raw


def with_data(study: str, **values: Any) -> Raw:
    """Return the shipped config with other values in the record of the data of a study."""
    raw = shipped()
    data_of(raw, study).update(values)
    return raw


def with_encoder(raw: Raw, study: str, **values: Any) -> Raw:
    """Return a config in which a study has an encoder of its own, the last one under `vision`."""
    raw["vision"].append({"name": "other", **values})
    study_of(raw, study)["vision"] = "other"
    return raw


def told(raw: Raw, *kinds: Kind) -> list[str]:
    return [str(finding) for finding in found(parse(raw), *kinds)]


def assert_told(raw: Raw, place: str, *words: str, kind: Kind | None = None) -> None:
    lines = told(raw, *([kind] if kind else []))
    assert any(line.startswith(f"{place}: ") and all(w in line for w in words) for line in lines), lines


PAPER, MINIATURE, TABLE1 = "studies[3]", "studies[1]", "studies[4]"
ONE_SIZE = {"llms": ["qwen1.5-0.5b"], "holdout": []}


@pytest.mark.parametrize(
    ("stage", "change", "words"),
    [
        ("finetune", "learning_rate=4e-5", ["'learning_rate'", "did you mean 'learning_rates'"]),
        (
            "pretrain",
            "learning_rates.projecter=1",
            ["learning_rates.projecter", "did you mean 'projector'"],
        ),
        ("finetune", "learning_rates.llm=fast", ["learning_rates.llm", "'fast'"]),
        ("finetune", "global_batch=0", ["global_batch", "1 or more"]),
        ("finetune", "global_batch=2.5", ["global_batch", "whole number"]),
        ("finetune", "warmup=2", ["warmup", "1 or less"]),
        ("finetune", "precision=fp16", ["precision", "'bf16'"]),
        ("finetune", "steps=10", ["either steps or epochs"]),
        ("pretrain", "learning_rates.llm=1e-3", ["no meaning in pretrain"]),
        ("pretrain", "stage=finetune", ["learning_rates.llm is required"]),
        ("finetune", "global_batch=[", ["global_batch", "not valid YAML"]),
        ("finetune", "steps=2024-13-45", ["not valid YAML"]),
        ("finetune", "learning_rates.llm.x=1", ["llm is '2e-5', which has no keys"]),
        ("pretrain", "max_length=512", ["max_length = 512", "576 visual tokens", "832 or more"]),
        ("pretrain", "max_length=600", ["max_length = 600", "576 visual tokens"]),
    ],
)
def test_changes_to_a_recipe_are_checked(stage: str, change: str, words: list[str]) -> None:
    overrides = {"pretrain": [], "finetune": [], stage: [change]}
    assert_told(changed("paper", overrides=overrides), f"{PAPER}.training.overrides.{stage}", *words)


def test_a_change_appears_once() -> None:
    overrides = {"finetune": ["global_batch=128", "global_batch=256"]}
    place = f"{PAPER}.training.overrides.finetune"
    assert_told(changed("paper", overrides=overrides), place, "global_batch appears 2 times")


def test_a_recipe_that_is_missing_or_of_another_stage_is_told() -> None:
    recipes = {"pretrain": "nowhere.yaml", "finetune": "workflow/recipes/llava_pretrain.yaml"}
    raw = changed("paper", recipes=recipes)
    assert_told(raw, f"{PAPER}.training.recipes.pretrain", "nowhere.yaml cannot be read")
    assert_told(raw, f"{PAPER}.training.recipes.finetune", "is a recipe for pretrain")


@pytest.mark.parametrize("key", ["world", "vision", "llm"])
def test_recipes_of_the_miniature_are_read(key: str) -> None:
    raw = shipped()
    place, source = source_of(raw, "miniature", key)
    source["recipe"] = "workflow/recipes/llava_pretrain.yaml"
    assert_told(raw, f"{place}.recipe", "is missing; add it")


@pytest.mark.parametrize(
    ("own", "key", "words"),
    [
        ({"name": "mme", "questions": "perception"}, "questions", ["write scoring: perception"]),
        ({"name": "textvqa", "scoring": "ocr"}, "scoring", ["write questions: ocr"]),
        ({"name": "docvqa", "scoring": "binary"}, "scoring", ["'binary'", "did you mean 'binarised'"]),
        ({"name": "docvqa", "questions": "binary"}, "questions", ["'binary'", "(none defined)"]),
        ({"name": "vizwiz", "scoring": "x"}, "scoring", ["'x'", "(none defined)"]),
        ({"name": "mme", "source": "./nowhere"}, "source", ["./nowhere is not a directory"]),
        ({"name": "mme", "source": "two words"}, "source", ["'two words' is not a hub's id"]),
    ],
)
def test_settings_of_benchmarks_are_checked(own: Raw, key: str, words: list[str]) -> None:
    place = f"{PAPER}.training.benchmarks[0].{key}"
    assert_told(changed("paper", benchmarks=[own]), place, *words)


def test_a_local_source_holds_the_files_and_columns_of_its_benchmark(tmp_path: Path) -> None:
    place, mme, gqa = f"{PAPER}.training.benchmarks[0].source", tmp_path / "mme", tmp_path / "gqa"

    def of(name: str, folder: Path) -> Raw:
        return changed("paper", benchmarks=[{"name": name, "source": str(folder)}])

    mme.mkdir()
    assert_told(of("mme", mme), place, "has no files of config default, split test")
    hub_data.write_mme(mme)
    hub_data.write_gqa(gqa)
    assert_told(of("mathvista", mme), place, "has no files of config default, split testmini")
    assert_told(of("pope", mme), place, "test-00000-of-00001.parquet has no column")
    assert_told(of("mme", gqa), place, "has no files of config default, split test")
    for name, folder in (("mme", mme), ("gqa", gqa)):
        assert not [line for line in told(of(name, folder)) if ".source" in line]
    (mme / "data" / "test-00000-of-00001.parquet").write_bytes(b"PAR1" * 9)
    assert_told(of("mme", mme), place, "is not a whole Parquet file")


def test_stage_2_is_asked_with_a_template_that_has_questions() -> None:
    for template in ("plain", "plain_llava"):
        with pytest.raises(UserError, match=f"unknown template of stage 2 '{template}'"):
            parse(changed("paper", templates={"pretrain": "plain", "finetune": template}))


def test_every_variant_is_accepted_under_its_own_key() -> None:
    for name in benchmarks_of(generated=False):
        for variant in BENCHMARKS.load(name).variants:
            raw = changed("paper", benchmarks=[{"name": name, variant.key: variant.name}])
            assert told(raw) == [], (name, variant)


@pytest.mark.parametrize(("gpus", "batch", "right"), [(3, 256, False), (8, 256, True), (3, 96, True)])
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_gpus_divide_the_batch(gpus: int, batch: int, right: bool, stage: str) -> None:
    raw = changed("paper", overrides={stage: [f"global_batch={batch}"]})
    with_record(raw, "llms", "qwen1.5-0.5b", gpus={"pretrain": 1, "finetune": 1, stage: gpus})
    if right:
        return assert_nothing_about(raw, f"llms[0].gpus.{stage}")
    return assert_told(raw, f"llms[0].gpus.{stage}", "3 GPUs", f"{batch} conversations", "1, 2, 4")


def assert_nothing_about(raw: Raw, place: str) -> None:
    assert [line for line in told(raw) if line.startswith(place)] == []


def test_gpus_are_spread_evenly_over_nodes() -> None:
    raw = changed("paper", overrides={"finetune": ["global_batch=270"]})
    with_record(raw, "llms", "qwen1.5-0.5b", gpus={"finetune": 9})
    assert_told(raw, "llms[0].gpus.finetune", "9 GPUs", "2 nodes")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (ONE_SIZE, ["only one size (N = 0.5)"]),
        ({"compressors": [{"name": "tokenpacker", "tokens": [4]}]}, ["only one number of visual"]),
        ({"llms": ["qwen1.5-0.5b", "qwen1.5-14b"]}, ["only one size", "sizes under holdout"]),
        (
            {
                "llms": ["qwen1.5-0.5b", "qwen1.5-7b"],
                "holdout": [],
                "compressors": [{"name": "tokenpacker", "tokens": [1, 4]}],
            },
            ["additive cannot be fitted", "4 distinct cells for 5 parameters"],
        ),
    ],
)
def test_cells_must_determine_the_laws(change: Raw, words: list[str]) -> None:
    assert_told(changed("paper", change), f"{PAPER}.fit.laws", *words, "laws: []")


def test_claims_need_published_numbers() -> None:
    lines = told(changed("paper", {"published": None}))
    assert any("studies[3].claims: five_times_faster needs published.values" in line for line in lines)
    assert not any("ocr_reverses" in line for line in lines)


def test_a_figure_without_its_suite_is_told() -> None:
    suites = [s for s in study_of(shipped(), "paper")["suites"] if s["role"] != "ocr"]
    raw = changed("paper", {"suites": suites})
    assert_told(raw, f"{PAPER}.figures", "fig4 needs a suite with role ocr", "take fig4 out of figures")


def test_the_grid_of_a_miniature_is_that_of_its_encoder() -> None:
    make = {"recipe": "workflow/recipes/miniature_vision.yaml"}
    raw = with_encoder(shipped(), "miniature", grid=12, make=make)
    assert_told(raw, "vision[2].grid", "is 12", "6 x 6 patches; write 6")


@pytest.mark.parametrize(
    ("hub", "side"),
    [
        ("openai/clip-vit-large-patch14-336", 24),
        ("google/siglip-so400m-patch14-384", 27),
        ("openai/clip-vit-base-patch16", 14),
    ],
)
def test_the_grid_is_what_the_encoders_id_says(hub: str, side: int) -> None:
    def with_grid(grid: int) -> Raw:
        raw = changed("paper", {"compressors": [{"name": "random", "tokens": [1, 4, 9]}]})
        return with_encoder(raw, "paper", hub=hub, grid=grid, revision="main")

    assert_nothing_about(with_grid(side), "vision[2]")
    assert_told(with_grid(12), "vision[2].grid", "is 12", f"{side} patches per side; write {side}")


@pytest.mark.parametrize("compressor", ["prumerge", "prumerge_plus"])
@pytest.mark.parametrize("local", [False, True])
def test_prumerge_needs_a_class_token(compressor: str, local: bool, tmp_path: Path) -> None:
    config = {
        "model_type": "siglip",
        "vision_config": {"image_size": 384, "patch_size": 14, "hidden_size": 1152},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    hub = str(tmp_path) if local else "google/siglip-so400m-patch14-384"
    raw = changed("paper", {"compressors": [{"name": compressor, "tokens": [1, 4, 9]}]})
    with_encoder(raw, "paper", hub=hub, grid=27)
    assert_told(raw, f"{PAPER}.compressors", compressor, "class token", "SigLIP")


def test_a_local_encoder_has_its_own_grid(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "clip_vision_model", "image_size": 48, "patch_size": 8})
    )
    raw = changed("paper", {"compressors": [{"name": "tokenpacker", "tokens": [1, 4, 9]}]})
    with_encoder(raw, "paper", hub=str(tmp_path), grid=12)
    assert_told(raw, "vision[2].grid", "is 12", "6 patches per side")


def test_a_local_language_model_is_read(tmp_path: Path) -> None:
    raw = with_record(shipped(), "llms", "qwen1.5-0.5b", hub=str(tmp_path), revision=None)
    assert_told(raw, "llms[0].hub", "config.json cannot be read")
    sizes = (
        "hidden_size",
        "num_attention_heads",
        "num_hidden_layers",
        "intermediate_size",
        "vocab_size",
    )
    config = {"model_type": "qwen2", **dict.fromkeys(sizes, 8), "max_position_embeddings": 1024}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert_told(raw, "llms[0].hub", "reads 1024 tokens at most", "max_length = 2048")
    assert_told(raw, "llms[0].hub", "has 4,040 parameters, but params says", "is it the right model?")
    with_record(raw, "llms", "qwen1.5-0.5b", revision="main")
    assert_told(raw, "llms[0].hub", "has no revision")
    with_record(raw, "llms", "qwen1.5-0.5b", hub="~/no/such/model")
    assert_told(raw, "llms[0].hub", "/no/such/model is not a directory")


def test_one_model_under_two_sizes_is_refused_by_a_law() -> None:
    shared = {"hub": "Qwen/Qwen1.5-0.5B-Chat", "revision": None}
    raw = with_record(shipped(), "llms", "qwen1.5-0.5b", **shared)
    assert not any("are the same model" in line for line in told(raw))
    with_record(raw, "llms", "qwen1.5-1.8b", **shared)
    assert_told(raw, f"{PAPER}.llms", "qwen1.5-0.5b and qwen1.5-1.8b are the same model")
    raw["studies"][3]["fit"] = {"laws": []}
    assert not any("are the same model" in line for line in told(raw))


def test_sizes_of_several_families_under_a_law_are_a_warning() -> None:
    llms = [*study_of(shipped(), "paper")["llms"], "vicuna-1.5-7b"]
    raw = with_record(changed("paper", {"llms": llms}), "llms", "vicuna-1.5-7b", params_b=6.7)
    assert told(raw) == []
    assert_told(raw, f"{PAPER}.llms", "qwen1.5: ", "vicuna: vicuna-1.5-7b", kind=Kind.WARNING)
    assert not any(".llms" in line for line in told(shipped(), Kind.WARNING))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("llm,params_b\n", ["lacks the column"]),
        ("llm,params_b,compressor,visual_tokens,suite,error\n", ["has no row with llm = qwen1.5-0.5b"]),
    ],
)
def test_a_measured_table_has_every_cell(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "table.csv").write_text(text)
    raw = changed("published", {"measured": str(tmp_path / "table.csv")})
    assert_told(raw, "studies[0].measured", *words)


def test_a_measured_table_that_lacks_a_suite_row_is_told(tmp_path: Path) -> None:
    lines = Path("workflow/reference/published_errors.csv").read_text().splitlines()
    broken = [line.replace(",0.6145,", ",much,") for line in lines if ",576,ocr" not in line]
    (tmp_path / "table.csv").write_text("\n".join(broken))
    raw = changed("published", {"measured": str(tmp_path / "table.csv")})
    assert_told(raw, "studies[0].measured", "error = 'much'")
    assert_told(raw, "studies[0].measured", "visual_tokens = 576", "suite = ocr")


@pytest.mark.parametrize(
    ("study", "place", "words"),
    [
        ({"latency": "nowhere.csv"}, "latency", ["nowhere.csv cannot be read"]),
        ({"latency": "config.yaml"}, "latency", ["config.yaml"]),
        ({"price_per_hour": 2}, "price_per_hour", ["no meaning without latency"]),
        ({"published": {"values": "config.yaml"}}, "published.values", ["config.yaml"]),
        ({"published": {"values": "nowhere.csv"}}, "published.values", ["nowhere.csv cannot be read"]),
    ],
)
def test_tables_that_a_study_names_are_read(study: Raw, place: str, words: list[str]) -> None:
    assert_told(changed("paper", study), f"{PAPER}.{place}", *words)


def test_the_manifest_is_read_and_missing_data_are_a_warning() -> None:
    raw = with_data("paper", manifest="nowhere.yaml")
    assert_told(raw, "data[0].manifest", "nowhere.yaml cannot be read")
    raw = with_data("paper", root="no/where")
    assert told(raw) == []
    assert_told(raw, "data[0].root", "--root no/where --check", kind=Kind.WARNING)


@pytest.mark.parametrize(
    ("name", "values", "training", "place", "words"),
    [
        ("miniature", {}, {"layers": [2, 4]}, f"{MINIATURE}.training.layers", ["4 is not a layer"]),
        ("repetition", {}, {"layers": [3]}, "studies[5].training.layers", ["queries from layer 2"]),
        (
            "text_length",
            {"fit": {"laws": []}, "figures": [], "claims": []},
            {},
            "studies[6].training.lengthened",
            ["name a law"],
        ),
        ("text_length", {}, {"lengthened": [120]}, "studies[6].training.lengthened", ["read 128"]),
        ("miniature", {"predict": ["qwen1.5-7b"]}, {}, "llms[3].make", ["is missing", "predict"]),
    ],
)
def test_a_miniature_is_checked(
    name: str, values: Raw, training: Raw, place: str, words: list[str]
) -> None:
    assert_told(changed(name, values, **training), place, *words)


def test_a_width_that_cannot_be_split_is_told() -> None:
    make = {"recipe": "workflow/recipes/miniature_llm.yaml", "width": 31}
    raw = with_record(shipped(), "llms", "miniature-28", make=make)
    assert_told(raw, "llms[7].make.width", "width 31 cannot be split")


@pytest.mark.parametrize("seeds", [[2**40], [2**32], [-1]])
def test_seeds_are_those_that_generators_take(seeds: list[int]) -> None:
    world = {"recipe": "workflow/recipes/miniature_world.yaml", "seed": seeds[0]}
    for raw in (changed("paper", {"seeds": seeds}), with_data("miniature", world=world)):
        with pytest.raises(UserError, match=r"seed.* = .*must be"):
            parse(raw)


@pytest.mark.parametrize("name", ["a.", "con..", "x" * 101])
def test_names_that_file_systems_change_are_refused(name: str) -> None:
    raw = shipped()
    raw["llms"].append({"name": name, "params_b": 3})
    with pytest.raises(UserError, match=r"not end in|too long"):
        parse(raw)


def test_texts_that_no_file_can_hold_are_refused() -> None:
    with pytest.raises(UserError, match=r"studies\[0\]\.measured.*cannot be stored in a file"):
        parse(changed("published", {"measured": "a\0b"}))


def test_deepspeed_files_are_read(tmp_path: Path) -> None:
    recipe = Path("workflow/recipes/llava_finetune.yaml").read_text()
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe)
    recipes = {"pretrain": "workflow/recipes/llava_pretrain.yaml", "finetune": str(path)}
    raw, place = changed("paper", recipes=recipes), f"{PAPER}.training.recipes.finetune"
    assert_told(raw, place, "zero3.json cannot be read")
    (tmp_path / "deepspeed").mkdir()
    for text, words in [
        ("{", "not valid JSON"),
        ("[]", "must be one of 1, 2 and 3"),
        ('{"zero_optimization": 3}', "must be one of 1, 2 and 3"),
        ('{"zero_optimization": {"stage": 3}, "fp16": {}}', "sets 'fp16'"),
    ]:
        (tmp_path / "deepspeed/zero3.json").write_text(text)
        assert_told(raw, place, words)


def test_flash_attention_needs_bf16() -> None:
    overrides = {"finetune": ["attention=flash_attention_2", "precision=fp32"]}
    place = f"{PAPER}.training.recipes.finetune"
    assert_told(changed("paper", overrides=overrides), place, "needs precision: bf16")


def config_with_problems() -> Config:
    """Return a config whose studies that are not run lack a file, and contradict themselves."""
    raw = changed("table1", data="other")
    raw["data"].append({"name": "other", "manifest": "nowhere.yaml", "root": "."})
    study_of(raw, "paper")["compressors"] = [{"name": "tokenpacker", "tokens": [4]}]
    return parse(raw)


def test_missing_files_stop_only_the_studies_that_are_run() -> None:
    config = config_with_problems()
    findings = examine(config)
    assert {f.study for f in blocking(config, findings)} == {"paper"}
    selected = config.model_copy(update={"run": ["table1"]})
    assert {f.study for f in blocking(selected, findings)} == {"paper", "table1"}
    with pytest.raises(UserError, match=r"^config.yaml has \d+ problem") as refused:
        require_runnable(config)
    assert "nowhere.yaml" not in str(refused.value)


def test_warnings_are_of_the_studies_that_are_run() -> None:
    raw = shipped()
    assert require_runnable(parse(raw)) == []
    raw["run"] = ["paper"]
    assert [f.place for f in require_runnable(parse(raw))] == ["data[0].root"]
