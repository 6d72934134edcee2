# What the rules share: the checked config, the shapes of paths, and functions of wildcards.
import os
import re
import sys
from pathlib import Path

from paretoken.compressors.specification import specification
from paretoken.config import parse as parse_config
from paretoken.config.fields import as_list
from paretoken.driver import require_own_logs, take_over
from paretoken.errors import UserError
from paretoken.escape import message
from paretoken.feasibility.examine import require_runnable
from paretoken.grid import cells
from paretoken.planning.records import dimensions_file
from paretoken.registry import BENCHMARKS, CLAIMS, COMPRESSORS, COST_MODELS, FIGURES, LAWS
from paretoken.sources import data_files, sources

os.environ.update(
    # `paretoken` stands beside the interpreter of Snakemake, whether or not a venv is activated.
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]),
    # Jobs run side by side: one thread each, unless the user says otherwise.
    OMP_NUM_THREADS=os.getenv("OMP_NUM_THREADS", "1"),
    PARETOKEN_HOME=str(workflow.basedir),
)

try:
    STUDIES = parse_config(config)
    # Jobs of a cluster read this file, too: what is known before the first one is not asked again.
    CONCERNS = require_runnable(STUDIES) if workflow.is_main_process else []
except UserError as error:
    print(message(f"snakemake: {error}"), file=sys.stderr)
    sys.exit(2)
for concern in CONCERNS:
    print(message(f"warning: {concern}"), file=sys.stderr)

# A run that was killed leaves Snakemake's lock behind; the next one goes on without it.
if not workflow.dryrun and workflow.is_main_process:
    try:
        require_own_logs(Path("results", name) for name in STUDIES.run)
        DRIVER_LOCK = take_over(Path(".snakemake"))
    except UserError as error:
        print(message(f"snakemake: {error}"), file=sys.stderr)
        sys.exit(2)


# Which jobs come first when many are ready: what a person can look at soon; then what others wait for,
# the shortest first, so that it delays nothing that becomes ready meanwhile.
SOON, DATA, SOURCE, LONG = 40, 30, 20, 10
# Figures that compare ways to count costs.
COST_FIGURES = ("optimum_by_cost",)


wildcard_constraints:
    study="[a-z0-9][a-z0-9._-]*",
    llm="[a-z0-9][a-z0-9._-]*",
    compressor="[a-z0-9_]+",
    stage="pretrain|finetune",
    tokens=r"\d+",
    seed=r"\d+",
    suite="[a-z0-9][a-z0-9._-]*",
    law="[a-z_]+",
    cells="all|unflagged",
    benchmark="[a-z0-9_]+",


def study_of(wildcards):
    return STUDIES.study(wildcards.study)


def frozen_json(wildcards):
    # Figures and claims are left out, so that a new one does not redraw the others; and where models
    # come from, and what they run on, since nothing is drawn of that.
    study = {"figures", "claims", "budget_gpu_hours", "latency", "price_per_hour"}
    origin = {"hub", "revision", "params"}
    alone = {
        "study": study,
        "llms": {"__all__": origin | {"gpus", "template"}},
        "vision": origin,
    }
    return STUDIES.freeze(wildcards.study).model_dump_json(exclude=alone)


def size_of(wildcards):
    return STUDIES.freeze(wildcards.study).params_b(wildcards.llm)


def suite_names(wildcards):
    return [suite.name for suite in study_of(wildcards).suites]


def measured_table(wildcards):
    return study_of(wildcards).measured or []


def measured_options(wildcards):
    return ["--measured", study_of(wildcards).measured] if study_of(wildcards).measured else []


def kind_of(study):
    return study.training.kind if study.training else "measured"


def one_of(*kinds):
    """Return a pattern of the studies of some kinds: measured, miniature or llava."""
    names = [re.escape(study.name) for study in STUDIES.studies if kind_of(study) in kinds]
    return "|".join(names) or "(?!)"


def cell_files(wildcards):
    return [f"{cell.folder(wildcards.study)}/errors.csv" for cell in cells(study_of(wildcards))]


def trained_run(wildcards):
    """Return the record of stage 2 that a cell's answers come from: a shared one for elastic models."""
    side = STUDIES.freeze(wildcards.study).vision.grid
    return f"{cell_of(wildcards).trained(side).folder(wildcards.study)}/finetune/run.json"


def answer_tokens(wildcards):
    """Return how an elastic model is told its V; nothing for any other."""
    return ["--tokens", wildcards.tokens] if specification(wildcards.compressor).elastic else []


