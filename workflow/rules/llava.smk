# Functions of wildcards for the paper's study: where things are fetched from, and how each stage sees them.

from paretoken.planning.records import STAGES
from paretoken.planning.resources import cpu_resources, resources


def llava_of(wildcards):
    return study_of(wildcards).training


def fetch_options(record):
    """Return the arguments of `paretoken fetch` that follow from a record of the config."""
    options = ["--source", record.hub]
    options += ["--revision", record.revision] if record.revision else []
    return options + (["--params", record.params] if record.params else [])


def llm_origin(wildcards):
    record = STUDIES.freeze(wildcards.study).llm(wildcards.llm)
    return [*fetch_options(record), "--template", record.template]


def vision_origin(wildcards):
    record = STUDIES.freeze(wildcards.study).vision
    return [*fetch_options(record), "--grid", record.grid]


def manifest(wildcards):
    return llava_of(wildcards).data.manifest


def data_options(wildcards):
    data = llava_of(wildcards).data
    options = ["--root", data.root, "--max-bad-share", data.max_bad_share]
    return options + ([] if data.decode else ["--no-decode"])


def max_bad_share(wildcards):
    return llava_of(wildcards).data.max_bad_share


def template(wildcards):
    # `chat` is the tokenizer's own, which is that of the record: it was fetched with it.
    return getattr(llava_of(wildcards).templates, wildcards.stage)


def aspect(wildcards):
    return getattr(llava_of(wildcards).aspects, wildcards.stage)


def compressor_names(wildcards):
    names = [entry.name for entry in study_of(wildcards).compressors]
    return [name for name in names if not specification(name).smaller_images] or names


def stage_recipe(stage):
    """Return a function of wildcards: the recipe of a stage."""

    def path(wildcards):
        return getattr(llava_of(wildcards).recipes, stage)

    return path


def stage_overrides(stage):
    """Return a function of wildcards: the changes to a stage's recipe."""

    def options(wildcards):
        changes = getattr(llava_of(wildcards).overrides, stage)
        return [word for change in changes for word in ("--set", change)]

    return options


def stage_features(stage):
    """Return a function of wildcards: the cached features of a stage, if the study has them."""

    def path(wildcards):
        index = f"results/{wildcards.study}/sources/features/{stage}/index.json"
        return index if uses_features(wildcards) else []

    return path


def uses_features(wildcards):
    """Whether a cell reads stored features: no use to a compressor that makes images smaller."""
    return llava_of(wildcards).features and not specification(wildcards.compressor).smaller_images


def stage_images(stage):
    """Return a function of wildcards: where a stage's images are, and how they become square."""

    def options(wildcards):
        sources = f"results/{wildcards.study}/sources"
        if uses_features(wildcards):
            return ["--features", f"{sources}/features/{stage}"]
        aspect = getattr(llava_of(wildcards).aspects, stage)
        return ["--images", f"{sources}/data/{stage}/images", "--aspect", aspect]

    return options


def question_options(wildcards):
    """Return what a study asks differently from a benchmark's conventions."""
    own = llava_of(wildcards).settings(wildcards.benchmark)
    options = ["--source", own.source] if own.source else []
    options += ["--revision", own.revision] if own.revision else []
    options += ["--variant", own.questions] if own.questions else []
    return options + (["--limit", own.limit] if own.limit else [])


def scoring_options(wildcards):
    """Return what a study scores differently from a benchmark's conventions."""
    own = llava_of(wildcards).settings(wildcards.benchmark)
    return ["--variant", own.scoring] if own.scoring else []


def lmms_eval_options(wildcards):
    """Return a task of lmms-eval, as `paretoken lmms-eval` takes it."""
    own = llava_of(wildcards).settings(wildcards.benchmark)
    given = {key: getattr(own, key) for key in ("metric", "maximum", "include", "limit")}
    options = [word for key, value in given.items() if value for word in (f"--{key}", value)]
    options += ["--allow-code"] if own.allow_code else []
    return ["--name", own.name, "--task", own.task or own.name, *options]


def harnessed():
    """Return a pattern of the benchmarks that some study has asked by lmms-eval."""
    trained = [study.training for study in STUDIES.studies if kind_of(study) == "llava"]
    names = sorted({name for training in trained for name in training.harnessed()})
    return "|".join(names) or "(?!)"


def benchmark_code(wildcards):
    """Return a benchmark's own files: those that every score needs are no matter of wildcards."""
    shared = sources("paretoken.commands.score")
    return [path for path in sources(BENCHMARKS.module(wildcards.benchmark)) if path not in shared]


def gpus(stage):
    """Return a function of wildcards: how many GPUs a job of a stage takes; a miniature's, if it says so."""

    def number(wildcards):
        record = STUDIES.freeze(wildcards.study).llm(wildcards.llm)
        asked = kind_of(study_of(wildcards)) == "llava" or "gpus" in record.model_fields_set
        return getattr(record.gpus, stage) if asked else 0

    return number


def needs(stage, what):
    """Return what `paretoken plan` reckons a job needs: a number, or a function of wildcards and attempt."""
    same = None if stage in STAGES else getattr(cpu_resources(stage), what)
    grows = what in ("mem_mb", "runtime_min")

    def amount(wildcards, attempt):
        if same is not None:
            return same * attempt
        planned = resources(STUDIES, study_of(wildcards), cell_of(wildcards), stage)
        return getattr(planned, what) * (attempt if grows else 1)

    return amount if same is None or grows else same
