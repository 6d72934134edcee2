# The two training stages of a cell. Folders are params, because Snakemake would delete them as outputs
# before each retry, with all their checkpoints. A stage is complete if it has run.json, which is written
# last.


rule pretrain:
    input:
        recipe=STUDY.recipe("pretrain"),
        llm=STUDY.llm,
        vision=STUDY.vision,
        data=STUDY.data("pretrain"),
        encoded=STUDY.encoded("pretrain"),
        features=STUDY.features("pretrain"),
    output:
        f"{CELL}/pretrain/run.json",
    log:
        f"{CELL}/logs/pretrain.log",
    benchmark:
        f"{CELL}/benchmarks/pretrain.tsv"
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=ASK.gpus("pretrain"),
        cpus=ASK.cell("pretrain", "cpus"),
        mem_mb=ASK.cell("pretrain", "mem_mb"),
        runtime=ASK.cell("pretrain", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        llm=subpath(input.llm, parent=True),
        vision=subpath(input.vision, parent=True),
        encoded=subpath(input.encoded, parent=True),
        images=STUDY.images("pretrain"),
        overrides=STUDY.overrides("pretrain"),
        model=STUDY.model_options,
        max_bad_share=STUDY.max_bad_share,
    shell:
        "paretoken launch --gpus {resources.gpus} --logs {log:q} -- train --stage pretrain "
        "--recipe {input.recipe:q} {params.overrides:q} --llm {params.llm:q} --vision {params.vision:q} "
        "{params.images:q} --tokenized {params.encoded:q} --compressor {wildcards.compressor:q} "
        "--tokens {wildcards.tokens:q} {params.model:q} --seed {wildcards.seed:q} "
        "--max-bad-share {params.max_bad_share:q} --out {params.out:q} >> {log:q} 2>&1"


rule finetune:
    input:
        recipe=STUDY.recipe("finetune"),
        llm=STUDY.llm,
        vision=STUDY.vision,
        data=STUDY.data("finetune"),
        encoded=STUDY.encoded("finetune"),
        features=STUDY.features("finetune"),
        adapter=f"{CELL}/pretrain/run.json",
    output:
        f"{CELL}/finetune/run.json",
    log:
        f"{CELL}/logs/finetune.log",
    benchmark:
        f"{CELL}/benchmarks/finetune.tsv"
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=ASK.gpus("finetune"),
        cpus=ASK.cell("finetune", "cpus"),
        mem_mb=ASK.cell("finetune", "mem_mb"),
        runtime=ASK.cell("finetune", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        llm=subpath(input.llm, parent=True),
        vision=subpath(input.vision, parent=True),
        encoded=subpath(input.encoded, parent=True),
        adapter=subpath(input.adapter, parent=True),
        images=STUDY.images("finetune"),
        overrides=STUDY.overrides("finetune"),
        model=STUDY.model_options,
        max_bad_share=STUDY.max_bad_share,
    shell:
        "paretoken launch --gpus {resources.gpus} --logs {log:q} -- train --stage finetune "
        "--recipe {input.recipe:q} {params.overrides:q} --llm {params.llm:q} --vision {params.vision:q} "
        "{params.images:q} --tokenized {params.encoded:q} --compressor {wildcards.compressor:q} "
        "--tokens {wildcards.tokens:q} {params.model:q} --adapter {params.adapter:q}/adapter "
        "--seed {wildcards.seed:q} --max-bad-share {params.max_bad_share:q} --out {params.out:q} "
        ">> {log:q} 2>&1"
