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


def grid(wildcards):
    return STUDIES.freeze(wildcards.study).vision.grid


def llm_width(wildcards):
    return STUDIES.freeze(wildcards.study).llm(wildcards.llm).width


def encoder_layers(wildcards):
    return study_of(wildcards).training.layers


def model_options(wildcards):
    """Return what `paretoken train` is told about the model besides the coordinates of its cell."""
    training = study_of(wildcards).training
    options = ["--layers", *training.layers, "--projector-width", training.projector_width]
    # The map is measured before stage 1: only where what stands before it does not learn.
    facts = specification(wildcards.compressor)
    whiten = training.whiten and not facts.learns
    fixed = None if facts.init_std is None else training.init_std
    return options + (["--whiten"] if whiten else []) + (["--init-std", fixed] if fixed else [])


def feature_options(wildcards):
    """Return what features hold besides layers: the last attention, if some compressor needs it."""
    names = [entry.name for entry in study_of(wildcards).compressors]
    guided = [name for name in names if specification(name).reads_attention]
    return ["--compressors", *guided] if guided else []


def seen_images(part):
    """Return a function of wildcards: where a cell's images are, as features or as they are.

    A compressor that makes images smaller cannot use features of whole ones.
    """

    def options(wildcards):
        sources = f"results/{wildcards.study}/sources/s{wildcards.seed}"
        if wildcards.tokens != "0" and specification(wildcards.compressor).smaller_images:
            return ["--images", f"{sources}/data/images/{part}"]
        return ["--features", f"{sources}/features"]

    return options


def training_images(wildcards):
    """Return the images of both stages; without features they are made square and normalised alike."""
    found = seen_images("train")(wildcards)
    return [*found, "--aspect", "crop", "--normalise"] if found[0] == "--images" else found


def suite_benchmarks(wildcards):
    """Return each suite and what it averages, as `paretoken cell-scores` takes them."""
    return [f"{suite.name}={','.join(suite.benchmarks)}" for suite in study_of(wildcards).suites]


def cell_of(wildcards):
    return Cell(wildcards.llm, wildcards.compressor, int(wildcards.tokens), int(wildcards.seed))


def score_files(wildcards):
    """Return the scores that some suite averages: another one makes no other file stale."""
    folder = cell_of(wildcards).folder(wildcards.study)
    return [f"{folder}/scores/{benchmark}.json" for benchmark in study_of(wildcards).benchmarks]


def cell_folders(wildcards):
    return [str(cell.folder(wildcards.study)) for cell in cells(study_of(wildcards))]


def cell_score_files(wildcards):
    return [f"{folder}/scores.csv" for folder in cell_folders(wildcards)]


def text_lengths(wildcards):
    return study_of(wildcards).training.lengthened


def text_length_files(wildcards):
    """Return the errors and costs by length of the question, of the cells that see an image."""
    study = study_of(wildcards)
    return [f"{cell.folder(study.name)}/text_length.csv" for cell in cells(study) if cell.tokens]


def cost_files(wildcards):
    """Return the last record of each cell that `paretoken costs` reads."""
    if kind_of(study_of(wildcards)) == "miniature":
        return [f"{folder}/latency.json" for folder in cell_folders(wildcards)]
    return [f"{folder}/finetune/run.json" for folder in dict.fromkeys(trained_folders(wildcards))]


def trained_folders(wildcards):
    """Return, for each cell, the folder of the training that it rests on."""
    side = STUDIES.freeze(wildcards.study).vision.grid
    trained = [cell.trained(side) for cell in cells(study_of(wildcards))]
    return [str(cell.folder(wildcards.study)) for cell in trained]
