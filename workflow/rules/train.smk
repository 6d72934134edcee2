# One cell, two stages. Folders are params: as outputs, they would be wiped before each retry, with
# all checkpoints in them; run.json, which is written last, says that a stage is done.


rule pretrain:
    input:
        recipe=recipe("pretrain"),
        llm="results/{study}/sources/s{seed}/llms/{llm}/run.json",
        vision="results/{study}/sources/s{seed}/vision/run.json",
        features="results/{study}/sources/s{seed}/features/index.json",
        tokens="results/{study}/sources/s{seed}/tokens/pretrain/index.json",
    output:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/pretrain/run.json",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/pretrain.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/pretrain.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
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
        images=training_images,
        data=subpath(input.tokens, parent=True),
        model=model_options,
    shell:
        "paretoken train --stage pretrain --recipe {input.recipe:q} "
        "--llm {params.llm:q} --vision {params.vision:q} {params.images:q} "
        "--data {params.data:q} --compressor {wildcards.compressor:q} --tokens {wildcards.tokens:q} "
        "{params.model:q} --seed {wildcards.seed:q} "
        "--out {params.out:q} > {log:q} 2>&1"


rule finetune:
    input:
        recipe=recipe("finetune"),
        llm="results/{study}/sources/s{seed}/llms/{llm}/run.json",
        vision="results/{study}/sources/s{seed}/vision/run.json",
        features="results/{study}/sources/s{seed}/features/index.json",
        tokens="results/{study}/sources/s{seed}/tokens/finetune/index.json",
        adapter="results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/pretrain/run.json",
    output:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/finetune/run.json",
    log:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/logs/finetune.log",
    benchmark:
        "results/{study}/runs/{llm}/{compressor}-{tokens}/s{seed}/benchmarks/finetune.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
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
        images=training_images,
        data=subpath(input.tokens, parent=True),
        adapter=subpath(input.adapter, parent=True),
        model=model_options,
    shell:
        "paretoken train --stage finetune --recipe {input.recipe:q} "
        "--llm {params.llm:q} --vision {params.vision:q} {params.images:q} "
        "--data {params.data:q} --compressor {wildcards.compressor:q} --tokens {wildcards.tokens:q} "
        "{params.model:q} --adapter {params.adapter:q}/adapter --seed {wildcards.seed:q} "
        "--out {params.out:q} > {log:q} 2>&1"
