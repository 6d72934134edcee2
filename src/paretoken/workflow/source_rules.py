"""Rules for sources: models, data, token ids, features and questions, fetched or made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from paretoken.compressors.specification import specification
from paretoken.config.sources import Llm, Vision
from paretoken.config.study import FrozenStudy
from paretoken.plan.resources import CpuStage, cpu_resources
from paretoken.study import paths
from paretoken.workflow.job_resources import grown
from paretoken.workflow.wildcards import Rules, Wildcards, given, run_record

T = TypeVar("T")


def seed_of(wildcards: Wildcards) -> int:
    """Return the seed in the wildcard ``origin``, such as ``sources/s3``; 0 if it has none."""
    return int(wildcards.origin.rpartition("/s")[2]) if "/" in wildcards.origin else 0


class Sources(Rules):
    """Inputs of the rules for sources, and options of their commands."""

    def fetched(self, wildcards: Wildcards) -> list[str]:
        """Return the options that fetch the wildcard ``model``: ``vision`` or ``llms/NAME``."""
        frozen = self.frozen(wildcards)
        if wildcards.model == "vision":
            record = frozen.vision
            return ["--kind", "vision", *_origin(record), "--grid", str(record.grid)]
        llm = frozen.llm(wildcards.model.removeprefix("llms/"))
        return ["--kind", "llm", *_origin(llm), "--template", llm.template]

    def world(self, wildcards: Wildcards) -> str:
        """Return the recipe of the generated world."""
        return _there(self.frozen(wildcards).world).recipe

    def world_seed(self, wildcards: Wildcards) -> int:
        """Return the seed of the world's icons and facts."""
        return _there(self.frozen(wildcards).world).seed

    def vision_recipe(self, wildcards: Wildcards) -> str:
        """Return the recipe of an encoder that is made."""
        return _there(self.frozen(wildcards).vision.make).recipe

    def grid(self, wildcards: Wildcards) -> int:
        """Return the patches per side of the encoder's grid."""
        return self.frozen(wildcards).vision.grid

    def llm_recipe(self, wildcards: Wildcards) -> str:
        """Return the recipe of a language model that is made."""
        return _there(self.frozen(wildcards).llm(wildcards.llm).make).recipe

    def llm_width(self, wildcards: Wildcards) -> int:
        """Return the hidden size of a language model that is made."""
        return _there(self.frozen(wildcards).llm(wildcards.llm).make).width

    def data_files(self, wildcards: Wildcards) -> str:
        """Return the file that says what the data of a stage are: a manifest, or conversations."""
        data = _there(self.frozen(wildcards).data)
        own = data.folder
        return str(own.conversations(wildcards.stage)) if own else _there(data.manifest)

    def data_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options for data that are not generated: where they are, how they are checked."""
        data = _there(self.frozen(wildcards).data)
        file = self.data_files(wildcards)
        if data.folder:
            options = ["--conversations", file, *given("--images", data.folder.image_folder())]
        else:
            options = ["--manifest", file, "--data-set", wildcards.stage, *given("--root", data.root)]
        options += given("--max-bad-share", data.max_bad_share)
        return options + ([] if data.decode else ["--no-decode"])

    def data(self, wildcards: Wildcards) -> str:
        """Return the record of the data of the wildcard ``stage`` or ``part``."""
        stage = getattr(wildcards, "stage", None) or wildcards.part
        return run_record(paths.data_folder(self.frozen(wildcards), stage, seed_of(wildcards)))

    def tokenizer(self, wildcards: Wildcards) -> str:
        """Return the record of the source that has the tokenizer of the wildcard ``vocabulary``."""
        frozen, seed = self.frozen(wildcards), seed_of(wildcards)
        if frozen.generated:
            return run_record(paths.data_folder(frozen, wildcards.stage, seed))
        return run_record(paths.llm_folder(frozen, wildcards.vocabulary, seed))

    def conversations(self, wildcards: Wildcards) -> list[str]:
        """Return the options that name the conversations, the tokenizer and the template."""
        frozen, seed, stage = self.frozen(wildcards), seed_of(wildcards), wildcards.stage
        if frozen.generated:
            llm = paths.data_folder(frozen, stage, seed) / "tokenizer"
        else:
            llm = paths.llm_folder(frozen, wildcards.vocabulary, seed)
        # `chat` is the tokenizer's own template: the tokenizer is fetched with the record's template.
        template = getattr(self.training(wildcards).templates, stage)
        return [*_rows(frozen, stage, seed), "--llm", str(llm), "--template", template]

    def images(self, wildcards: Wildcards) -> list[str]:
        """Return the options that name the images of a stage or a world, and how they become square."""
        frozen, part, seed = self.frozen(wildcards), wildcards.part, seed_of(wildcards)
        training = self.training(wildcards)
        stage = "finetune" if part == paths.ALL else part
        if frozen.generated:
            folder = paths.data_folder(frozen, stage, seed) / paths.IMAGES
            rows = ["--data", *(str(folder / name) for name in ("train", "test"))]
        else:
            rows = _rows(frozen, stage, seed)
            if not paths.holds_images(frozen):
                rows += ["--images", str(paths.images(frozen, stage, seed))]
        return [*rows, "--aspect", getattr(training.aspects, stage)]

    def encoder_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options that say which features are stored: layers, and needs of compressors."""
        training = self.training(wildcards)
        names = [entry.name for entry in self.study(wildcards).compressors]
        if training.layers:  # leave other compressors out, so that adding one does not encode again
            names = [name for name in names if specification(name).reads_attention]
        else:
            names = [name for name in names if not specification(name).smaller_images] or names
        options = [*given("--compressors", names), *given("--layers", training.layers)]
        return options + (["--normalise"] if training.normalise else [])

    def needs(self, stage: CpuStage, what: str) -> Callable[[Wildcards, int], int]:
        """Return a function of wildcards for a resource of a source's job; a world's needs are small."""

        def amount(wildcards: Wildcards, attempt: int) -> int:
            generated = self.frozen(wildcards).generated
            return grown(cpu_resources("sources" if generated else stage), what, attempt)

        return amount

    def question_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options for questions that differ from the benchmark's conventions."""
        own = self.training(wildcards).settings(wildcards.benchmark)
        return [
            *given("--source", own.source),
            *given("--revision", own.revision),
            *given("--variant", own.questions),
            *given("--limit", own.limit),
        ]


def _origin(record: Llm | Vision) -> list[str]:
    return [
        *given("--source", record.hub),
        *given("--revision", record.revision),
        *given("--params", record.params),
    ]


def _rows(frozen: FrozenStudy, stage: str, seed: int) -> list[str]:
    """Return the options that name a stage's conversations, and those that are left out."""
    rows = ["--data", str(paths.conversations(frozen, stage, seed))]
    if frozen.generated:
        return rows
    return [*rows, "--skipped", str(paths.data_folder(frozen, stage, seed) / "skipped.json")]


def _there(value: T | None) -> T:
    """Return a value that is not None in a valid config wherever these rules apply."""
    assert value is not None  # noqa: S101
    return value
