# Shared by all rules: the valid config, functions of wildcards (src/paretoken/workflow), constraints.
import os
import re
import sys
from pathlib import Path

from paretoken.config.config import parse as parse_config
from paretoken.config.runs import PREFIX
from paretoken.jobs.driver import require_own_logs, take_over
from paretoken.errors import UserError
from paretoken.io.escape import message
from paretoken.feasibility.examine import require_runnable
from paretoken.registry import BENCHMARKS, CLAIMS, COST_MODELS, FIGURES, LAWS
from paretoken.study.code_files import data_files, sources
from paretoken.study.paths import harnessed
from paretoken.workflow.job_resources import Requests, fixed
from paretoken.workflow.source_rules import Sources
from paretoken.workflow.table_rules import Tables

os.environ.update(
    # `paretoken` is installed beside Snakemake's interpreter, whether or not its venv is activated.
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]),
    # Jobs run in parallel, so each uses one thread, unless the user sets another number.
    OMP_NUM_THREADS=os.getenv("OMP_NUM_THREADS", "1"),
    PARETOKEN_HOME=str(workflow.basedir),
)

try:
    STUDIES = parse_config(config)
    # Jobs on a cluster read this file, too, but the checks are only needed once, before the first job.
    CONCERNS = require_runnable(STUDIES) if workflow.is_main_process else []
except UserError as error:
    print(message(f"snakemake: {error}"), file=sys.stderr)
    sys.exit(2)
for concern in dict.fromkeys(map(str, CONCERNS)):  # studies share records
    print(message(f"warning: {concern}"), file=sys.stderr)

# A run that was killed leaves Snakemake's lock behind; the next run removes it and continues.
if not workflow.dryrun and workflow.is_main_process:
    try:
        require_own_logs(Path("results", name) for name in STUDIES.run)
        DRIVER_LOCK = take_over(Path(".snakemake"))
    except UserError as error:
        print(message(f"snakemake: {error}"), file=sys.stderr)
        sys.exit(2)

SOURCES, STUDY, ASK = Sources(STUDIES), Tables(STUDIES), Requests(STUDIES)
CELL = "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}"

# Priorities when many jobs are ready: first jobs with results for the user, then jobs that others wait
# for. Of these, shorter jobs come first, so that they do not delay jobs that become ready meanwhile.
SOON, DATA, SOURCE, LONG = 40, 30, 20, 10


def one_of(names):
    """Return a pattern that matches the names; without names, one that matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


NAME = "[a-z0-9][a-z0-9._-]*"


wildcard_constraints:
    # A study, or the recorded tables of one: its results are beside them.
    study=f"({PREFIX})?{NAME}",
    llm=NAME,
    compressor="[a-z0-9_]+",
    stage="pretrain|finetune",
    tokens=r"\d+",
    seed=r"\d+",
    suite=NAME,
    variant="[a-z_]+(-all|-unflagged)?",
    benchmark="[a-z0-9_]+",
    # Sources that are fetched, or that are made for a seed.
    origin=r"sources(/s\d+)?",
    part="all|pretrain|finetune",
    vocabulary=NAME,
    model=f"vision|llms/{NAME}",
