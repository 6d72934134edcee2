# What the paper's study fetches and prepares, once for all seeds: backbones, conversations, questions.
# What asks the network is a local rule: the nodes of a cluster often have none.


rule fetch_llm:
    output:
        "results/{study}/sources/llms/{llm}/run.json",
    log:
        "results/{study}/sources/logs/fetch-{llm}.log",
    benchmark:
        "results/{study}/sources/benchmarks/fetch-{llm}.tsv"
    wildcard_constraints:
        study=one_of("llava"),
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        out=subpath(output[0], parent=True),
        origin=llm_origin,
    shell:
        "paretoken fetch --kind llm {params.origin:q} --out {params.out:q} > {log:q} 2>&1"


rule fetch_vision:
    output:
        "results/{study}/sources/vision/run.json",
    log:
        "results/{study}/sources/logs/fetch-vision.log",
    benchmark:
        "results/{study}/sources/benchmarks/fetch-vision.tsv"
    wildcard_constraints:
        study=one_of("llava"),
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        out=subpath(output[0], parent=True),
        origin=vision_origin,
    shell:
        "paretoken fetch --kind vision {params.origin:q} --out {params.out:q} > {log:q} 2>&1"


rule llava_data:
    input:
        manifest=manifest,
    output:
        "results/{study}/sources/data/{stage}/run.json",
    log:
        "results/{study}/sources/logs/data-{stage}.log",
    benchmark:
        "results/{study}/sources/benchmarks/data-{stage}.tsv"
    wildcard_constraints:
        study=one_of("llava"),
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=needs("data", "cpus"),
        mem_mb=needs("data", "mem_mb"),
        runtime=needs("data", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        options=data_options,
    shell:
        "paretoken data --manifest {input.manifest:q} --set {wildcards.stage:q} {params.options:q} "
        "--out {params.out:q} > {log:q} 2>&1"


rule llava_tokenize:
    input:
        data="results/{study}/sources/data/{stage}/run.json",
        llm="results/{study}/sources/llms/{llm}/run.json",
    output:
        "results/{study}/sources/tokens/{stage}/{llm}/index.json",
    log:
        "results/{study}/sources/logs/tokenize-{stage}-{llm}.log",
    benchmark:
        "results/{study}/sources/benchmarks/tokenize-{stage}-{llm}.tsv"
    wildcard_constraints:
        study=one_of("llava"),
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=needs("tokenize", "cpus"),
        mem_mb=needs("tokenize", "mem_mb"),
        runtime=needs("tokenize", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        data=subpath(input.data, parent=True),
        llm=subpath(input.llm, parent=True),
        template=template,
        max_bad_share=max_bad_share,
    shell:
        "paretoken tokenize --data {params.data:q}/conversations.json --skipped {params.data:q}/skipped.json "
        "--llm {params.llm:q} --template {params.template:q} "
        "--max-bad-share {params.max_bad_share:q} --out {params.out:q} > {log:q} 2>&1"


rule llava_features:
    input:
        vision="results/{study}/sources/vision/run.json",
        data="results/{study}/sources/data/{stage}/run.json",
    output:
        "results/{study}/sources/features/{stage}/index.json",
    log:
        "results/{study}/sources/logs/features-{stage}.log",
    benchmark:
        "results/{study}/sources/benchmarks/features-{stage}.tsv"
    wildcard_constraints:
        study=one_of("llava"),
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=needs("features", "gpus"),
        cpus=needs("features", "cpus"),
        mem_mb=needs("features", "mem_mb"),
        runtime=needs("features", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        vision=subpath(input.vision, parent=True),
        data=subpath(input.data, parent=True),
        aspect=aspect,
        compressors=compressor_names,
        max_bad_share=max_bad_share,
    shell:
        "paretoken features --vision {params.vision:q} --data {params.data:q}/conversations.json "
        "--skipped {params.data:q}/skipped.json --images {params.data:q}/images --aspect {params.aspect:q} "
        "--compressors {params.compressors:q} --max-bad-share {params.max_bad_share:q} --out {params.out:q} > {log:q} 2>&1"


rule questions:
    output:
        "results/{study}/sources/questions/{benchmark}/run.json",
    log:
        "results/{study}/sources/logs/questions-{benchmark}.log",
    benchmark:
        "results/{study}/sources/benchmarks/questions-{benchmark}.tsv"
    wildcard_constraints:
        study=one_of("llava"),
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        out=subpath(output[0], parent=True),
        options=question_options,
    shell:
        "paretoken questions --benchmark {wildcards.benchmark:q} {params.options:q} "
        "--out {params.out:q} > {log:q} 2>&1"
