# Data that cells share: conversations as token ids, and stored features of images.


rule tokenize:
    input:
        data=SOURCES.data,
        tokenizer=SOURCES.tokenizer,
    output:
        "results/{study}/{origin}/encoded/{stage}/{vocabulary}/index.json",
    log:
        "results/{study}/{origin}/logs/tokenize-{stage}-{vocabulary}.log",
    benchmark:
        "results/{study}/{origin}/benchmarks/tokenize-{stage}-{vocabulary}.tsv"
    priority: SOURCE
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=SOURCES.needs("tokenize", "cpus"),
        mem_mb=SOURCES.needs("tokenize", "mem_mb"),
        runtime=SOURCES.needs("tokenize", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        conversations=SOURCES.conversations,
        max_bad_share=SOURCES.max_bad_share,
    shell:
        "paretoken tokenize {params.conversations:q} --max-bad-share {params.max_bad_share:q} "
        "--out {params.out:q} > {log:q} 2>&1"


rule features:
    input:
        vision="results/{study}/{origin}/vision/run.json",
        data=SOURCES.data,
    output:
        "results/{study}/{origin}/features/{part}/index.json",
    log:
        "results/{study}/{origin}/logs/features-{part}.log",
    benchmark:
        "results/{study}/{origin}/benchmarks/features-{part}.tsv"
    priority: SOURCE
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=SOURCES.needs("features", "gpus"),
        cpus=SOURCES.needs("features", "cpus"),
        mem_mb=SOURCES.needs("features", "mem_mb"),
        runtime=SOURCES.needs("features", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        vision=subpath(input.vision, parent=True),
        images=SOURCES.images,
        options=SOURCES.encoder_options,
        max_bad_share=SOURCES.max_bad_share,
    shell:
        "paretoken features --vision {params.vision:q} {params.images:q} {params.options:q} "
        "--max-bad-share {params.max_bad_share:q} --out {params.out:q} > {log:q} 2>&1"
