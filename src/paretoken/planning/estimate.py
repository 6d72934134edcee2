"""One stage of one cell: work, memory, time and disk, from the config and what is on disk already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paretoken.config import Config, Study
from paretoken.cost_memory import GIB, Memory, inference_memory
from paretoken.devices import Device
from paretoken.grid import Cell
from paretoken.planning import records
from paretoken.planning.benchmarks import (
    MINIATURE_ANSWER,
    MINIATURE_KINDS,
    MINIATURE_PROMPT,
    Questions,
    asked_by,
    in_all,
)
from paretoken.planning.layout import layout, smallest_remedy, training_disk
from paretoken.planning.records import Stage
from paretoken.planning.shapes import Shape, miniature_world
from paretoken.planning.speed import (
    UTILISATION,
    Duration,
    cpu_time,
    prediction_time,
    training_time,
)
from paretoken.planning.study_shapes import dimensions
from paretoken.planning.training_sets import LLAVA, TrainingSet, miniature_set, tokenized_set
from paretoken.planning.work import Model, Work, prediction_work, training_work

#: What `paretoken predict` takes at once unless it is told otherwise, and its loading processes.
PREDICT_BATCH, PREDICT_WORKERS = 64, 4
#: Bytes of an answer in a parquet file, with the data set's own columns.
ANSWER_BYTES = 400


@dataclass(frozen=True)
class Estimate:
    """What a stage of a cell takes.

    Attributes:
        cell: the cell.
        stage: pretrain, finetune or predict.
        work: its FLOPs and tokens.
        gpus: it runs on; 0: CPU only.
        zero: DeepSpeed's ZeRO stage; 0: without DeepSpeed.
        memory_gib: on each GPU, at its peak; None on a CPU.
        fits: whether that is less than the device has; None on a CPU.
        remedy: the least change by which it fits, if it does not.
        duration: on the clock.
        disk: bytes at the peak, with checkpoints.
        kept: bytes that stay.
        shape_origin: where the language model's dimensions are from.
        data_origin: where the lengths of conversations are from.
    """

    cell: Cell
    stage: Stage
    work: Work
    gpus: int
    zero: int
    memory_gib: float | None
    fits: bool | None
    remedy: str
    duration: Duration
    disk: float
    kept: float
    shape_origin: str
    data_origin: str

    @property
    def gpu_hours(self) -> float:
        """GPUs times hours on the clock."""
        return self.gpus * self.duration.seconds / 3600


def estimate(
    config: Config,
    study: Study,
    cell: Cell,
    stage: Stage,
    device: Device,
    utilisation: float | None = None,
) -> Estimate:
    """Return what a stage of a cell takes.

    Args:
        config: the whole config.
        study: a trained study of it.
        cell: of its grid.
        stage: pretrain, finetune or predict.
        device: kind of GPU (without meaning for a miniature).
        utilisation: share of the device's peak; None: the stage's default.

    Raises:
        UserError: the study trains nothing, or a recipe or table cannot be read.
    """
    training = records.training_of(study)
    model, shape = model_of(config, study, cell)
    used = utilisation or UTILISATION[stage]
    if stage == "predict":
        return _prediction(config, study, cell, model, shape, device, used)
    recipe = records.stage_recipe(training, stage)
    data = training_set(study, cell, stage)
    work = training_work(
        model, data, stage == "finetune", recipe.global_batch, recipe.max_length, recipe.steps,
        recipe.epochs,
    )  # fmt: skip
    disk, kept = training_disk(work, model, recipe)
    common = (disk, kept, shape.origin, data.origin)
    if training.kind == "miniature":
        return Estimate(cell, stage, work, 0, 0, None, None, "", cpu_time(work, stage), *common)
    gpus = records.gpus_of(records.llm_record(config, cell.llm), stage)
    way = layout(work, model, recipe, gpus, records.zero_of(training, stage), device)
    fits = way.memory.fits(device.memory_gib)
    remedy = smallest_remedy(way, device.memory_gib)[1]
    memory = way.memory.on_device / GIB
    duration = training_time(work, device, gpus, recipe.workers, used, model.online)
    return Estimate(cell, stage, work, gpus, way.split.zero, memory, fits, remedy, duration, *common)


def model_of(config: Config, study: Study, cell: Cell) -> tuple[Model, Shape]:
    """Return a cell's model, and its language model's shape with its origin."""
    training = records.training_of(study)
    record, vision = records.llm_record(config, cell.llm), records.vision_record(config, study)
    folder = records.llm_folder(training.kind, cell, study.name)
    shape, encoder = dimensions(study, record, vision, folder)
    model = Model(
        llm=shape.decoder,
        llm_parameters=shape.parameters,
        encoder=encoder,
        compressor=cell.compressor,
        tokens=cell.tokens,
        layers=records.joined_layers(training, cell.compressor, encoder.layers),
        inner=getattr(training, "projector_width", None),
        whitened=getattr(training, "whiten", False),
        online=training.kind != "miniature" and not getattr(training, "features", False),
    )
    return model, shape


def training_set(study: Study, cell: Cell, stage: Stage) -> TrainingSet:
    """Return the lengths of a stage's conversations: measured once they are tokenized, stated before."""
    training = records.training_of(study)
    folder = records.tokens_folder(training.kind, cell, study.name, stage)
    if (measured := tokenized_set(folder)) is not None:
        return measured
    if training.kind == "miniature":
        return miniature_set(Path(training.recipes.world), stage)
    return LLAVA[stage]


def _prediction(
    config: Config,
    study: Study,
    cell: Cell,
    model: Model,
    shape: Shape,
    device: Device,
    utilisation: float,
) -> Estimate:
    training = records.training_of(study)
    miniature = training.kind == "miniature"
    asked = _miniature_questions(study) if miniature else in_all(asked_by(study))
    work = prediction_work(model, asked, PREDICT_BATCH)
    disk = float(ANSWER_BYTES * asked.count)
    common = (disk, disk, shape.origin, "numbers of questions and typical lengths")
    if miniature:
        return Estimate(cell, "predict", work, 0, 0, None, None, "", cpu_time(work, "predict"), *common)
    gpus = records.gpus_of(records.llm_record(config, cell.llm), "predict")
    memory = _answering(work, model, PREDICT_BATCH, asked)
    fits, batch = memory.fits(device.memory_gib), PREDICT_BATCH
    while batch and not _answering(work, model, batch, asked).fits(device.memory_gib):
        batch //= 2
    remedy = "" if fits else (f"--batch {batch}" if batch else "use a larger device")
    duration = prediction_time(work, model.llm.layers, device, gpus, PREDICT_WORKERS, utilisation)
    used = memory.on_device / GIB
    return Estimate(cell, "predict", work, gpus, 0, used, fits, remedy, duration, *common)


def _answering(work: Work, model: Model, batch: int, asked: Questions) -> Memory:
    return inference_memory(work.parameters, model.llm, batch, work.longest, asked.answer)


def _miniature_questions(study: Study) -> Questions:
    images = miniature_world(Path(records.training_of(study).recipes.world)).test_images
    objects = images.count * (1 - images.text_share)
    count = round(MINIATURE_KINDS * objects + images.count * images.text_share + objects)
    return Questions(count, MINIATURE_PROMPT, MINIATURE_ANSWER)
