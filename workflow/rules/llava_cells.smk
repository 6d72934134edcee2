# One cell of the paper's study: two stages, and the answers to each benchmark, which are stored: scoring
# anew asks nothing. Folders are params for the reason that train.smk gives.


rule llava_pretrain:
    input:
        recipe=stage_recipe("pretrain"),
        llm="results/{study}/sources/llms/{llm}/run.json",
        vision="results/{study}/sources/vision/run.json",
        data="results/{study}/sources/data/pretrain/run.json",
        tokens="results/{study}/sources/tokens/pretrain/{llm}/index.json",
        features=stage_features("pretrain"),
    output:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/pretrain/run.json",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/pretrain.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/pretrain.tsv"
    wildcard_constraints:
        study=one_of("llava"),
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=gpus("pretrain"),
        cpus=needs("pretrain", "cpus"),
        mem_mb=needs("pretrain", "mem_mb"),
        runtime=needs("pretrain", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        llm=subpath(input.llm, parent=True),
        vision=subpath(input.vision, parent=True),
        tokens=subpath(input.tokens, parent=True),
        images=stage_images("pretrain"),
        overrides=stage_overrides("pretrain"),
        max_bad_share=max_bad_share,
    shell:
        "paretoken launch --gpus {resources.gpus} --logs {log:q} -- train --stage pretrain "
        "--recipe {input.recipe:q} {params.overrides:q} --llm {params.llm:q} --vision {params.vision:q} "
        "{params.images:q} --data {params.tokens:q} --compressor {wildcards.compressor:q} "
        "--tokens {wildcards.tokens:q} --seed {wildcards.seed:q} "
        "--max-bad-share {params.max_bad_share:q} --out {params.out:q} >> {log:q} 2>&1"


rule llava_finetune:
    input:
        recipe=stage_recipe("finetune"),
        llm="results/{study}/sources/llms/{llm}/run.json",
        vision="results/{study}/sources/vision/run.json",
        data="results/{study}/sources/data/finetune/run.json",
        tokens="results/{study}/sources/tokens/finetune/{llm}/index.json",
        features=stage_features("finetune"),
        adapter="results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/pretrain/run.json",
    output:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/finetune/run.json",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/finetune.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/finetune.tsv"
    wildcard_constraints:
        study=one_of("llava"),
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=gpus("finetune"),
        cpus=needs("finetune", "cpus"),
        mem_mb=needs("finetune", "mem_mb"),
        runtime=needs("finetune", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        llm=subpath(input.llm, parent=True),
        vision=subpath(input.vision, parent=True),
        tokens=subpath(input.tokens, parent=True),
        adapter=subpath(input.adapter, parent=True),
        images=stage_images("finetune"),
        overrides=stage_overrides("finetune"),
        max_bad_share=max_bad_share,
    shell:
        "paretoken launch --gpus {resources.gpus} --logs {log:q} -- train --stage finetune "
        "--recipe {input.recipe:q} {params.overrides:q} --llm {params.llm:q} --vision {params.vision:q} "
        "{params.images:q} --data {params.tokens:q} --compressor {wildcards.compressor:q} "
        "--tokens {wildcards.tokens:q} --adapter {params.adapter:q}/adapter --seed {wildcards.seed:q} "
        "--max-bad-share {params.max_bad_share:q} --out {params.out:q} >> {log:q} 2>&1"


rule llava_predict:
    input:
        model=trained_run,
        questions="results/{study}/sources/questions/{benchmark}/run.json",
    output:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/answers/{benchmark}.parquet",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/predict-{benchmark}.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/predict-{benchmark}.tsv"
    wildcard_constraints:
        study=one_of("llava"),
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=gpus("predict"),
        cpus=needs("predict", "cpus"),
        mem_mb=needs("predict", "mem_mb"),
        runtime=needs("predict", "runtime_min"),
    params:
        model=subpath(input.model, parent=True),
        questions=subpath(input.questions, parent=True),
        tokens=answer_tokens,
    shell:
        "paretoken predict --model {params.model:q}/model {params.tokens:q} --questions {params.questions:q}/questions.parquet "
        "--images {params.questions:q}/images --out {output:q} > {log:q} 2>&1"


rule llava_score:
    input:
        answers="results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/answers/{benchmark}.parquet",
        code=sources("paretoken.commands.score"),
        benchmark=benchmark_code,
    output:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/scores/{benchmark}.json",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/score-{benchmark}.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/score-{benchmark}.tsv"
    wildcard_constraints:
        study=one_of("llava"),
        benchmark="|".join(BENCHMARKS),
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=needs("score", "cpus"),
        mem_mb=needs("score", "mem_mb"),
        runtime=needs("score", "runtime_min"),
    params:
        options=scoring_options,
    shell:
        "paretoken score --benchmark {wildcards.benchmark:q} {params.options:q} "
        "--predictions {input.answers:q} --out {output:q} > {log:q} 2>&1"


rule llava_lmms_eval:
    input:
        model=trained_run,
    output:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/scores/{benchmark}.json",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/predict-{benchmark}.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/predict-{benchmark}.tsv"
    wildcard_constraints:
        study=one_of("llava"),
        benchmark=harnessed(),
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=gpus("predict"),
        cpus=needs("predict", "cpus"),
        mem_mb=needs("predict", "mem_mb"),
        runtime=needs("predict", "runtime_min"),
    params:
        model=subpath(input.model, parent=True),
        options=lmms_eval_options,
        tokens=answer_tokens,
    shell:
        "paretoken lmms-eval --model {params.model:q}/model {params.tokens:q} {params.options:q} --out {output:q} > {log:q} 2>&1"
