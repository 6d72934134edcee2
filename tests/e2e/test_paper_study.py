"""Every rule of the paper's study, end to end on a CPU: tiny models and data in the real formats."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from in_process import paretoken
from paretoken.io.files import read_json
from project_copy import Project, copy_project
from standins.benchmarks import TABLES, save_benchmark
from standins.models import save_qwen
from standins.study import ASKED, HIDDEN, save_small_paper
from standins.training_data import BROKEN, CAPTIONS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning"),
]
CELLS = 2 * len(HIDDEN)
CELL = "runs/qwen1.5-1.8b/tokenpacker-4/s0"
#: Rules that make tables, laws and figures of scores: seconds each.
LATER = {"aggregate", "scores", "costs", "fit", "frontier", "tables", "claims",
         "figure", "summary", "report", "shapes", "study", "all"}  # fmt: skip
#: Left out at first, and added to the finished study.
ADDED = "vqav2"
FIRST = [name for name in ASKED if name != ADDED]


class Paper:
    """A copy of the project with the stand-ins' config, whose study can be changed."""

    def __init__(self, project: Project, config: dict[str, Any]) -> None:
        self.project, self.config = project, config
        self.results = project.folder / "results" / "paper"

    def write(self, name: str = "paper.yaml", **changes: Any) -> tuple[str, str]:
        """Write a config with other values in its study; return how to use it."""
        (study,) = self.config["studies"]
        content = self.config | {"studies": [study | changes]}
        (self.project.folder / name).write_text(yaml.safe_dump(content))
        return "--configfile", name

    def stale(self, name: str, **changes: Any) -> dict[str, int]:
        """Return how often each expensive rule would run with other values in the study."""
        rules = self.project.dry_run(*self.write(name, **changes)).rules
        return {rule: count for rule, count in rules.items() if rule not in LATER}

    def training(self, **changes: Any) -> dict[str, Any]:
        """Return the study's training with other values."""
        training: dict[str, Any] = self.config["studies"][0]["training"] | changes
        return training

    def benchmark(self, name: str, **changes: Any) -> dict[str, Any]:
        """Return the study's training with other values for one benchmark."""
        own = [
            entry | changes if entry["name"] == name else entry
            for entry in self.training()["benchmarks"]
        ]
        return self.training(benchmarks=own)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Paper:
    """The study, finished, with all benchmarks but one."""
    project = copy_project(tmp_path_factory.mktemp("paper"), warm)
    config = save_small_paper(project.folder / "standins", project.folder / "paper.yaml")
    config = _without(config, ADDED)
    made = Paper(project, config)
    done = project.snakemake(*made.write())
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def _without(config: dict[str, Any], benchmark: str) -> dict[str, Any]:
    """Return the config without a benchmark."""
    without = copy.deepcopy(config)
    (study,) = without["studies"]
    for suite in study["suites"]:
        suite["benchmarks"] = [name for name in suite["benchmarks"] if name != benchmark]
    own = study["training"]["benchmarks"]
    study["training"]["benchmarks"] = [entry for entry in own if entry["name"] != benchmark]
    return without


def test_every_cell_has_every_score(paper: Paper) -> None:
    scores = pd.read_csv(paper.results / "tables" / "scores.csv")
    assert len(scores) == CELLS * len(FIRST)
    assert set(scores["benchmark"]) == {*FIRST}
    assert scores["score"].between(0, 1).all()
    errors = pd.read_csv(paper.results / "tables" / "errors.csv")
    assert len(errors) == CELLS * 3
    cell = {"llm": "qwen1.5-1.8b", "visual_tokens": 4}
    own = scores[(scores[list(cell)] == pd.Series(cell)).all(axis=1)].set_index("benchmark")["score"]
    error = errors[(errors[list(cell)] == pd.Series(cell)).all(axis=1)].set_index("suite")["error"]
    for suite, benchmark in {"visual_reasoning": "scienceqa", "ocr": "docvqa"}.items():
        assert error[suite] == pytest.approx(1 - own[benchmark])


def require_answered(questions: Path, answers: Path, score: Path) -> None:
    """Require an answer to every question, with the data set's own columns, and its score."""
    asked, answered = pd.read_parquet(questions), pd.read_parquet(answers)
    assert answered["_id"].tolist() == asked["_id"].tolist()
    assert {*asked.columns} - {"image"} <= {*answered.columns}
    assert answered["prediction"].map(type).eq(str).all()
    assert len(read_json(score)["rows"]) == len(asked) > 0


@pytest.mark.parametrize("name", FIRST)
def test_every_question_has_an_answer_with_the_data_sets_own_columns(paper: Paper, name: str) -> None:
    cell = paper.results / CELL
    require_answered(
        paper.results / "sources" / "questions" / name / "questions.parquet",
        cell / "answers" / f"{name}.parquet",
        cell / "scores" / f"{name}.json",
    )


@pytest.mark.parametrize("name", [name for name in TABLES if name not in ASKED])
def test_the_model_is_asked_every_other_benchmark_too(paper: Paper, name: str, tmp_path: Path) -> None:
    """The commands of the rules, in one process: what each costs is not starting it."""
    save_benchmark(tmp_path / "hub", name)
    asked, answers, score = tmp_path / "asked", tmp_path / "answers.parquet", tmp_path / "score.json"
    model = paper.results / CELL / "finetune" / "model"
    for words in (
        ["questions", "--benchmark", name, "--source", tmp_path / "hub", "--out", asked],
        ["predict", "--model", model, "--questions", asked / "questions.parquet",
         "--images", asked / "images", "--out", answers],
        ["score", "--benchmark", name, "--predictions", answers, "--out", score],
    ):  # fmt: skip
        paretoken(*words)
    require_answered(asked / "questions.parquet", answers, score)


