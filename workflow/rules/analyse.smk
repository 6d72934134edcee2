# From tables to laws: cheap rules, which rerun when their code changes.


rule fit:
    input:
        table="results/{study}/tables/errors.csv",
        code=STUDY.fit_code,
    output:
        "results/{study}/fits/{suite}/{variant}.json",
    log:
        "results/{study}/logs/fit-{suite}-{variant}.log",
    benchmark:
        "results/{study}/benchmarks/fit-{suite}-{variant}.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        options=STUDY.fit_options,
    shell:
        "paretoken fit --table {input.table:q} --suite {wildcards.suite:q} {params.options:q} "
        "--out {output:q} > {log:q} 2>&1"


rule frontier:
    input:
        fit=STUDY.headline_fit,
        shapes="results/{study}/shapes.json",
        latency=STUDY.latency_table,
        code=STUDY.code("frontier", *COST_MODELS.modules()),
    output:
        frontier="results/{study}/tables/frontier-{suite}.csv",
        pareto="results/{study}/tables/pareto-{suite}.csv",
        crossovers="results/{study}/tables/crossovers-{suite}.csv",
        by_cost="results/{study}/tables/optimum-{suite}.csv",
    log:
        "results/{study}/logs/frontier-{suite}.log",
    benchmark:
        "results/{study}/benchmarks/frontier-{suite}.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        text_tokens=STUDY.text_tokens,
        costs=STUDY.deployment_options,
    shell:
        "paretoken frontier --fit {input.fit:q} --text-tokens {params.text_tokens:q} {params.costs:q} "
        "--out {output.frontier:q} --out-pareto {output.pareto:q} --out-crossovers {output.crossovers:q} "
        "--out-by-cost {output.by_cost:q} > {log:q} 2>&1"


rule tables:
    input:
        study="results/{study}/study.json",
        errors="results/{study}/tables/errors.csv",
        fits=STUDY.fits,
        values=STUDY.published("values"),
        dimensions=STUDY.published("dimensions"),
        measured=STUDY.measured,
        code=sources("paretoken.commands.tables", *LAWS.modules()),
    output:
        cells="results/{study}/tables/cells.csv",
        equal_cost="results/{study}/tables/equal_cost.csv",
        fits="results/{study}/tables/fits.csv",
        published="results/{study}/tables/published.csv",
        predictions="results/{study}/tables/predictions.csv",
        sensitivity="results/{study}/tables/sensitivity.csv",
    log:
        "results/{study}/logs/tables.log",
    benchmark:
        "results/{study}/benchmarks/tables.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        reference=STUDY.reference_options("values", "dimensions"),
        measured=STUDY.measured_options,
    shell:
        "paretoken tables --study-file {input.study:q} --errors {input.errors:q} --fits {input.fits:q} "
        "{params.reference:q} {params.measured:q} --out-cells {output.cells:q} "
        "--out-equal-cost {output.equal_cost:q} --out-fits {output.fits:q} "
        "--out-published {output.published:q} --out-predictions {output.predictions:q} "
        "--out-sensitivity {output.sensitivity:q} > {log:q} 2>&1"


rule claims:
    input:
        study="results/{study}/study.json",
        errors="results/{study}/tables/errors.csv",
        fits=STUDY.fits,
        values=STUDY.published("values"),
        table1=STUDY.published("table1"),
        code=sources("paretoken.commands.claims", *LAWS.modules(), *CLAIMS.modules()),
    output:
        table=report(
            "results/{study}/tables/claims.csv",
            category="{study}",
            labels={"what": "claims"},
            caption="../report/claims.rst",
        ),
        page="results/{study}/claims.md",
    log:
        "results/{study}/logs/claims.log",
    benchmark:
        "results/{study}/benchmarks/claims.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        reference=STUDY.reference_options("values", "table1"),
        claims=STUDY.claim_options,
    shell:
        "paretoken claims --study-file {input.study:q} --errors {input.errors:q} --fits {input.fits:q} "
        "{params.reference:q} {params.claims:q} --out {output.table:q} --out-page {output.page:q} > {log:q} 2>&1"
