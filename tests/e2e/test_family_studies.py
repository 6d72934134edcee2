"""Studies whose sizes are of many families, on encoders of two, in the workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import families
from paretoken.data.encoded import read_encoded
from paretoken.data.tokenizers import load_tokenizer
from paretoken.io.files import read_json
from project_copy import Project, copy_project
from standins.benchmarks import TABLES
from standins.family_studies import BENCHMARK, CACHED, STUDIES, TOKENS, save_family_studies

pytestmark = pytest.mark.slow
#: What each family writes before the last answer, and the token that ends one.
MARKS = {
    "qwen3": ("<|im_start|>assistant\n<think>\n\n</think>\n\n", "<|im_end|>"),
    "vicuna": ("ASSISTANT:", "</s>"),
    "mistral": ("[/INST]", "</s>"),
}
CELLS = [(study, name) for study, grid in STUDIES.items() for name in grid]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Project:
    """Both studies, up to their tables of errors and scores; one of them without a warm start."""
    cold = copy_project(tmp_path_factory.mktemp("families"))
    save_family_studies(cold.folder / "standins", cold.folder / "families.yaml")
    for study in STUDIES:
        made = cold if study == CACHED else Project(cold.folder, warm)
        wanted = [f"results/{study}/tables/{table}.csv" for table in ("errors", "scores")]
        done = made.snakemake("--configfile", "families.yaml", "--", *wanted)
        assert done.returncode == 0, done.stdout + done.stderr
    return cold


def folder_of(project: Project, study: str, name: str) -> Path:
    return project.folder / "results" / study / "runs" / name / f"tokenpacker-{TOKENS}" / "s0"


@pytest.mark.parametrize("study", STUDIES)
def test_the_tables_have_every_family(project: Project, study: str) -> None:
    tables = project.folder / "results" / study / "tables"
    errors, scores = (pd.read_csv(tables / f"{name}.csv") for name in ("errors", "scores"))
    assert errors["llm"].tolist() == scores["llm"].tolist() == list(STUDIES[study])
    np.testing.assert_allclose(errors["error"], 1 - scores["score"])
    assert errors["error"].between(0, 1).all()


@pytest.mark.parametrize(("study", "name"), CELLS)
def test_every_cell_is_of_its_families_and_answered_everything(
    project: Project, study: str, name: str
) -> None:
    folder = folder_of(project, study, name)
    stored: dict[str, Any] = read_json(folder / "finetune" / "model" / "config.json")
    assert stored["text_config"]["model_type"] == families.FAMILIES[name].model
    assert stored["vision_config"]["model_type"] == f"{study}_vision_model"
    losses = [loss for _, loss in read_json(folder / "finetune" / "run.json")["loss"]]
    assert losses
    assert np.isfinite(losses).all()
    rows = read_json(folder / "scores" / f"{BENCHMARK}.json")["rows"]
    assert len(rows) == len(TABLES[BENCHMARK][0].rows())


@pytest.mark.parametrize(("study", "name"), CELLS)
def test_its_own_template_is_what_was_learned_from(project: Project, study: str, name: str) -> None:
    sources = project.folder / "results" / study / "sources"
    tokenizer = load_tokenizer(sources / "llms" / name)
    data = read_encoded(sources / "encoded" / "finetune" / name)
    before, end = MARKS[name]
    for start, stop in zip(data.offsets[:-1], data.offsets[1:], strict=True):
        ids, learned = data.ids[start:stop], data.learned[start:stop]
        last = int(np.flatnonzero(learned & ~np.append(False, learned[:-1]))[-1])
        assert tokenizer.decode(ids[:last]).rstrip(" ").endswith(before.rstrip(" "))
        ends = np.flatnonzero(learned & ~np.append(learned[1:], False))
        assert {tokenizer.convert_ids_to_tokens(int(ids[place])) for place in ends} == {end}
        assert data.image_token_id not in ids[learned]


def test_one_study_encodes_its_images_once_before_training(project: Project) -> None:
    for study in STUDIES:
        folder = project.folder / "results" / study / "sources" / "features"
        stages = {path.parent.name for path in folder.glob("*/index.json")}
        assert stages == ({"pretrain", "finetune"} if study == CACHED else set())
    log = (folder_of(project, CACHED, "mistral") / "logs" / "finetune.log").read_text()
    assert "step" in log