def test_both_stages_trained_on_all_conversations(paper: Paper) -> None:
    stages = {
        stage: read_json(paper.results / CELL / stage / "run.json") for stage in ("pretrain", "finetune")
    }
    assert stages["pretrain"]["steps"] == CAPTIONS // 8
    assert stages["finetune"]["steps"] >= 3
    assert all(step_loss > 0 for stage in stages.values() for _, step_loss in stage["loss"])
    assert (paper.results / CELL / "finetune" / "model" / "model.safetensors").is_file()


def test_an_unreadable_picture_and_its_conversation_are_left_out(paper: Paper) -> None:
    skipped = (paper.results / "sources" / "data" / "finetune" / "skipped.json").read_text()
    assert "/".join(BROKEN) in skipped
    log = (paper.results / "sources" / "logs" / "tokenize-finetune-qwen1.5-0.5b.log").read_text()
    assert "left out: 0 bad rows, 1 conversation with a skipped image" in log


def test_laws_figures_claims_and_summary_are_made(paper: Paper) -> None:
    assert read_json(paper.results / "fits" / "ocr" / "product-all.json")["n_points"] == CELLS
    for name in paper.config["studies"][0]["figures"]:
        assert (paper.results / "figures" / f"{name}.png").stat().st_size > 5_000
    claims = pd.read_csv(paper.results / "tables" / "claims.csv")["claim"]
    assert claims.tolist() == paper.config["studies"][0]["claims"]
    assert "alpha / beta" in (paper.results / "summary.md").read_text()
    assert "Trained on" in (paper.results / "report.html").read_text()


def test_nothing_is_stale_afterwards(paper: Paper) -> None:
    assert not paper.project.dry_run(*paper.write()).rules


def test_another_number_of_gpus_makes_nothing_stale(paper: Paper) -> None:
    llms = [llm | {"gpus": {"pretrain": 8, "finetune": 8}} for llm in paper.config["llms"]]
    other = Paper(paper.project, paper.config | {"llms": llms})
    assert not other.project.dry_run(*other.write("gpus.yaml")).rules


def test_a_new_size_trains_itself_only(paper: Paper) -> None:
    hub = paper.project.folder / "standins" / "hub" / "larger"
    record = {"name": "larger", "params_b": 1.6e-4, "hub": str(hub), "params": save_qwen(hub, 48)}
    grown = Paper(paper.project, paper.config | {"llms": [*paper.config["llms"], record]})
    asked = 2 * len(FIRST)
    assert grown.stale("size.yaml", llms=[*HIDDEN, "larger"]) == {
        "fetch": 1, "tokenize": 2, "pretrain": 2, "finetune": 2,
        "predict": asked, "score": asked, "cell_scores": 2,
    }  # fmt: skip


def test_a_new_token_count_trains_itself_only(paper: Paper) -> None:
    compressors = [*paper.config["studies"][0]["compressors"], {"name": "average_pool", "tokens": [4]}]
    asked = 2 * len(FIRST)
    assert paper.stale("tokens.yaml", compressors=compressors) == {
        "pretrain": 2,
        "finetune": 2,
        "predict": asked,
        "score": asked,
        "cell_scores": 2,
    }


def test_other_hyperparameters_of_stage_2_repeat_stage_2_only(paper: Paper) -> None:
    training = paper.training(overrides={"pretrain": [], "finetune": ["learning_rates.llm=4e-5"]})
    asked = CELLS * len(FIRST)
    assert paper.stale("rates.yaml", training=training) == {
        "finetune": CELLS,
        "predict": asked,
        "score": asked,
        "cell_scores": CELLS,
    }


def test_another_way_to_score_repeats_no_predictions(paper: Paper) -> None:
    training = paper.benchmark("scienceqa", scoring="letter_only")
    assert paper.stale("scoring.yaml", training=training) == {"score": CELLS, "cell_scores": CELLS}


def test_another_variant_of_one_benchmark_repeats_only_its_predictions(paper: Paper) -> None:
    training = paper.benchmark("scienceqa", questions="full")
    assert paper.stale("asking.yaml", training=training) == {
        "questions": 1,
        "predict": CELLS,
        "score": CELLS,
        "cell_scores": CELLS,
    }


def test_a_new_benchmark_repeats_no_predictions_of_the_others(paper: Paper) -> None:
    """Last: it leaves the study with other records. One cell is asked."""
    (study,) = copy.deepcopy(paper.config["studies"])
    study["suites"][2]["benchmarks"].append(ADDED)
    source = str(paper.project.folder / "standins" / "hub" / ADDED)
    study["training"]["benchmarks"].append({"name": ADDED, "source": source})
    more = Paper(paper.project, paper.config | {"studies": [study]})
    assert more.stale("more.yaml") == {
        "questions": 1,
        "predict": CELLS,
        "score": CELLS,
        "cell_scores": CELLS,
    }
    score = f"results/paper/{CELL}/scores/{ADDED}.json"
    done = paper.project.snakemake(score, *more.write("more.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert 0 <= read_json(paper.project.folder / score)["score"] <= 1
    assert more.stale("more.yaml")["predict"] == CELLS - 1
