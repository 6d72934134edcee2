"""What the rules of cells read, and the options of their commands, for every sort of study and cell."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from paretoken.config.config import Config
from paretoken.study.code_files import sources
from paretoken.study.grid import cells
from paretoken.workflow.table_rules import Tables

Of = Callable[..., SimpleNamespace]
STAGES = ("pretrain", "finetune")
PAPER, MADE = "results/paper/sources", "results/miniature/sources/s100"
OTHERS = "results/miniature_table1/sources/s302"


@pytest.fixture
def rules(config: Config) -> Tables:
    return Tables(config)


@pytest.fixture(scope="session")
def stored(changed: Callable[..., Config]) -> Tables:
    """The paper's study with stored features, and with compressors of every sort."""
    entries = [
        {"name": name, "tokens": [1, 16]} for name in ("downsample", "matryoshka_query", "random")
    ]
    own = {"features": True, "overrides": {"pretrain": ["a=1"], "finetune": ["b=2", "c.d=3"]}}
    return Tables(changed("paper", own, compressors=entries))


def test_folders_of_all_cells(rules: Tables, of: Of) -> None:
    for study, count, trained in (
        ("paper", 40, 40),
        ("miniature", 21, 21),
        ("table1", 141, 120),
        ("published", 28, 0),
    ):
        where = of(study)
        folders = rules.folders(where)
        assert rules.grid(where) == cells(rules.study(where))
        assert len(set(folders)) == len(folders) == count
        assert len(set(rules.trained_folders(where))) == len(rules.trained_folders(where)) == trained
        assert rules.score_tables(where) == [f"{folder}/scores.csv" for folder in folders]
        assert rules.error_tables(where) == [f"{folder}/errors.csv" for folder in folders]


def test_the_size_of_a_cell(rules: Tables, cell_of: Of) -> None:
    sizes = {"paper": 7.0, "miniature": 6.04e-5, "text_length": 3.41e-5, "published": 4.0}
    assert {study: rules.size(cell_of(study)) for study in sizes} == sizes


def test_recipes_and_changes_to_them(rules: Tables, stored: Tables, cell_of: Of) -> None:
    for study, prefix in (("paper", "llava"), ("miniature", "miniature"), ("text_length", "miniature")):
        for stage in STAGES:
            where = cell_of(study)
            assert rules.recipe(stage)(where) == f"workflow/recipes/{prefix}_{stage}.yaml"
            assert rules.overrides(stage)(where) == []
    assert rules.overrides("finetune")(cell_of("table1")) == ["--set", "global_batch=128"]
    assert stored.overrides("pretrain")(cell_of("paper")) == ["--set", "a=1"]
    assert stored.overrides("finetune")(cell_of("paper")) == ["--set", "b=2", "--set", "c.d=3"]


def test_what_a_cell_starts_from(rules: Tables, cell_of: Of) -> None:
    paper, made = cell_of("paper"), cell_of("miniature")
    assert rules.llm(paper) == f"{PAPER}/llms/qwen1.5-7b/run.json"
    assert rules.vision(paper) == f"{PAPER}/vision/run.json"
    assert rules.llm(made) == f"{MADE}/llms/miniature-48/run.json"
    assert rules.vision(made) == f"{MADE}/vision/run.json"
    for stage in STAGES:
        assert rules.data(stage)(paper) == f"{PAPER}/data/{stage}/run.json"
        assert rules.encoded(stage)(paper) == f"{PAPER}/encoded/{stage}/qwen1.5-7b/index.json"
        assert rules.data(stage)(made) == f"{MADE}/data/run.json"
        assert rules.encoded(stage)(made) == f"{MADE}/encoded/{stage}/world/index.json"


def test_images_of_downloaded_data_are_encoded_while_training(rules: Tables, cell_of: Of) -> None:
    for stage, aspect in (("pretrain", "crop"), ("finetune", "pad")):
        for compressor, tokens in (("tokenpacker", 16), ("tokenpacker", 0), ("downsample", 16)):
            where = cell_of("paper", compressor=compressor, tokens=tokens)
            assert rules.features(stage)(where) == []
            assert rules.images(stage)(where) == [
                "--images",
                f"{PAPER}/data/{stage}/images",
                "--aspect",
                aspect,
            ]


def test_stored_features_of_downloaded_data_are_read_by_what_can_use_them(
    stored: Tables, cell_of: Of
) -> None:
    for stage, aspect in (("pretrain", "crop"), ("finetune", "pad")):
        folder = f"{PAPER}/features/{stage}"
        for compressor, tokens in (("random", 16), ("matryoshka_query", 1), ("downsample", 0)):
            where = cell_of("paper", compressor=compressor, tokens=tokens)
            assert stored.features(stage)(where) == f"{folder}/index.json"
            assert stored.images(stage)(where) == ["--features", folder]
        smaller = cell_of("paper", compressor="downsample")
        assert stored.features(stage)(smaller) == []
        assert stored.images(stage)(smaller) == [
            "--images",
            f"{PAPER}/data/{stage}/images",
            "--aspect",
            aspect,
        ]


