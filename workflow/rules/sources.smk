# Where a study's cells come from: a table of measurements, or backbones and data made from nothing.


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
    wildcard_constraints:
        study=one_of("measured"),
    priority: SOON
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


rule miniature_data:
    input:
        world=recipe("world"),
    output:
        "results/{study}/sources/s{seed}/data/run.json",
    log:
        "results/{study}/sources/s{seed}/logs/miniature-data.log",
    benchmark:
        "results/{study}/sources/s{seed}/benchmarks/miniature-data.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
    priority: DATA
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=needs("sources", "cpus"),
        mem_mb=needs("sources", "mem_mb"),
        runtime=needs("sources", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        world_seed=world_seed,
    shell:
        "paretoken miniature-data "
        "--world {input.world:q} --world-seed {params.world_seed:q} --seed {wildcards.seed:q} "
        "--out {params.out:q} > {log:q} 2>&1"


rule pretrain_vision:
    input:
        recipe=recipe("vision"),
        world=recipe("world"),
    output:
        "results/{study}/sources/s{seed}/vision/run.json",
    log:
        "results/{study}/sources/s{seed}/logs/pretrain-vision.log",
    benchmark:
        "results/{study}/sources/s{seed}/benchmarks/pretrain-vision.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
    priority: SOURCE
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=needs("sources", "cpus"),
        mem_mb=needs("sources", "mem_mb"),
        runtime=needs("sources", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        world_seed=world_seed,
        grid=grid,
    shell:
        "paretoken pretrain-vision --recipe {input.recipe:q} --grid {params.grid:q} "
        "--world {input.world:q} --world-seed {params.world_seed:q} --seed {wildcards.seed:q} "
        "--out {params.out:q} > {log:q} 2>&1"


rule pretrain_llm:
    input:
        recipe=recipe("llm"),
        world=recipe("world"),
    output:
        "results/{study}/sources/s{seed}/llms/{llm}/run.json",
    log:
        "results/{study}/sources/s{seed}/logs/pretrain-llm-{llm}.log",
    benchmark:
        "results/{study}/sources/s{seed}/benchmarks/pretrain-llm-{llm}.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
    priority: LONG
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=needs("sources", "cpus"),
        mem_mb=needs("sources", "mem_mb"),
        runtime=needs("sources", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        world_seed=world_seed,
        width=llm_width,
    shell:
        "paretoken pretrain-llm --width {params.width:q} --recipe {input.recipe:q} "
        "--world {input.world:q} --world-seed {params.world_seed:q} --seed {wildcards.seed:q} "
        "--out {params.out:q} > {log:q} 2>&1"


rule features:
    input:
        vision="results/{study}/sources/s{seed}/vision/run.json",
        data="results/{study}/sources/s{seed}/data/run.json",
    output:
        "results/{study}/sources/s{seed}/features/index.json",
    log:
        "results/{study}/sources/s{seed}/logs/features.log",
    benchmark:
        "results/{study}/sources/s{seed}/benchmarks/features.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
    priority: SOURCE
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=needs("sources", "cpus"),
        mem_mb=needs("sources", "mem_mb"),
        runtime=needs("sources", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        vision=subpath(input.vision, parent=True),
        data=subpath(input.data, parent=True),
        layers=encoder_layers,
        more=feature_options,
    shell:
        "paretoken features --vision {params.vision:q} --data {params.data:q}/images/train {params.data:q}/images/test "
        "--layers {params.layers:q} {params.more:q} --normalise --aspect crop "
        "--out {params.out:q} > {log:q} 2>&1"


rule tokenize:
    input:
        data="results/{study}/sources/s{seed}/data/run.json",
    output:
        "results/{study}/sources/s{seed}/tokens/{stage}/index.json",
    log:
        "results/{study}/sources/s{seed}/logs/tokenize-{stage}.log",
    benchmark:
        "results/{study}/sources/s{seed}/benchmarks/tokenize-{stage}.tsv"
    wildcard_constraints:
        study=one_of("miniature"),
    priority: SOURCE
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=needs("sources", "cpus"),
        mem_mb=needs("sources", "mem_mb"),
        runtime=needs("sources", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        data=subpath(input.data, parent=True),
    shell:
        "paretoken tokenize --data {params.data:q}/{wildcards.stage:q} --llm {params.data:q}/tokenizer "
        "--out {params.out:q} > {log:q} 2>&1"
