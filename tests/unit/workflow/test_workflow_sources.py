"""What the rules of sources read, and the options of their commands: of fetched and of made sources."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from paretoken.config.config import Config
from paretoken.config.sources import Data, Folder
from paretoken.plan.resources import CPU_JOBS
from paretoken.workflow.cell_rules import Cells
from paretoken.workflow.source_rules import Sources, seed_of

Of = Callable[..., SimpleNamespace]
PAPER, MADE = "results/paper/sources", "results/miniature/sources/s100"


@pytest.fixture
def rules(config: Config) -> Sources:
    return Sources(config)


@pytest.fixture
def made(of: Of) -> Of:
    """Wildcards of sources of the miniature."""
    return lambda **values: of("miniature", **({"origin": "sources/s100"} | values))


@pytest.fixture
def fetched(of: Of) -> Of:
    """Wildcards of sources of the paper's study."""
    return lambda **values: of("paper", **({"origin": "sources"} | values))


def test_the_seed_is_part_of_the_origin_of_what_is_made(made: Of, fetched: Of) -> None:
    assert seed_of(fetched()) == 0
    assert seed_of(made()) == 100
    assert seed_of(made(origin="sources/s0")) == 0


def test_where_models_are_fetched_from(rules: Sources, of: Of, changed: Callable[..., Config]) -> None:
    assert rules.fetched(of("paper", model="vision")) == [
        "--kind",
        "vision",
        "--source",
        "openai/clip-vit-large-patch14-336",
        "--revision",
        "ce19dc912ca5cd21c8a653c79e251e808ccabcd1",
        "--params",
        "303507456",
        "--grid",
        "24",
    ]
    assert rules.fetched(of("paper", model="llms/qwen1.5-14b")) == [
        "--kind",
        "llm",
        "--source",
        "Qwen/Qwen1.5-14B-Chat",
        "--revision",
        "9492b22871f43e975435455f5c616c77fe7a50ec",
        "--params",
        "14167290880",
        "--template",
        "qwen_1_5",
    ]
    config = rules.config
    bare = [llm.model_copy(update={"revision": None, "params": None}) for llm in config.llms]
    short = Sources(config.model_copy(update={"llms": bare}))
    assert short.fetched(of("paper", model="llms/qwen1.5-14b")) == [
        "--kind",
        "llm",
        "--source",
        "Qwen/Qwen1.5-14B-Chat",
        "--template",
        "qwen_1_5",
    ]


def test_what_is_made_follows_from_the_records(rules: Sources, made: Of, fetched: Of) -> None:
    where = made(llm="miniature-28")
    assert rules.world(where) == "workflow/recipes/miniature_world.yaml"
    assert rules.world_seed(where) == 1
    assert rules.world_seed(SimpleNamespace(study="text_length")) == 5
    assert rules.vision_recipe(where) == "workflow/recipes/miniature_vision.yaml"
    assert rules.llm_recipe(where) == "workflow/recipes/miniature_llm.yaml"
    assert rules.llm_width(where) == 28
    assert (rules.grid(where), rules.grid(fetched())) == (6, 24)


def test_where_downloaded_data_are(rules: Sources, fetched: Of) -> None:
    where = fetched(stage="finetune")
    manifest = "workflow/reference/llava_data.yaml"
    assert rules.data_files(where) == manifest
    assert rules.data_options(where) == [
        *("--manifest", manifest),
        *("--data-set", "finetune"),
        *("--root", "data/llava"),
        *("--max-bad-share", "0.001"),
    ]
    records = [data.model_copy(update={"decode": False}) for data in rules.config.data]
    quick = Sources(rules.config.model_copy(update={"data": records}))
    assert quick.data_options(where)[-1] == "--no-decode"


@pytest.mark.parametrize("images", ["pictures", None])
def test_ones_own_data_are_named_by_their_files(rules: Sources, fetched: Of, images: str | None) -> None:
    own = Folder(path="data/own", pretrain="captions.jsonl", finetune="chats.parquet", images=images)
    records = [Data(name=data.name, folder=own) if data.manifest else data for data in rules.config.data]
    changed = Sources(rules.config.model_copy(update={"data": records}))
    where, part = fetched(stage="pretrain", vocabulary="qwen1.5-7b"), fetched(part="finetune")
    assert changed.data_files(where) == "data/own/captions.jsonl"
    named = ["--images", "data/own/pictures"] if images else []
    assert changed.data_options(where) == [
        *("--conversations", "data/own/captions.jsonl"),
        *named,
        *("--max-bad-share", "0.0"),
    ]
    # The steps that follow read what `paretoken data` writes, as they do for downloaded data.
    assert changed.conversations(where) == rules.conversations(where)
    seen = [] if images is None else ["--images", f"{PAPER}/data/finetune/images"]
    rows = ["--data", f"{PAPER}/data/finetune/conversations"]
    skipped = ["--skipped", f"{PAPER}/data/finetune/skipped.json"]
    assert changed.images(part) == [*rows, *skipped, *seen, "--aspect", "pad"]
    cell = fetched(llm="qwen1.5-7b", compressor="tokenpacker", tokens="4", seed="0")
    trained = Cells(changed.config).images("finetune")(cell)
    place = "conversations" if images is None else "images"
    assert trained == ["--images", f"{PAPER}/data/finetune/{place}", "--aspect", "pad"]