def test_a_world_s_features_are_one_store_for_both_stages(rules: Tables, cell_of: Of) -> None:
    for stage in STAGES:
        for tokens in (4, 0):
            where = cell_of("miniature", tokens=tokens)
            assert rules.features(stage)(where) == f"{MADE}/features/all/index.json"
            assert rules.images(stage)(where) == ["--features", f"{MADE}/features/all"]
        smaller = cell_of("miniature_table1", compressor="downsample")
        assert rules.features(stage)(smaller) == []
        assert rules.images(stage)(smaller) == [
            "--images",
            f"{OTHERS}/data/images/train",
            "--aspect",
            "crop",
            "--normalise",
        ]


def test_a_world_without_stored_features(changed: Callable[..., Config], cell_of: Of) -> None:
    rules = Tables(changed("miniature", {"features": False, "normalise": False}))
    where = cell_of("miniature")
    assert rules.features("pretrain")(where) == rules.seen_features(where) == []
    assert rules.images("pretrain")(where) == [
        "--images",
        f"{MADE}/data/images/train",
        "--aspect",
        "crop",
    ]
    assert rules.question_options(where)[2:4] == ["--images", f"{MADE}/data/images/test"]


@pytest.mark.parametrize(
    ("study", "compressor", "options"),
    [
        ("paper", "tokenpacker", []),
        ("table1", "downsample", []),
        ("miniature", "average_pool", ["--whiten"]),
        ("text_length", "average_pool", ["--whiten"]),
        ("miniature_table1", "none", ["--whiten"]),
        ("miniature_table1", "downsample", ["--whiten"]),
        ("miniature_table1", "matryoshka_pooling", ["--whiten"]),
        ("miniature_table1", "quecc", []),
        ("miniature_table1", "tokenpacker", ["--init-std", "0.08"]),
        ("miniature_table1", "matryoshka_query", ["--init-std", "0.08"]),
    ],
)
def test_what_is_said_of_the_model(
    rules: Tables, cell_of: Of, study: str, compressor: str, options: list[str]
) -> None:
    generated = ["--layers", "2", "3", "--projector-width", "128"]
    common = generated if rules.frozen(cell_of(study)).generated else []
    for tokens in (4, 0):
        where = cell_of(study, compressor=compressor, tokens=tokens)
        assert rules.model_options(where) == [*common, *options]


def test_a_study_without_init_std_leaves_it_to_the_compressor(rules: Tables, cell_of: Of) -> None:
    assert "--init-std" not in rules.model_options(cell_of("miniature", compressor="tokenpacker"))


def test_the_share_that_may_be_left_out(rules: Tables, cell_of: Of) -> None:
    shares = {
        study: rules.max_bad_share(cell_of(study)) for study in ("paper", "miniature", "published")
    }
    assert shares == {"paper": 0.001, "miniature": 0.0, "published": 0.0}


def test_answers_come_from_a_cell_s_own_training_but_for_elastic_models(
    rules: Tables, cell_of: Of
) -> None:
    end = "s302/finetune/run.json"
    runs = "results/miniature_table1/runs/miniature-48"
    for compressor, tokens, trained, told in (
        ("average_pool", 4, 4, []),
        ("average_pool", 0, 0, []),
        ("downsample", 9, 9, []),
        ("matryoshka_query", 4, 36, ["--tokens", "4"]),
        ("matryoshka_pooling", 1, 36, ["--tokens", "1"]),
    ):
        where = cell_of("miniature_table1", compressor=compressor, tokens=tokens)
        assert rules.trained(where) == f"{runs}/{compressor}-{trained}/{end}"
        assert rules.answer_tokens(where) == told
    paper = cell_of("paper")
    assert rules.trained(paper) == "results/paper/runs/qwen1.5-7b/tokenpacker-16/s0/finetune/run.json"
    elastic = rules.trained(cell_of("table1", compressor="matryoshka_pooling"))
    assert "/matryoshka_pooling-576/s2/" in elastic


def test_questions_of_fetched_benchmarks(rules: Tables, stored: Tables, cell_of: Of) -> None:
    for each in (rules, stored):
        where = cell_of("paper", benchmark="mme")
        folder = f"{PAPER}/questions/mme"
        assert each.questions(where) == f"{folder}/run.json"
        assert each.question_options(where) == [
            "--questions",
            f"{folder}/questions.parquet",
            "--images",
            f"{folder}/images",
        ]
        assert each.seen_features(where) == [], "features are of the training images"
        assert each.latency(where) == []


