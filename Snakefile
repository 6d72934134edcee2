# One command, every study: expands the grids of config.yaml into jobs, down to figures and claims.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/llava.smk"
include: "workflow/rules/sources.smk"
include: "workflow/rules/llava_sources.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/llava_cells.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/costing.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        [target for name in STUDIES.run for target in targets(name)],


onsuccess:
    for name in STUDIES.run:
        if Path(f"results/{name}/report.html").exists():
            print(
                f"The study {name}: {Path('results', name, 'report.html').resolve()}",
                file=sys.stderr,
            )
