# From a trained cell to its errors. Every benchmark is answered and scored once per cell, whichever
# suites use it, so a suite that averages another one retrains and asks nothing.


rule predict:
    input:
        model=trained_run,
        data="results/{study}/sources/s{seed}/data/run.json",
        features="results/{study}/sources/s{seed}/features/index.json",
    output:
        answers=expand(
            "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/answers/{benchmark}.parquet",
            benchmark=MINIATURE_BENCHMARKS,
            allow_missing=True,
        ),
        latency="results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/latency.json",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/predict.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/predict.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=gpus("predict"),
        cpus=needs("predict", "cpus"),
        mem_mb=needs("predict", "mem_mb"),
        runtime=needs("predict", "runtime_min"),
    params:
        model=subpath(input.model, parent=True),
        images=seen_images("test"),
        tokens=answer_tokens,
        questions=expand(
            "results/{study}/sources/s{seed}/data/suites/{benchmark}",
            benchmark=MINIATURE_BENCHMARKS,
            allow_missing=True,
        ),
    shell:
        "paretoken predict --model {params.model:q}/model {params.images:q} {params.tokens:q} "
        "--questions {params.questions:q} --batch 256 --max-new-tokens 2 "
        "--latency {output.latency:q} --out {output.answers:q} > {log:q} 2>&1"


rule score:
    input:
        answers=expand(
            "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/answers/{benchmark}.parquet",
            benchmark=MINIATURE_BENCHMARKS,
            allow_missing=True,
        ),
        code=sources("paretoken.commands.score", BENCHMARKS.module("exact_match")),
    output:
        expand(
            "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/scores/{benchmark}.json",
            benchmark=MINIATURE_BENCHMARKS,
            allow_missing=True,
        ),
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/score.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/score.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=needs("score", "cpus"),
        mem_mb=needs("score", "mem_mb"),
        runtime=needs("score", "runtime_min"),
    shell:
        "paretoken score --benchmark exact_match --predictions {input.answers:q} "
        "--out {output:q} > {log:q} 2>&1"


rule cell_scores:
    input:
        scores=score_files,
        code=sources("paretoken.commands.cell_scores"),
    output:
        errors="results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/errors.csv",
        scores="results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/scores.csv",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/cell-scores.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/cell-scores.tsv"
    wildcard_constraints:
        study=one_of("miniature", "llava"),
    conda:
        "../../envs/analysis.yaml"
    params:
        suites=suite_benchmarks,
        size=size_of,
    shell:
        "paretoken cell-scores --study {wildcards.study:q} --scores {input.scores:q} "
        "--suites {params.suites:q} --llm {wildcards.llm:q} --params-b {params.size:q} "
        "--compressor {wildcards.compressor:q} --tokens {wildcards.tokens:q} "
        "--seed {wildcards.seed:q} --out-scores {output.scores:q} --out {output.errors:q} > {log:q} 2>&1"


rule scores:
    input:
        cells=cell_score_files,
        code=sources("paretoken.commands.scores"),
    output:
        "results/{study}/tables/scores.csv",
    log:
        "results/{study}/logs/scores.log",
    benchmark:
        "results/{study}/benchmarks/scores.tsv"
    wildcard_constraints:
        study=one_of("miniature", "llava"),
    conda:
        "../../envs/analysis.yaml"
    shell:
        "paretoken scores --cells {input.cells:q} --out {output:q} > {log:q} 2>&1"


rule costs:
    input:
        study="results/{study}/study.json",
        records=cost_files,
        code=sources("paretoken.commands.costs"),
    output:
        "results/{study}/tables/costs.csv",
    log:
        "results/{study}/logs/costs.log",
    benchmark:
        "results/{study}/benchmarks/costs.tsv"
    wildcard_constraints:
        study=one_of("miniature", "llava"),
    conda:
        "../../envs/analysis.yaml"
    params:
        cells=cell_folders,
    shell:
        "paretoken costs --study {input.study:q} --cells {params.cells:q} --out {output:q} > {log:q} 2>&1"


rule text_length:
    input:
        model=trained_run,
        data="results/{study}/sources/s{seed}/data/run.json",
        features="results/{study}/sources/s{seed}/features/index.json",
    output:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/text_length.csv",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/text-length.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/text-length.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
    conda:
        "../../envs/train.yaml"
    params:
        model=subpath(input.model, parent=True),
        images=seen_images("test"),
        lengths=text_lengths,
        suites=suite_benchmarks,
        size=size_of,
        questions=expand(
            "results/{study}/sources/s{seed}/data/suites/{benchmark}",
            benchmark=MINIATURE_BENCHMARKS,
            allow_missing=True,
        ),
    shell:
        "paretoken text-length --model {params.model:q}/model {params.images:q} "
        "--questions {params.questions:q} --text-tokens {params.lengths:q} --suites {params.suites:q} "
        "--batch 256 --max-new-tokens 2 --study {wildcards.study:q} --llm {wildcards.llm:q} "
        "--params-b {params.size:q} --compressor {wildcards.compressor:q} --tokens {wildcards.tokens:q} "
        "--seed {wildcards.seed:q} --out {output:q} > {log:q} 2>&1"


rule text_optimum:
    input:
        study="results/{study}/study.json",
        errors="results/{study}/tables/errors.csv",
        fits=fit_files,
        cells=text_length_files,
        code=sources("paretoken.commands.text_optimum", *LAWS.modules()),
    output:
        table="results/{study}/tables/text_length.csv",
        optima="results/{study}/tables/text_optimum.csv",
        latex="results/{study}/tables/text_optimum.tex",
        page="results/{study}/text_length.md",
        figure=multiext("results/{study}/figures/text_length", ".png", ".pdf"),
    log:
        "results/{study}/logs/text-optimum.log",
    benchmark:
        "results/{study}/benchmarks/text-optimum.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
    conda:
        "../../envs/analysis.yaml"
    shell:
        "paretoken text-optimum --study {input.study:q} --errors {input.errors:q} --fits {input.fits:q} "
        "--cells {input.cells:q} --out {output.table:q} --optima {output.optima:q} --latex {output.latex:q} "
        "--page {output.page:q} --figure {output.figure:q} > {log:q} 2>&1"
