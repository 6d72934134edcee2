# Functions of wildcards for studies whose cells are trained: what each rule reads, and its settings.
from typing import get_args

from paretoken.config import Benchmark
from paretoken.grid import Cell

MINIATURE_BENCHMARKS = get_args(Benchmark)


def recipe(name):
    """Return a function of wildcards: the study's file of hyperparameters for ``name``."""

    def path(wildcards):
        return getattr(study_of(wildcards).training.recipes, name)

    return path


def world_seed(wildcards):
    return study_of(wildcards).training.world_seed


def llm_width(wildcards):
    return STUDIES.freeze(wildcards.study).llm(wildcards.llm).width


def encoder_layers(wildcards):
    return study_of(wildcards).training.layers


def model_options(wildcards):
    """Return what `paretoken train` is told about the model besides the coordinates of its cell."""
    training = study_of(wildcards).training
    options = ["--layers", *training.layers, "--projector-width", training.projector_width]
    return options + (["--whiten"] if training.whiten else [])


def suite_benchmarks(wildcards):
    """Return each suite and what it averages, as `paretoken cell-scores` takes them."""
    return [f"{suite.name}={','.join(suite.benchmarks)}" for suite in study_of(wildcards).suites]


def cell_of(wildcards):
    return Cell(wildcards.llm, wildcards.compressor, int(wildcards.tokens), int(wildcards.seed))


def score_files(wildcards):
    """Return the scores that some suite averages: another one makes no other file stale."""
    suites, folder = study_of(wildcards).suites, cell_of(wildcards).folder(wildcards.study)
    used = {benchmark: None for suite in suites for benchmark in suite.benchmarks}
    return [f"{folder}/scores/{benchmark}.json" for benchmark in used]


def cell_folders(wildcards):
    return [str(cell.folder(wildcards.study)) for cell in cells(study_of(wildcards))]


def cell_score_files(wildcards):
    return [f"{folder}/scores.csv" for folder in cell_folders(wildcards)]


def cost_files(wildcards):
    """Return the last record of each cell that `paretoken costs` reads."""
    last = "latency.json" if kind_of(study_of(wildcards)) == "miniature" else "finetune/run.json"
    return [f"{folder}/{last}" for folder in cell_folders(wildcards)]
