"""Rules for cells: two stages of training, answers and scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from paretoken.compressors.specification import specification
from paretoken.config.asked import WORLD
from paretoken.config.runs import is_recorded
from paretoken.registry import BENCHMARKS
from paretoken.study import paths
from paretoken.study.code_files import sources
from paretoken.study.grid import Cell, cells
from paretoken.study.recorded import RECORD
from paretoken.workflow.wildcards import Options, Rules, Wildcards, cell_of, given, run_record

#: Batch of questions for a model that is made, whose prompts have only a few tokens.
MADE_BATCH = 256


class Cells(Rules):
    """Inputs of the rules for cells, and options of their commands."""

    def grid(self, wildcards: Wildcards) -> list[Cell]:
        """Return the cells of the study."""
        return cells(self.study(wildcards))

    def folders(self, wildcards: Wildcards) -> list[str]:
        """Return the folders of all cells."""
        return [str(cell.folder(wildcards.study)) for cell in self.grid(wildcards)]

    def trained_folders(self, wildcards: Wildcards) -> list[str]:
        """Return the folders of trained cells; the cells of an elastic model share one."""
        if self.training(wildcards) is None:
            return []
        frozen = self.frozen(wildcards)
        folders = (paths.trained_folder(frozen, cell) for cell in self.grid(wildcards))
        return list(dict.fromkeys(map(str, folders)))

    def size(self, wildcards: Wildcards) -> float:
        """Return N of the cell, in billions of parameters."""
        return self.frozen(wildcards).params_b(wildcards.llm)

    def recipe(self, stage: str) -> Callable[[Wildcards], str]:
        """Return a function of wildcards for the recipe of a stage."""

        def path(wildcards: Wildcards) -> str:
            return str(getattr(self.training(wildcards).recipes, stage))

        return path

    def overrides(self, stage: str) -> Options:
        """Return a function of wildcards for the study's overrides of a stage's recipe."""

        def options(wildcards: Wildcards) -> list[str]:
            changes = getattr(self.training(wildcards).overrides, stage)
            return [word for change in changes for word in ("--set", change)]

        return options

    def llm(self, wildcards: Wildcards) -> str:
        """Return the record of the language model from which the cell's training starts."""
        w = wildcards
        return run_record(paths.llm_folder(self.frozen(w), w.llm, int(w.seed)))

    def vision(self, wildcards: Wildcards) -> str:
        """Return the record of the cell's encoder."""
        return run_record(paths.vision_folder(self.frozen(wildcards), int(wildcards.seed)))

    def data(self, stage: str) -> Callable[[Wildcards], str]:
        """Return a function of wildcards for the record of a stage's data."""

        def path(w: Wildcards) -> str:
            return run_record(paths.data_folder(self.frozen(w), stage, int(w.seed)))

        return path

    def encoded(self, stage: str) -> Callable[[Wildcards], str]:
        """Return a function of wildcards for the index of a stage's token ids."""

        def path(w: Wildcards) -> str:
            folder = paths.encoded_folder(self.frozen(w), stage, w.llm, int(w.seed))
            return str(folder / "index.json")

        return path

    def features(self, stage: str) -> Callable[[Wildcards], list[str] | str]:
        """Return a function of wildcards for the index of a stage's features, if the cell reads any."""

        def path(w: Wildcards) -> list[str] | str:
            if not self._reads_features(w):
                return []
            folder = paths.features_folder(self.frozen(w), stage, int(w.seed))
            return str(folder / "index.json")

        return path

    def images(self, stage: str) -> Options:
        """Return a function of wildcards for the options that name a stage's features or images."""

        def options(w: Wildcards) -> list[str]:
            frozen, training = self.frozen(w), self.training(w)
            if self._reads_features(w):
                return ["--features", str(paths.features_folder(frozen, stage, int(w.seed)))]
            where = paths.images(frozen, stage, int(w.seed))
            square = ["--aspect", getattr(training.aspects, stage)]
            return ["--images", str(where), *square, *(["--normalise"] if training.normalise else [])]

        return options

    def _reads_features(self, w: Wildcards) -> bool:
        return paths.reads_features(self.frozen(w), w.compressor, int(w.tokens))

    def model_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options of the model besides the coordinates of its cell."""
        training, facts = self.training(wildcards), specification(wildcards.compressor)
        # The whitening map is measured before stage 1, so the compressor before it must not be trained.
        whiten = training.whiten and not facts.learns
        return [
            *given("--layers", training.layers),
            *given("--projector-width", training.projector_width),
            *(["--whiten"] if whiten else []),
            *given("--init-std", None if facts.init_std is None else training.init_std),
        ]

    def trained(self, wildcards: Wildcards) -> str:
        """Return the record of stage 2 of the model that answers for the cell."""
        folder = paths.trained_folder(self.frozen(wildcards), cell_of(wildcards))
        return run_record(folder / "finetune")

    def questions(self, w: Wildcards) -> str:
        """Return the record of the questions."""
        return str(paths.questions_record(self.frozen(w), self._asked(w), int(w.seed)))

    def question_options(self, w: Wildcards) -> list[str]:
        """Return the options that name the questions and their images or features."""
        frozen, seed = self.frozen(w), int(w.seed)
        file = paths.questions_file(frozen, self._asked(w), seed)
        if not frozen.generated:
            return ["--questions", str(file), "--images", str(file.parent / "images")]
        if self._reads_features(w):
            seen = ["--features", str(paths.features_folder(frozen, paths.ALL, seed))]
        else:
            seen = ["--images", str(paths.data_folder(frozen, paths.ALL, seed) / "images" / "test")]
        return ["--questions", str(file), *seen, "--batch", str(MADE_BATCH)]

    def seen_features(self, w: Wildcards) -> list[str] | str:
        """Return the index of the features of the questions' images, if they are stored."""
        return self.features(paths.ALL)(w) if self.frozen(w).generated else []

    def answer_tokens(self, wildcards: Wildcards) -> list[str]:
        """Return the option that sets V of an elastic model; no option for any other."""
        elastic = specification(wildcards.compressor).elastic
        return ["--tokens", wildcards.tokens] if elastic else []

    def latency(self, wildcards: Wildcards) -> list[str]:
        """Return the option that stores seconds per question, which only made models measure."""
        folder = cell_of(wildcards).folder(wildcards.study)
        return (
            ["--out-latency", str(folder / "latency.json")] if self.frozen(wildcards).generated else []
        )

    def _asked(self, wildcards: Wildcards) -> str:
        return str(getattr(wildcards, "benchmark", WORLD))

    def scoring_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options for scoring that differs from the benchmark's conventions."""
        if self.frozen(wildcards).generated:
            return []
        return given("--variant", self.training(wildcards).settings(wildcards.benchmark).scoring)

    def scoring_code(self, wildcards: Wildcards) -> list[str]:
        """Return the code files of a benchmark, without those that every score needs."""
        shared = sources("paretoken.commands.score")
        own = sources(BENCHMARKS.module(wildcards.benchmark))
        return [path for path in own if path not in shared]

    def lmms_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options of `paretoken lmms-eval` for a task."""
        own = self.training(wildcards).settings(wildcards.benchmark)
        options = [
            *given("--metric", own.metric),
            *given("--maximum", own.maximum),
            *given("--include-path", own.include),
            *given("--limit", own.limit),
        ]
        options += ["--allow-code"] if own.allow_code else []
        return ["--benchmark", own.name, "--task", own.task or own.name, *options]

    def scores(self, wildcards: Wildcards) -> list[str]:
        """Return the score files of a cell, which do not depend on its suites."""
        frozen, folder = self.frozen(wildcards), cell_of(wildcards).folder(wildcards.study)
        names = [WORLD] if frozen.generated else frozen.study.benchmarks
        return [str(folder / "scores" / f"{name}.json") for name in names]

    def suites(self, wildcards: Wildcards) -> list[str]:
        """Return each suite and its benchmarks, as `paretoken cell-scores` takes them."""
        suites = self.study(wildcards).suites
        return [f"{suite.name}={','.join(suite.benchmarks)}" for suite in suites]

    def lengths(self, wildcards: Wildcards) -> list[int]:
        """Return the lengths in text tokens to which questions are lengthened."""
        return list(self.training(wildcards).lengthened)

    def text_lengths(self, wildcards: Wildcards) -> list[str]:
        """Return the tables by length of the question, for the cells with V > 0."""
        if is_recorded(wildcards.study):
            return [str(paths.results(wildcards.study) / "text_length.csv")]
        seeing = [cell for cell in self.grid(wildcards) if cell.tokens]
        return [str(cell.folder(wildcards.study) / "text_length.csv") for cell in seeing]

    def score_tables(self, wildcards: Wildcards) -> list[str]:
        """Return the table of scores of each cell."""
        return [f"{folder}/scores.csv" for folder in self.folders(wildcards)]

    def error_tables(self, wildcards: Wildcards) -> list[str]:
        """Return the table of errors of each cell."""
        return [f"{folder}/errors.csv" for folder in self.folders(wildcards)]

    def cost_records(self, wildcards: Wildcards) -> list[str]:
        """Return the files of each cell that are written last before its costs are known."""
        if self.frozen(wildcards).generated:
            return [f"{folder}/answers/{WORLD}.parquet" for folder in self.folders(wildcards)]
        return self.trained_records(wildcards)

    def trained_records(self, wildcards: Wildcards) -> list[str]:
        """Return the record of stage 2 of each training, or of the tables that are kept of them."""
        if is_recorded(wildcards.study):
            return [str(paths.results(wildcards.study) / RECORD)]
        return [run_record(Path(folder) / "finetune") for folder in self.trained_folders(wildcards)]
