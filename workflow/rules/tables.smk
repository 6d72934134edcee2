# From cells to tables: what all cells of a study scored and cost.


rule study:
    output:
        "results/{study}/study.json",
    log:
        "results/{study}/logs/study.log",
    benchmark:
        "results/{study}/benchmarks/study.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=STUDY.frozen_json,
    shell:
        "paretoken study --settings {params.settings:q} --out {output:q} > {log:q} 2>&1"


rule aggregate:
    input:
        cells=STUDY.error_tables,
        code=sources("paretoken.commands.aggregate"),
    output:
        "results/{study}/tables/errors.csv",
    log:
        "results/{study}/logs/aggregate.log",
    benchmark:
        "results/{study}/benchmarks/aggregate.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        suites=STUDY.suite_names,
    shell:
        "paretoken aggregate --cells {input.cells:q} --suites {params.suites:q} --out {output:q} "
        "> {log:q} 2>&1"


rule scores:
    input:
        cells=STUDY.score_tables,
        code=sources("paretoken.commands.scores"),
    output:
        "results/{study}/tables/scores.csv",
    log:
        "results/{study}/logs/scores.log",
    benchmark:
        "results/{study}/benchmarks/scores.tsv"
    conda:
        "../../envs/analysis.yaml"
    shell:
        "paretoken scores --cells {input.cells:q} --out {output:q} > {log:q} 2>&1"


rule costs:
    input:
        study="results/{study}/study.json",
        records=STUDY.cost_records,
        code=STUDY.code("costs"),
    output:
        "results/{study}/tables/costs.csv",
    log:
        "results/{study}/logs/costs.log",
    benchmark:
        "results/{study}/benchmarks/costs.tsv"
    conda:
        "../../envs/analysis.yaml"
    params:
        cells=STUDY.folders,
    shell:
        "paretoken costs --study-file {input.study:q} --cells {params.cells:q} --out {output:q} > {log:q} 2>&1"


rule shapes:
    input:
        study="results/{study}/study.json",
        files=STUDY.shape_files,
        code=STUDY.code("shapes"),
    output:
        "results/{study}/shapes.json",
    log:
        "results/{study}/logs/shapes.log",
    benchmark:
        "results/{study}/benchmarks/shapes.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    shell:
        "paretoken shapes --study-file {input.study:q} --out {output:q} > {log:q} 2>&1"
