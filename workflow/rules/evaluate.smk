# From a trained cell to its errors. Every benchmark is answered and scored once per cell, whichever suites
# use it. A new suite of the same benchmarks repeats no training and no questions; nor does new scoring.


rule predict:
    input:
        model=STUDY.trained,
        questions=STUDY.questions,
        features=STUDY.seen_features,
    output:
        f"{CELL}/answers/{{benchmark}}.parquet",
    log:
        f"{CELL}/logs/predict-{{benchmark}}.log",
    benchmark:
        f"{CELL}/benchmarks/predict-{{benchmark}}.tsv"
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=ASK.gpus("predict"),
        cpus=ASK.cell("predict", "cpus"),
        mem_mb=ASK.cell("predict", "mem_mb"),
        runtime=ASK.cell("predict", "runtime_min"),
    params:
        model=subpath(input.model, parent=True),
        questions=STUDY.question_options,
        tokens=STUDY.answer_tokens,
        latency=STUDY.latency,
    shell:
        "paretoken predict --model {params.model:q}/model {params.tokens:q} {params.questions:q} "
        "{params.latency:q} --out {output:q} > {log:q} 2>&1"


rule score:
    input:
        answers=f"{CELL}/answers/{{benchmark}}.parquet",
        code=sources("paretoken.commands.score"),
        benchmark=STUDY.scoring_code,
    output:
        f"{CELL}/scores/{{benchmark}}.json",
    log:
        f"{CELL}/logs/score-{{benchmark}}.log",
    benchmark:
        f"{CELL}/benchmarks/score-{{benchmark}}.tsv"
    wildcard_constraints:
        benchmark=one_of(BENCHMARKS),
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=fixed("score", "cpus"),
        mem_mb=fixed("score", "mem_mb"),
        runtime=fixed("score", "runtime_min"),
    params:
        options=STUDY.scoring_options,
    shell:
        "paretoken score --benchmark {wildcards.benchmark:q} {params.options:q} "
        "--predictions {input.answers:q} --out {output:q} > {log:q} 2>&1"


rule lmms_eval:
    input:
        model=STUDY.trained,
    output:
        f"{CELL}/scores/{{benchmark}}.json",
    log:
        f"{CELL}/logs/predict-{{benchmark}}.log",
    benchmark:
        f"{CELL}/benchmarks/predict-{{benchmark}}.tsv"
    wildcard_constraints:
        benchmark=one_of(name for study in STUDIES.studies for name in harnessed(study)),
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=ASK.gpus("predict"),
        cpus=ASK.cell("predict", "cpus"),
        mem_mb=ASK.cell("predict", "mem_mb"),
        runtime=ASK.cell("predict", "runtime_min"),
    params:
        model=subpath(input.model, parent=True),
        options=STUDY.lmms_options,
        tokens=STUDY.answer_tokens,
    shell:
        "paretoken lmms-eval --model {params.model:q}/model {params.tokens:q} {params.options:q} "
        "--out {output:q} > {log:q} 2>&1"


rule text_length:
    input:
        model=STUDY.trained,
        questions=STUDY.questions,
        features=STUDY.seen_features,
    output:
        f"{CELL}/text_length.csv",
    log:
        f"{CELL}/logs/text-length.log",
    benchmark:
        f"{CELL}/benchmarks/text-length.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        model=subpath(input.model, parent=True),
        questions=STUDY.question_options,
        lengths=STUDY.lengths,
        suites=STUDY.suites,
        size=STUDY.size,
    shell:
        "paretoken text-length --model {params.model:q}/model {params.questions:q} --benchmark world "
        "--text-tokens {params.lengths:q} --suite-benchmarks {params.suites:q} --max-new-tokens 2 "
        "--study {wildcards.study:q} --llm-name {wildcards.llm:q} --params-b {params.size:q} "
        "--compressor {wildcards.compressor:q} --tokens {wildcards.tokens:q} "
        "--seed {wildcards.seed:q} --out {output:q} > {log:q} 2>&1"


rule cell_scores:
    input:
        scores=STUDY.scores,
        code=sources("paretoken.commands.cell_scores"),
    output:
        errors=f"{CELL}/errors.csv",
        scores=f"{CELL}/scores.csv",
    log:
        f"{CELL}/logs/cell-scores.log",
    benchmark:
        f"{CELL}/benchmarks/cell-scores.tsv"
    wildcard_constraints:
        study=one_of(study.name for study in STUDIES.studies if study.training),
    conda:
        "../../envs/analysis.yaml"
    params:
        suites=STUDY.suites,
        size=STUDY.size,
    shell:
        "paretoken cell-scores --study {wildcards.study:q} --score-files {input.scores:q} "
        "--suite-benchmarks {params.suites:q} --llm-name {wildcards.llm:q} --params-b {params.size:q} "
        "--compressor {wildcards.compressor:q} --tokens {wildcards.tokens:q} "
        "--seed {wildcards.seed:q} --out-scores {output.scores:q} --out {output.errors:q} > {log:q} 2>&1"


rule measured_cell:
    input:
        measured=STUDY.measured,
        code=sources("paretoken.commands.cell"),
    output:
        f"{CELL}/errors.csv",
    log:
        f"{CELL}/logs/cell.log",
    benchmark:
        f"{CELL}/benchmarks/cell.tsv"
    wildcard_constraints:
        study=one_of(study.name for study in STUDIES.studies if study.measured),
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        suites=STUDY.suite_names,
        size=STUDY.size,
    shell:
        "paretoken cell --study {wildcards.study:q} --measured {input.measured:q} "
        "--suites {params.suites:q} --llm-name {wildcards.llm:q} --params-b {params.size:q} "
        "--compressor {wildcards.compressor:q} --tokens {wildcards.tokens:q} "
        "--seed {wildcards.seed:q} --out {output:q} > {log:q} 2>&1"
