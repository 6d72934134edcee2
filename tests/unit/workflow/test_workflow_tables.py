"""What the rules behind the cells read of a study, and the options of their commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from paretoken.config.config import Config
from paretoken.config.study import FrozenStudy
from paretoken.registry import LAWS
from paretoken.study.code_files import sources
from paretoken.workflow.table_rules import Tables

Of = Callable[..., SimpleNamespace]
STUDIES = ("paper", "miniature", "text_length", "published", "table1")
REFERENCE = "workflow/reference"


@pytest.fixture
def rules(config: Config) -> Tables:
    return Tables(config)


@pytest.fixture(scope="session")
def replaced(config: Config) -> Callable[..., Tables]:
    """Return a function: rules of a config with other values in one study, or in its `fit`."""

    def rules_of(name: str, fit: dict[str, Any] | None = None, **values: Any) -> Tables:
        study = config.study(name)
        own = study.model_copy(update=values | {"fit": study.fit.model_copy(update=fit or {})})
        studies = [own if each.name == name else each for each in config.studies]
        return Tables(config.model_copy(update={"studies": studies}))

    return rules_of


def after(options: list[str], option: str) -> list[str]:
    """Return the values of an option."""
    values = options[options.index(option) + 1 :]
    end = next((i for i, word in enumerate(values) if word.startswith("--")), len(values))
    return values[:end]


@pytest.mark.parametrize("study", STUDIES)
def test_a_frozen_study_holds_what_is_drawn_of(rules: Tables, of: Of, study: str) -> None:
    content = json.loads(rules.frozen_json(of(study)))
    settings = content["study"]
    left_out = {"figures", "claims", "budget_gpu_hours", "latency", "price_per_hour"}
    assert settings["name"] == study
    assert not left_out & settings.keys()
    for record in content["llms"]:
        assert not {"hub", "revision", "params", "gpus", "template"} & record.keys()
        assert {"name", "params_b"} <= record.keys()
    assert not {"hub", "revision", "params"} & content["vision"].keys()
    assert content["vision"]["grid"] == rules.frozen(of(study)).vision.grid
    assert (content["data"] is None) == (study == "published")
    read = FrozenStudy.model_validate(content)
    assert read.data == rules.frozen(of(study)).data
    assert [llm.make for llm in read.llms] == [llm.make for llm in rules.frozen(of(study)).llms]
    assert (read.generated, read.fetched) == (
        study in ("miniature", "text_length"),
        study in ("paper", "table1"),
    )


def test_names_of_suites(rules: Tables, of: Of) -> None:
    assert rules.suite_names(of("paper")) == ["visual_reasoning", "ocr", "everyday"]
    assert rules.suite_names(of("miniature")) == ["reasoning", "ocr"]


def test_only_a_measured_study_has_a_table_of_measurements(rules: Tables, of: Of) -> None:
    table = f"{REFERENCE}/published_errors.csv"
    assert rules.measured(of("published")) == table
    assert rules.measured_options(of("published")) == ["--measured", table]
    for study in ("paper", "miniature", "text_length", "table1"):
        assert rules.measured(of(study)) == rules.measured_options(of(study)) == []


@pytest.mark.parametrize(
    ("study", "keys"),
    [
        ("published", ("values", "table1", "dimensions")),
        ("paper", ("values", "dimensions")),
        ("table1", ("values", "table1")),
        ("miniature", ()),
        ("text_length", ()),
    ],
)
def test_published_tables_are_named_where_there_are_some(
    rules: Tables, of: Of, study: str, keys: tuple[str, ...]
) -> None:
    files = {
        "values": f"{REFERENCE}/published_values.csv",
        "table1": f"{REFERENCE}/published_table1.csv",
        "dimensions": f"{REFERENCE}/llm_dimensions.csv",
    }
    for key, file in files.items():
        assert rules.published(key)(of(study)) == (file if key in keys else [])
        own = [f"--{key}", file] if key in keys else []
        assert rules.reference_options(key)(of(study)) == own
    every = [word for key in files if key in keys for word in (f"--{key}", files[key])]
    assert rules.reference_options(*files)(of(study)) == every


def test_fits_of_a_study(rules: Tables, of: Of) -> None:
    laws = ["product", "product_zero_d", "log_linear", "additive", "product_q_plus_v"]
    trained = [f"{law}-all" for law in laws]
    measured = [f"{law}-{rows}" for law in laws for rows in ("all", "unflagged")]
    expected = {
        "paper": [*trained, "paper_grid"],
        "published": [*measured, "paper_grid"],
        "miniature": trained[:-1],
        "text_length": ["product-all"],
        "table1": [],
    }
    for study, variants in expected.items():
        suites = rules.suite_names(of(study))
        assert rules.fits(of(study)) == [
            f"results/{study}/fits/{suite}/{variant}.json" for suite in suites for variant in variants
        ]
    where = of("miniature", suite="ocr")
    assert rules.headline_fit(where) == "results/miniature/fits/ocr/product-all.json"


def test_the_first_law_is_compared_with_all_and_so_made_of_their_files(rules: Tables, of: Of) -> None:
    def code(variant: str) -> list[str]:
        return rules.fit_code(of("published", variant=variant))

    for variant in ("product-all", "product-unflagged"):
        assert code(variant) == sources("paretoken.commands.fit", *LAWS.modules())
    own = {"paper_grid": "product", "additive-all": "additive", "additive-unflagged": "additive"}
    for variant, law in own.items():
        assert code(variant) == sources("paretoken.commands.fit", LAWS.module(law))


def test_options_of_a_fit(rules: Tables, of: Of) -> None:
    common = [
        "--loss",
        "squared",
        "--bootstrap",
        "1000",
        "--seed",
        "0",
        "--law-text-tokens",
        "50",
        "--text-tokens",
        "0",
        "25",
        "50",
        "100",
        "200",
    ]
    expected = {
        "product-all": ["--law", "product", *common],
        "product-unflagged": ["--law", "product", *common, "--exclude-flagged"],
        "log_linear-all": ["--law", "log_linear", *common, "--no-comparison"],
        "product_zero_d-unflagged": [
            "--law",
            "product_zero_d",
            *common,
            "--exclude-flagged",
            "--no-comparison",
        ],
        "paper_grid": ["--law", "product", *common, "--method", "grid"],
    }
    for variant, options in expected.items():
        assert rules.fit_options(of("published", suite="ocr", variant=variant)) == options
    paper = rules.fit_options(of("paper", suite="ocr", variant="product-all"))
    assert paper == ["--law", "product", *common, "--holdout-n", "14.0"]
    made = rules.fit_options(of("miniature", suite="ocr", variant="product-all"))
    assert after(made, "--holdout-n") == ["0.000541"]
    assert after(made, "--law-text-tokens") == ["2"]
    assert after(made, "--text-tokens") == ["0", "1", "4", "16"]


def test_only_the_first_law_is_constrained(replaced: Callable[..., Tables], of: Of) -> None:
    fit = {"loss": "huber", "huber_delta": 0.01, "tie": ["alpha=beta"], "fix": ["D=0"], "chance": 0.75}
    rules = replaced("published", fit=fit)
    constraints = ["--tie=alpha=beta", "--fix=D=0", "--chance", "0.75"]
    for variant, ends in (
        ("product-all", constraints),
        ("product-unflagged", ["--exclude-flagged", *constraints]),
        ("additive-all", ["--no-comparison"]),
        ("paper_grid", ["--method", "grid"]),
    ):
        options = rules.fit_options(of("published", suite="ocr", variant=variant))
        assert options[2:6] == ["--loss", "huber", "--huber-delta", "0.01"]
        assert options[options.index("200") + 1 :] == ends


def test_tables_of_laws_are_of_studies_with_laws(rules: Tables, of: Of) -> None:
    for study in ("paper", "published", "miniature"):
        tables = [f"results/{study}/tables/{name}.csv" for name in ("equal_cost", "sensitivity")]
        assert rules.law_tables("equal_cost", "sensitivity")(of(study)) == tables
        assert rules.law_table_options("equal_cost", "sensitivity")(of(study)) == [
            "--equal-cost",
            tables[0],
            "--sensitivity",
            tables[1],
        ]
    assert rules.law_tables("equal_cost")(of("table1")) == []
    assert rules.law_table_options("equal_cost")(of("table1")) == []


def test_the_files_behind_a_command_hold_those_of_the_compressors(rules: Tables, of: Of) -> None:
    files = rules.code("methods")(of("miniature_table1"))
    assert {*sources("paretoken.commands.methods")} <= {*files}
    for name in ("downsample", "quecc", "matryoshka_query", "tokenpacker", "random_patches"):
        assert any(file.endswith(f"/compressors/{name}.py") for file in files)
    assert not any(file.endswith("/compressors/prumerge.py") for file in files)
    more = rules.code("frontier", *LAWS.modules())(of("paper"))
    assert {*sources(*LAWS.modules())} <= {*more}
    drawn = rules.figure_code(of("paper", figure="fig2"))
    assert {*sources("paretoken.commands.figure", *LAWS.modules())} <= {*drawn}


def test_what_is_read_of_a_study_s_pages(rules: Tables, of: Of) -> None:
    made = of("miniature")
    assert rules.text_tokens(made) == [0, 1, 4, 16]
    assert rules.claim_options(made) == [
        "--name",
        "one_token_without_text",
        "optimal_tokens_grow_with_text",
        "ocr_reverses",
    ]
    assert rules.figure_options(of("table1")) == ["--figures", "methods"]
    assert rules.figures(of("table1")) == ["results/table1/figures/methods.png"]


def test_a_study_without_claims_and_figures(replaced: Callable[..., Tables], of: Of) -> None:
    rules = replaced("published", claims=[], figures=[])
    for options in (rules.claim_options, rules.figure_options, rules.figures, rules.report_options):
        assert options(of("published")) == []


def test_dimensions_come_from_recipes_fetched_models_or_a_table(rules: Tables, of: Of) -> None:
    recipes = [f"workflow/recipes/miniature_{name}.yaml" for name in ("world", "vision", "llm")]
    for study in ("miniature", "text_length"):
        assert rules.shape_files(of(study)) == recipes, "each once, for all sizes"
    table = f"{REFERENCE}/llm_dimensions.csv"
    assert rules.shape_files(of("published")) == [table]
    llms = ["0.5b", "1.8b", "4b", "7b", "14b"]
    folder = "results/paper/sources"
    assert rules.shape_files(of("paper")) == [
        table,
        *(f"{folder}/llms/qwen1.5-{size}/run.json" for size in llms),
        f"{folder}/vision/run.json",
    ]


def test_a_table_of_dimensions_that_is_not_there_is_not_read(
    replaced: Callable[..., Tables], config: Config, of: Of
) -> None:
    published = config.study("paper").published
    assert published is not None
    absent = published.model_copy(update={"dimensions": "absent.csv"})
    files = replaced("paper", published=absent).shape_files(of("paper"))
    assert files[0] == "results/paper/sources/llms/qwen1.5-0.5b/run.json"
    assert replaced("published", published=absent).shape_files(of("published")) == []


def test_latency_is_a_table_that_is_named_or_what_was_measured_here(
    rules: Tables, replaced: Callable[..., Tables], of: Of
) -> None:
    own = "results/miniature/tables/costs.csv"
    shapes = ["--shapes", "results/miniature/shapes.json"]
    made = of("miniature", figure="optimum_by_cost")
    assert rules.latency_table(made) == own
    assert rules.deployment_options(made) == [*shapes, "--latency", own]
    assert rules.figure_costs(made) == ["results/miniature/shapes.json", own]
    assert rules.figure_cost_options(made) == rules.deployment_options(made)
    for study in ("paper", "published", "table1"):
        where = of(study, figure="optimum_by_cost")
        assert rules.latency_table(where) == []
        assert rules.deployment_options(where) == ["--shapes", f"results/{study}/shapes.json"]
        assert rules.figure_costs(where) == [f"results/{study}/shapes.json"]
    named = replaced("miniature", latency="mine.csv", price_per_hour=2.5)
    assert named.latency_table(made) == "mine.csv"
    assert named.deployment_options(made) == [
        *shapes,
        "--latency",
        "mine.csv",
        "--price-per-hour",
        "2.5",
    ]
    priced = replaced("paper", price_per_hour=2.5)
    assert "--price-per-hour" not in priced.deployment_options(of("paper")), "of no measured second"


def test_most_figures_need_no_costs(rules: Tables, of: Of) -> None:
    for study in ("paper", "miniature", "published"):
        where = of(study, figure="fig2")
        assert rules.figure_costs(where) == rules.figure_cost_options(where) == []


def test_a_report_shows_figures_and_trainings(rules: Tables, of: Of) -> None:
    for study, cells in (("table1", 120), ("miniature", 21), ("published", 0)):
        where = of(study)
        options, folders = rules.report_options(where), rules.trained_folders(where)
        assert after(options, "--figure-files") == rules.figures(where)
        assert len(folders) == cells
        assert ("--cells" in options) == bool(cells)
        if cells:
            assert after(options, "--cells") == folders
        records = [f"{folder}/finetune/run.json" for folder in folders]
        assert rules.trained_records(where) == records


def test_the_files_that_a_study_ends_in(rules: Tables) -> None:
    def ends(study: str) -> list[str]:
        prefix = f"results/{study}/"
        found = rules.targets(study)
        assert all(path.startswith(prefix) for path in found)
        return [path.removeprefix(prefix) for path in found if "/figures/" not in path]

    pages, tables = ["summary.md", "report.html"], ["tables/scores.csv", "tables/costs.csv"]
    frontiers = ["tables/frontier-reasoning.csv", "tables/frontier-ocr.csv"]
    assert ends("miniature") == [*pages, *frontiers, *tables]
    assert ends("text_length") == [*pages, *frontiers, "text_length.md", *tables]
    assert ends("table1") == [*pages, "methods.md", *tables]
    assert ends("published") == [
        *pages,
        "tables/frontier-visual_reasoning.csv",
        "tables/frontier-ocr.csv",
    ]
    assert "results/paper/tables/frontier-everyday.csv" in rules.targets("paper")
    figures = [path for path in rules.targets("table1") if "/figures/" in path]
    assert figures == ["results/table1/figures/methods.png"]
