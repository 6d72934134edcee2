"""Where a study keeps its files: sources of downloaded data once, of a generated world once per seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from paretoken.config.config import Config
from paretoken.study import paths
from paretoken.study.grid import Cell, cells

PAPER, MADE = Path("results/paper/sources"), Path("results/miniature/sources/s7")


def test_sources_of_downloaded_data_serve_all_seeds(config: Config) -> None:
    paper = config.freeze("paper")
    for seed in (0, 7):
        assert paths.sources(paper, seed) == PAPER
        assert paths.llm_folder(paper, "qwen1.5-4b", seed) == PAPER / "llms" / "qwen1.5-4b"
        assert paths.vision_folder(paper, seed) == PAPER / "vision"
        assert paths.data_folder(paper, "pretrain", seed) == PAPER / "data" / "pretrain"
        assert paths.data_folder(paper, "finetune", seed) == PAPER / "data" / "finetune"
        assert paths.vocabulary(paper, "qwen1.5-4b") == "qwen1.5-4b"
        encoded = paths.encoded_folder(paper, "finetune", "qwen1.5-4b", seed)
        assert encoded == PAPER / "encoded" / "finetune" / "qwen1.5-4b"
        assert paths.features_folder(paper, "finetune", seed) == PAPER / "features" / "finetune"
        questions = PAPER / "questions" / "gqa"
        assert paths.questions_record(paper, "gqa", seed) == questions / "run.json"
        assert paths.questions_file(paper, "gqa", seed) == questions / "questions.parquet"


def test_sources_of_a_world_are_made_for_each_seed(config: Config) -> None:
    made = config.freeze("miniature")
    assert paths.sources(made, 7) == MADE
    assert paths.llm_folder(made, "miniature-28", 7) == MADE / "llms" / "miniature-28"
    assert paths.vision_folder(made, 7) == MADE / "vision"
    for stage in ("pretrain", "finetune", paths.ALL):
        assert paths.data_folder(made, stage, 7) == MADE / "data", "a world is written as a whole"
        assert paths.features_folder(made, stage, 7) == MADE / "features" / "all"
    for llm in ("miniature-28", "miniature-48"):  # all sizes share the words, and so the token ids
        assert paths.vocabulary(made, llm) == "world"
        assert paths.encoded_folder(made, "finetune", llm, 7) == MADE / "encoded" / "finetune" / "world"
    assert paths.questions_record(made, "world", 7) == MADE / "data" / "run.json"
    file = MADE / "data" / "questions" / "questions.parquet"
    assert paths.questions_file(made, "world", 7) == file
    assert paths.llm_folder(made, "miniature-28", 8) != paths.llm_folder(made, "miniature-28", 7)


def test_what_cells_are_asked(config: Config, changed: Callable[..., Config]) -> None:
    asked = {name: paths.asked(config.freeze(name)) for name in ("paper", "miniature", "published")}
    assert asked["paper"] == config.study("paper").benchmarks
    assert len(asked["paper"]) == 13
    assert asked["miniature"] == ["world"], "its parts are no benchmarks of their own"
    assert asked["published"] == []
    assert [paths.harnessed(config.study(name)) for name in asked] == [[], [], []]
    suites = [config.study("paper").suites[1].model_dump() | {"benchmarks": ["docvqa", "theirs"]}]
    theirs = {"name": "theirs", "harness": "lmms_eval", "count": 700}
    mixed = changed("paper", {"benchmarks": [theirs]}, suites=suites)
    assert paths.asked(mixed.freeze("paper")) == ["docvqa"]
    assert paths.harnessed(mixed.study("paper")) == ["theirs"]


def test_cells_of_an_elastic_model_share_the_folder_of_their_training(config: Config) -> None:
    frozen = config.freeze("miniature_table1")
    grid = [cell for cell in cells(frozen.study) if cell.seed == 301]
    trained = {cell: paths.trained_folder(frozen, cell) for cell in grid}
    own = {cell: cell.folder("miniature_table1") for cell in grid}
    for cell, folder in trained.items():
        if cell.compressor.startswith("matryoshka"):
            assert folder == own[cell].parents[1] / f"{cell.compressor}-36" / "s301"
            assert folder not in own.values(), "no cell has as many tokens as the model is trained with"
        else:
            assert folder == own[cell]
    assert own[Cell("miniature-48", "average_pool", 0, 301)] == Path(
        "results/miniature_table1/runs/miniature-48/average_pool-0/s301"
    )


def test_an_elastic_model_that_sees_nothing_is_trained_for_itself(config: Config) -> None:
    frozen = config.freeze("miniature_table1")
    blind = Cell("miniature-48", "matryoshka_query", 0, 301)
    assert paths.trained_folder(frozen, blind) == blind.folder(frozen.study.name)
