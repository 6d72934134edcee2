# The workflow of all studies: it expands the grids of config.yaml into jobs, up to figures and claims.
import sys
from pathlib import Path

from snakemake.utils import min_version

from paretoken.errors import UserError
from paretoken.io.yaml_files import read_yaml

min_version("9.27")

try:
    read_yaml(Path("config.yaml"))  # Snakemake's own reader has no limits and accepts duplicate keys
except UserError as error:
    print(f"snakemake: {error}", file=sys.stderr)
    sys.exit(2)


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/sources.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        [target for name in STUDIES.run for target in STUDY.targets(name)],


onsuccess:
    for name in STUDIES.run:
        if Path(f"results/{name}/report.html").exists():
            print(
                f"The study {name}: {Path('results', name, 'report.html').resolve()}",
                file=sys.stderr,
            )