def fit_files(wildcards):
    study = study_of(wildcards)
    # A trained cell has no flag: leaving flagged ones out would repeat the fit.
    rows = ("all", "unflagged") if study.measured else ("all",)
    variants = [f"{law}-{cells}" for law in study.fit.laws for cells in rows]
    return [
        f"results/{study.name}/fits/{suite.name}/{variant}.json"
        for suite in study.suites
        for variant in [*variants, *(["paper_grid"] if study.published and variants else [])]
    ]


def law_tables(*names):
    """Return a function of wildcards: these tables, which only a study with laws has."""

    def paths(wildcards):
        own = names if study_of(wildcards).fit.laws else ()
        return [f"results/{wildcards.study}/tables/{name}.csv" for name in own]

    return paths


def law_table_options(*names):
    """Return a function of wildcards: `--name path` for each of `law_tables`."""

    def options(wildcards):
        paths = zip(names, law_tables(*names)(wildcards))
        return [word for name, path in paths for word in (f"--{name.replace('_', '-')}", path)]

    return options


def headline_fit(wildcards):
    law = study_of(wildcards).fit.laws[0]
    return f"results/{wildcards.study}/fits/{wildcards.suite}/{law}-all.json"


def fit_code(wildcards):
    # The first law is compared with all others, so that it needs them too.
    first = wildcards.law == study_of(wildcards).fit.laws[0]
    return sources(
        "paretoken.commands.fit", *(LAWS.modules() if first else [LAWS.module(wildcards.law)])
    )


def code_of(command, *modules):
    """Return a function of wildcards: the files of a command, of modules, of the study's compressors."""

    def paths(wildcards):
        own = {COMPRESSORS.module(entry.name) for entry in study_of(wildcards).compressors}
        return sources(f"paretoken.commands.{command}", *modules, *sorted(own))

    return paths


def figure_code(wildcards):
    return code_of("figure", FIGURES.module(wildcards.figure), *LAWS.modules())(wildcards)


def fit_options(wildcards):
    """Return the arguments of `paretoken fit` that follow from the study's settings."""
    study = study_of(wildcards)
    sizes = [STUDIES.freeze(study.name).params_b(llm) for llm in study.holdout]
    options = ["--loss", study.fit.loss]
    options += ["--huber-delta", study.fit.huber_delta] if study.fit.huber_delta is not None else []
    options += ["--bootstrap", study.fit.bootstrap, "--seed", study.fit.seed]
    options += ["--law-text-tokens", study.fit.law_text_tokens, "--q", *study.text_tokens]
    return options + (["--holdout-n", *sizes] if sizes else [])


def row_options(wildcards):
    return ["--exclude-flagged"] if wildcards.cells == "unflagged" else []


def headline_options(wildcards):
    """Return what concerns the first law: it alone is constrained, and compared with all others."""
    fit = study_of(wildcards).fit
    if wildcards.law != fit.laws[0]:
        return ["--no-comparison"]
    chance = ["--chance", fit.chance] if fit.chance is not None else []
    return [*[f"--tie={tie}" for tie in fit.tie], *[f"--fix={fix}" for fix in fit.fix], *chance]


def claim_options(wildcards):
    claims = study_of(wildcards).claims
    return ["--claims", *claims] if claims else []


def figure_options(wildcards):
    figures = study_of(wildcards).figures
    return ["--figures", *figures] if figures else []


def text_tokens(wildcards):
    return study_of(wildcards).text_tokens


def reference_options(*keys):
    """Return a function of wildcards: `--key path` for each published table that the study has."""

    def options(wildcards):
        paths = {key: published(key)(wildcards) for key in keys}
        return [word for key, path in paths.items() if path for word in (f"--{key}", path)]

    return options


def published(key):
    """Return a function of wildcards: the published table ``key`` of a study, or none."""

    def path(wildcards):
        tables = study_of(wildcards).published
        return (getattr(tables, key) if tables else None) or []

    return path


def targets(name):
    """Return the files that a study ends in."""
    study, folder = STUDIES.study(name), f"results/{name}"
    compared = study.training is not None and not study.fit.laws
    return [
        f"{folder}/summary.md",
        f"{folder}/report.html",
        *[f"{folder}/tables/frontier-{suite.name}.csv" for suite in study.suites if study.fit.laws],
        *([f"{folder}/methods.md"] if compared else []),
        *([f"{folder}/text_length.md"] if getattr(study.training, "lengthened", []) else []),
        *[f"{folder}/figures/{figure}.png" for figure in study.figures],
        *([f"{folder}/tables/{name}.csv" for name in ("scores", "costs")] if study.training else []),
    ]