def test_the_share_that_may_be_left_out_is_that_of_the_data(
    rules: Sources, made: Of, fetched: Of
) -> None:
    assert (rules.max_bad_share(fetched()), rules.max_bad_share(made())) == (0.001, 0.0)


def test_tokenizing_reads_a_stage_and_the_tokenizer_of_a_model(rules: Sources, fetched: Of) -> None:
    for stage, template in (("pretrain", "plain"), ("finetune", "chat")):
        where = fetched(stage=stage, vocabulary="qwen1.5-7b")
        data = f"{PAPER}/data/{stage}"
        assert rules.data(where) == f"{data}/run.json"
        assert rules.tokenizer(where) == f"{PAPER}/llms/qwen1.5-7b/run.json"
        assert rules.conversations(where) == [
            "--data",
            f"{data}/conversations",
            "--skipped",
            f"{data}/skipped.json",
            "--llm",
            f"{PAPER}/llms/qwen1.5-7b",
            "--template",
            template,
        ]


def test_tokenizing_reads_a_world_with_its_own_tokenizer(rules: Sources, made: Of) -> None:
    for stage in ("pretrain", "finetune"):
        where = made(stage=stage, vocabulary="world")
        assert rules.data(where) == rules.tokenizer(where) == f"{MADE}/data/run.json"
        assert rules.conversations(where) == [
            "--data",
            f"{MADE}/data/{stage}",
            "--llm",
            f"{MADE}/data/tokenizer",
            "--template",
            "chat",
        ]


def test_features_of_a_world_are_of_all_its_images(rules: Sources, made: Of) -> None:
    where = made(part="all")
    assert rules.data(where) == f"{MADE}/data/run.json"
    images = [f"{MADE}/data/images/train", f"{MADE}/data/images/test"]
    assert rules.images(where) == ["--data", *images, "--aspect", "crop"]
    # Whichever compressors the study has: a new one encodes nothing anew.
    assert rules.encoder_options(where) == ["--layers", "2", "3", "--normalise"]


@pytest.mark.parametrize(("part", "aspect"), [("pretrain", "crop"), ("finetune", "pad")])
def test_features_of_downloaded_data_are_of_a_stage(
    rules: Sources, fetched: Of, part: str, aspect: str
) -> None:
    where, data = fetched(part=part), f"{PAPER}/data/{part}"
    assert rules.images(where) == [
        "--data",
        f"{data}/conversations",
        "--skipped",
        f"{data}/skipped.json",
        "--images",
        f"{data}/images",
        "--aspect",
        aspect,
    ]
    assert rules.encoder_options(where) == ["--compressors", "tokenpacker"]
    assert rules.data(where) == f"{data}/run.json"


def test_features_hold_what_compressors_need_that_can_use_them(rules: Sources, of: Of) -> None:
    listed = rules.encoder_options(of("table1"))[1:]
    study = rules.config.study("table1")
    assert listed == [entry.name for entry in study.compressors if entry.name != "downsample"]
    few = study.model_copy(update={"compressors": [study.compressors[10]]})
    studies = [few if each.name == "table1" else each for each in rules.config.studies]
    alone = Sources(rules.config.model_copy(update={"studies": studies}))
    assert alone.encoder_options(of("table1")) == ["--compressors", "downsample"]


def test_what_jobs_of_sources_need_is_little_for_a_world(rules: Sources, made: Of, fetched: Of) -> None:
    for stage in ("tokenize", "features"):
        small, large = CPU_JOBS["sources"], CPU_JOBS[stage]
        for what in ("gpus", "cpus", "mem_mb", "runtime_min"):
            grows = what in ("mem_mb", "runtime_min")
            need = rules.needs(stage, what)
            for where, same in ((made(), small), (fetched(), large)):
                first = getattr(same, what)
                assert need(where, 1) == first
                assert need(where, 3) == (3 * first if grows else first)


@pytest.mark.parametrize(
    ("own", "options"),
    [
        ({}, []),
        ({"scoring": "perception"}, []),
        (
            {"source": "copies/mme", "revision": "abc", "limit": 10},
            ["--source", "copies/mme", "--revision", "abc", "--limit", "10"],
        ),
    ],
)
def test_what_a_study_asks_differently(
    changed: Callable[..., Config], fetched: Of, own: dict[str, Any], options: list[str]
) -> None:
    rules = Sources(changed("paper", {"benchmarks": [{"name": "mme", **own}]}))
    assert rules.question_options(fetched(benchmark="mme")) == options
    assert rules.question_options(fetched(benchmark="gqa")) == []


def test_another_variant_of_the_questions(rules: Sources, of: Of) -> None:
    assert rules.question_options(of("table1", benchmark="textvqa")) == ["--variant", "ocr"]
    assert rules.question_options(of("table1", benchmark="scienceqa")) == [], "scored differently only"
