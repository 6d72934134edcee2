"""Estimates for one stage of a cell: work, memory, time and disk, from the config and fetched files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paretoken.config.config import Config
from paretoken.config.devices import Device
from paretoken.config.sources import World
from paretoken.config.study import FrozenStudy, Study
from paretoken.costs.gpu_memory import GIB, Memory, inference_memory
from paretoken.plan import from_config
from paretoken.plan.durations import (
    UTILISATION,
    Duration,
    cpu_time,
    prediction_time,
    training_time,
)
from paretoken.plan.expected_shapes import Shape, miniature_world
from paretoken.plan.from_config import Stage
from paretoken.plan.layout import layout, smallest_remedy, training_disk
from paretoken.plan.question_counts import (
    MINIATURE_ANSWER,
    MINIATURE_KINDS,
    MINIATURE_PROMPT,
    Questions,
    asked_by,
    in_all,
)
from paretoken.plan.stage_work import Model, Work, prediction_work, training_work
from paretoken.plan.study_shapes import dimensions
from paretoken.plan.training_sets import (
    TrainingSet,
    described_set,
    miniature_set,
    own_set,
    tokenized_set,
)
from paretoken.study.grid import Cell
from paretoken.study.paths import encoded_folder

#: The default batch of `paretoken predict`, and its loading processes.
PREDICT_BATCH, PREDICT_WORKERS = 64, 4
#: Bytes of an answer in a parquet file, including the data set's own columns.
ANSWER_BYTES = 400


@dataclass(frozen=True)
class Estimate:
    """The estimate for a stage of a cell.

    Attributes:
        cell: the cell.
        stage: pretrain, finetune or predict.
        work: its FLOPs and tokens.
        gpus: number of GPUs that it runs on; 0: CPU only.
        zero: DeepSpeed's ZeRO stage; 0: without DeepSpeed.
        memory_gib: peak memory on each GPU; None on a CPU.
        fits: whether the device has that much memory; None on a CPU.
        remedy: the smallest change with which it fits, if it does not.
        duration: wall-clock time.
        disk: bytes at the peak, with checkpoints.
        kept: bytes in the end.
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
        """Number of GPUs times wall-clock hours."""
        return self.gpus * self.duration.seconds / 3600


def estimate(
    config: Config,
    study: Study,
    cell: Cell,
    stage: Stage,
    device: Device,
    utilisation: float | None = None,
) -> Estimate:
    """Return the estimate for a stage of a cell.

    Args:
        config: the whole config.
        study: a trained study of it.
        cell: a cell of its grid.
        stage: pretrain, finetune or predict.
        device: kind of GPU (unused if the data are generated).
        utilisation: share of the device's peak; None: the stage's default.

    Raises:
        UserError: the study trains nothing, or a recipe or table cannot be read.
    """
    training, frozen = from_config.training_of(study), config.freeze(study.name)
    model, shape = model_of(frozen, cell)
    used = utilisation or UTILISATION[stage]
    if stage == "predict":
        return _prediction(frozen, cell, model, shape, device, used)
    recipe = from_config.stage_recipe(training, stage)
    data = training_set(frozen, cell, stage)
    work = training_work(
        model,
        data,
        stage == "finetune",
        recipe.global_batch,
        recipe.max_length,
        recipe.steps,
        recipe.epochs,
    )
    disk, kept = training_disk(work, model, recipe)
    common = (disk, kept, shape.origin, data.origin)
    if frozen.generated:
        return Estimate(cell, stage, work, 0, 0, None, None, "", cpu_time(work, stage), *common)
    gpus = getattr(frozen.llm(cell.llm).gpus, stage)
    way = layout(work, model, recipe, gpus, from_config.zero_of(training, stage), device)
    fits = way.memory.fits(device.memory_gib)
    remedy = smallest_remedy(way, device.memory_gib)[1]
    memory = way.memory.on_device / GIB
    duration = training_time(work, device, gpus, recipe.workers, used, model.online)
    return Estimate(cell, stage, work, gpus, way.split.zero, memory, fits, remedy, duration, *common)


def model_of(frozen: FrozenStudy, cell: Cell) -> tuple[Model, Shape]:
    """Return the dimensions of a cell's model, and its language model's shape with its origin."""
    training = from_config.training_of(frozen.study)
    shape, encoder = dimensions(frozen, frozen.llm(cell.llm), cell.seed)
    model = Model(
        llm=shape.decoder,
        llm_parameters=shape.parameters,
        encoder=encoder,
        compressor=cell.compressor,
        tokens=cell.tokens,
        layers=from_config.joined_layers(training, cell.compressor, encoder.layers),
        inner=training.projector_width,
        whitened=training.whiten,
        online=not training.features,
    )
    return model, shape


def training_set(frozen: FrozenStudy, cell: Cell, stage: Stage) -> TrainingSet:
    """Return the lengths of a stage's conversations: measured once tokenized, typical before."""
    measured = tokenized_set(encoded_folder(frozen, stage, cell.llm, cell.seed))
    if measured is not None:
        return measured
    if frozen.world is not None:
        return miniature_set(Path(frozen.world.recipe), stage)
    own = frozen.data.folder if frozen.data else None
    if own is not None:
        from paretoken.data.tokenizers import CAPTIONS_ONLY  # it imports numpy

        template = getattr(from_config.training_of(frozen.study).templates, stage)
        return own_set(own.conversations(stage), captions=template in CAPTIONS_ONLY)
    return described_set(Path(str(frozen.data and frozen.data.manifest)), stage)


def _prediction(
    frozen: FrozenStudy,
    cell: Cell,
    model: Model,
    shape: Shape,
    device: Device,
    utilisation: float,
) -> Estimate:
    asked = in_all(asked_by(frozen.study)) if frozen.world is None else _world_questions(frozen.world)
    work = prediction_work(model, asked, PREDICT_BATCH)
    disk = float(ANSWER_BYTES * asked.count)
    common = (disk, disk, shape.origin, "numbers of questions and typical lengths")
    if frozen.generated:
        return Estimate(cell, "predict", work, 0, 0, None, None, "", cpu_time(work, "predict"), *common)
    gpus = frozen.llm(cell.llm).gpus.predict
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


def _world_questions(world: World) -> Questions:
    images = miniature_world(Path(world.recipe)).test_images
    objects = images.count * (1 - images.text_share)
    count = round(MINIATURE_KINDS * objects + images.count * images.text_share + objects)
    return Questions(count, MINIATURE_PROMPT, MINIATURE_ANSWER)
