# From cells to tables: the errors, scores and costs of all cells of a study.


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


# The same tables of a study that was trained once: they are kept in the repository.
rule recorded:
    input:
        study="results/measured/{study}/study.json",
        record="results/measured/{study}/record.json",
        code=sources("paretoken.commands.recorded"),
    output:
        errors="results/measured/{study}/tables/errors.csv",
        scores="results/measured/{study}/tables/scores.csv",
        costs="results/measured/{study}/tables/costs.csv",
    log:
        "results/measured/{study}/logs/recorded.log",
    benchmark:
        "results/measured/{study}/benchmarks/recorded.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        folder=subpath(input.record, parent=True),
    shell:
        "paretoken recorded --record {params.folder:q} --study-file {input.study:q} "
        "--out-errors {output.errors:q} --out-scores {output.scores:q} --out-costs {output.costs:q} "
        "> {log:q} 2>&1"


ruleorder: recorded > aggregate
ruleorder: recorded > scores
ruleorder: recorded > costs


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