def test_questions_of_a_world(rules: Tables, cell_of: Of) -> None:
    for wildcards in ({"benchmark": "world"}, {}):  # the rule of text lengths has no such wildcard
        for tokens in (4, 0):
            where = cell_of("miniature", tokens=tokens, **wildcards)
            assert rules.questions(where) == f"{MADE}/data/run.json"
            assert rules.question_options(where) == [
                "--questions",
                f"{MADE}/data/questions/questions.parquet",
                "--features",
                f"{MADE}/features/all",
                "--batch",
                "256",
            ]
            assert rules.seen_features(where) == f"{MADE}/features/all/index.json"
            folder = f"results/miniature/runs/miniature-48/average_pool-{tokens}/s100"
            assert rules.latency(where) == ["--out-latency", f"{folder}/latency.json"]
        smaller = cell_of("miniature_table1", compressor="downsample", **wildcards)
        assert rules.question_options(smaller) == [
            "--questions",
            f"{OTHERS}/data/questions/questions.parquet",
            "--images",
            f"{OTHERS}/data/images/test",
            "--batch",
            "256",
        ]
        assert rules.seen_features(smaller) == []


def test_how_answers_are_scored(rules: Tables, cell_of: Of) -> None:
    own = {"mme": ["perception"], "scienceqa": ["llava"], "textvqa": [], "gqa": []}
    for benchmark, variant in own.items():
        options = rules.scoring_options(cell_of("table1", benchmark=benchmark))
        assert options == [word for name in variant for word in ("--variant", name)]
    assert rules.scoring_options(cell_of("paper", benchmark="mme")) == []
    assert rules.scoring_options(cell_of("miniature", benchmark="world")) == []


def test_the_files_of_a_benchmark_are_its_own(rules: Tables, cell_of: Of) -> None:
    shared = sources("paretoken.commands.score")
    for study, benchmark in (("paper", "mme"), ("paper", "docvqa"), ("miniature", "world")):
        files = rules.scoring_code(cell_of(study, benchmark=benchmark))
        assert not {*files} & {*shared}
        assert any(file.endswith(f"/evaluate/benchmarks/{benchmark}.py") for file in files)


def test_a_task_of_lmms_eval(changed: Callable[..., Config], cell_of: Of) -> None:
    suite = {"name": "a", "title": "A", "role": "ocr", "benchmarks": ["mme", "theirs", "plain"]}
    entries = [
        {
            "name": "theirs",
            "harness": "lmms_eval",
            "task": "their_task",
            "limit": 9,
            "metric": "acc",
            "maximum": 100,
            "include": "tasks",
            "allow_code": True,
        },
        {"name": "plain", "harness": "lmms_eval", "count": 50},
    ]
    rules = Tables(changed("paper", {"benchmarks": entries}, suites=[suite]))
    assert rules.lmms_options(cell_of("paper", benchmark="theirs")) == [
        "--benchmark",
        "theirs",
        "--task",
        "their_task",
        "--metric",
        "acc",
        "--maximum",
        "100.0",
        "--include-path",
        "tasks",
        "--limit",
        "9",
        "--allow-code",
    ]
    assert rules.lmms_options(cell_of("paper", benchmark="plain")) == [
        "--benchmark",
        "plain",
        "--task",
        "plain",
    ]
    folder = "results/paper/runs/qwen1.5-7b/tokenpacker-16/s0/scores"
    names = ["mme", "theirs", "plain"]
    assert rules.scores(cell_of("paper")) == [f"{folder}/{name}.json" for name in names]


def test_scores_of_a_cell_and_what_suites_average(rules: Tables, cell_of: Of) -> None:
    paper, made = cell_of("paper"), cell_of("miniature")
    folder = "results/paper/runs/qwen1.5-7b/tokenpacker-16/s0/scores"
    asked = rules.study(paper).benchmarks
    assert rules.scores(paper) == [f"{folder}/{name}.json" for name in asked]
    assert rules.suites(paper) == [
        "visual_reasoning=mme,gqa,ai2d,mmbench,mmmu,scienceqa,mathvista,pope,chartqa",
        "ocr=docvqa,textvqa",
        "everyday=vizwiz,vqav2",
    ]
    assert rules.scores(made) == [
        "results/miniature/runs/miniature-48/average_pool-4/s100/scores/world.json"
    ]
    assert rules.suites(made) == ["reasoning=fact,number,property", "ocr=read_sparse,read_dense"]


def test_lengthened_questions_are_asked_of_cells_that_see(rules: Tables, of: Of) -> None:
    assert rules.lengths(of("text_length")) == [2, 8, 32, 64]
    assert rules.lengths(of("miniature")) == []
    tables = rules.text_lengths(of("text_length"))
    assert tables == [f"{folder}/text_length.csv" for folder in rules.folders(of("text_length"))]
    assert len(rules.text_lengths(of("miniature"))) == 20, "21 cells, one of them blind"
    assert not any("-0/" in table for table in rules.text_lengths(of("miniature")))


def test_costs_are_known_after_the_answers_of_a_world_and_after_other_training(
    rules: Tables, of: Of
) -> None:
    made, table1 = of("miniature"), of("table1")
    assert rules.cost_records(made) == [f"{f}/answers/world.parquet" for f in rules.folders(made)]
    trained = [f"{folder}/finetune/run.json" for folder in rules.trained_folders(table1)]
    assert rules.cost_records(table1) == trained
    assert rules.cost_records(of("published")) == []
