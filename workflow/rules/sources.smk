# Sources of cells: models and data, fetched or made. Rules that need the network are local rules, since
# the compute nodes of a cluster often have no access to it.


rule fetch:
    output:
        "results/{study}/sources/{model}/run.json",
    log:
        "results/{study}/sources/logs/fetch/{model}.log",
    benchmark:
        "results/{study}/sources/benchmarks/fetch/{model}.tsv"
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        out=subpath(output[0], parent=True),
        origin=SOURCES.fetched,
    shell:
        "paretoken fetch {params.origin:q} --out {params.out:q} > {log:q} 2>&1"


rule pretrain_llm:
    input:
        recipe=SOURCES.llm_recipe,
        world=SOURCES.world,
    output:
        "results/{study}/sources/s{seed}/llms/{llm}/run.json",
    log:
        "results/{study}/sources/s{seed}/logs/pretrain-llm-{llm}.log",
    benchmark:
        "results/{study}/sources/s{seed}/benchmarks/pretrain-llm-{llm}.tsv"
    priority: LONG
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=fixed("sources", "cpus"),
        mem_mb=fixed("sources", "mem_mb"),
        runtime=fixed("sources", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        world_seed=SOURCES.world_seed,
        width=SOURCES.llm_width,
    shell:
        "paretoken pretrain-llm --width {params.width:q} --recipe {input.recipe:q} "
        "--world {input.world:q} --world-seed {params.world_seed:q} --seed {wildcards.seed:q} "
        "--out {params.out:q} > {log:q} 2>&1"


rule pretrain_vision:
    input:
        recipe=SOURCES.vision_recipe,
        world=SOURCES.world,
    output:
        "results/{study}/sources/s{seed}/vision/run.json",
    log:
        "results/{study}/sources/s{seed}/logs/pretrain-vision.log",
    benchmark:
        "results/{study}/sources/s{seed}/benchmarks/pretrain-vision.tsv"
    priority: SOURCE
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=fixed("sources", "cpus"),
        mem_mb=fixed("sources", "mem_mb"),
        runtime=fixed("sources", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        world_seed=SOURCES.world_seed,
        grid=SOURCES.grid,
    shell:
        "paretoken pretrain-vision --recipe {input.recipe:q} --grid {params.grid:q} "
        "--world {input.world:q} --world-seed {params.world_seed:q} --seed {wildcards.seed:q} "
        "--out {params.out:q} > {log:q} 2>&1"


rule world:
    input:
        world=SOURCES.world,
    output:
        "results/{study}/sources/s{seed}/data/run.json",
    log:
        "results/{study}/sources/s{seed}/logs/world.log",
    benchmark:
        "results/{study}/sources/s{seed}/benchmarks/world.tsv"
    priority: DATA
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=fixed("sources", "cpus"),
        mem_mb=fixed("sources", "mem_mb"),
        runtime=fixed("sources", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        world_seed=SOURCES.world_seed,
    shell:
        "paretoken world "
        "--world {input.world:q} --world-seed {params.world_seed:q} --seed {wildcards.seed:q} "
        "--out {params.out:q} > {log:q} 2>&1"


rule data:
    input:
        SOURCES.data_files,
    output:
        "results/{study}/sources/data/{stage}/run.json",
    log:
        "results/{study}/sources/logs/data-{stage}.log",
    benchmark:
        "results/{study}/sources/benchmarks/data-{stage}.tsv"
    conda:
        "../../envs/train.yaml"
    resources:
        cpus=fixed("data", "cpus"),
        mem_mb=fixed("data", "mem_mb"),
        runtime=fixed("data", "runtime_min"),
    params:
        out=subpath(output[0], parent=True),
        options=SOURCES.data_options,
    shell:
        "paretoken data {params.options:q} --out {params.out:q} > {log:q} 2>&1"


rule questions:
    output:
        "results/{study}/sources/questions/{benchmark}/run.json",
    log:
        "results/{study}/sources/logs/questions-{benchmark}.log",
    benchmark:
        "results/{study}/sources/benchmarks/questions-{benchmark}.tsv"
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        out=subpath(output[0], parent=True),
        options=SOURCES.question_options,
    shell:
        "paretoken questions --benchmark {wildcards.benchmark:q} {params.options:q} "
        "--out {params.out:q} > {log:q} 2>&1"
