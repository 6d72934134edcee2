# Where a study's cells come from.


rule study:
    output:
        "results/{study}/study.json",
    log:
        "results/{study}/logs/study.log",
    benchmark:
        "results/{study}/benchmarks/study.tsv"
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=frozen_json,
    shell:
        "paretoken study --json {params.settings:q} --out {output:q} > {log:q} 2>&1"


rule measured_cell:
    input:
        measured=measured_table,
        code=sources("paretoken.commands.cell"),
    output:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/errors.csv",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/cell.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/cell.tsv"
    conda:
        "../../envs/analysis.yaml"
    params:
        suites=suite_names,
        size=size_of,
    shell:
        "paretoken cell --study {wildcards.study:q} --measured {input.measured:q} "
        "--suites {params.suites:q} --llm {wildcards.llm:q} --params-b {params.size:q} "
        "--compressor {wildcards.compressor:q} --tokens {wildcards.tokens:q} "
        "--seed {wildcards.seed:q} --out {output:q} > {log:q} 2>&1"
