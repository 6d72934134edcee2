# From cells to laws: cheap rules. They rerun when the code that they run is edited.


rule aggregate:
    input:
        cells=cell_files,
        code=sources("paretoken.commands.aggregate"),
    output:
        "results/{study}/tables/errors.csv",
    log:
        "results/{study}/logs/aggregate.log",
    benchmark:
        "results/{study}/benchmarks/aggregate.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        suites=suite_names,
    shell:
        "paretoken aggregate --cells {input.cells:q} --suites {params.suites:q} --out {output:q} "
        "> {log:q} 2>&1"


rule fit:
    input:
        table="results/{study}/tables/errors.csv",
        code=fit_code,
    output:
        "results/{study}/fits/{suite}/{law}-{cells}.json",
    log:
        "results/{study}/logs/fit-{suite}-{law}-{cells}.log",
    benchmark:
        "results/{study}/benchmarks/fit-{suite}-{law}-{cells}.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        options=fit_options,
        rows=row_options,
        headline=headline_options,
    shell:
        "paretoken fit --table {input.table:q} --suite {wildcards.suite:q} --law {wildcards.law:q} "
        "{params.options:q} {params.rows:q} {params.headline:q} --out {output:q} > {log:q} 2>&1"


rule paper_grid:
    input:
        table="results/{study}/tables/errors.csv",
        code=sources("paretoken.commands.fit", LAWS.module("product")),
    output:
        "results/{study}/fits/{suite}/paper_grid.json",
    log:
        "results/{study}/logs/paper_grid-{suite}.log",
    benchmark:
        "results/{study}/benchmarks/paper_grid-{suite}.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        options=fit_options,
    shell:
        "paretoken fit --table {input.table:q} --suite {wildcards.suite:q} --law product "
        "--method grid {params.options:q} --out {output:q} > {log:q} 2>&1"


rule shapes:
    input:
        study="results/{study}/study.json",
        files=shape_files,
        code=code_of("shapes"),
    output:
        "results/{study}/shapes.json",
    log:
        "results/{study}/logs/shapes.log",
    benchmark:
        "results/{study}/benchmarks/shapes.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    shell:
        "paretoken shapes --study {input.study:q} --out {output:q} > {log:q} 2>&1"


rule frontier:
    input:
        fit=headline_fit,
        shapes="results/{study}/shapes.json",
        latency=latency_table,
        code=code_of("frontier", *COST_MODELS.modules()),
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
        text_tokens=text_tokens,
        costs=deployment_options,
    shell:
        "paretoken frontier --fit {input.fit:q} --q {params.text_tokens:q} {params.costs:q} "
        "--out {output.frontier:q} --pareto {output.pareto:q} --crossovers {output.crossovers:q} "
        "--by-cost {output.by_cost:q} > {log:q} 2>&1"


rule tables:
    input:
        study="results/{study}/study.json",
        errors="results/{study}/tables/errors.csv",
        fits=fit_files,
        values=published("values"),
        dimensions=published("dimensions"),
        measured=measured_table,
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
        reference=reference_options("values", "dimensions"),
        measured=measured_options,
    shell:
        "paretoken tables --study {input.study:q} --errors {input.errors:q} --fits {input.fits:q} "
        "{params.reference:q} {params.measured:q} --cells {output.cells:q} "
        "--equal-cost {output.equal_cost:q} --fit-table {output.fits:q} "
        "--published-table {output.published:q} --predictions {output.predictions:q} "
        "--sensitivity {output.sensitivity:q} > {log:q} 2>&1"


rule claims:
    input:
        study="results/{study}/study.json",
        errors="results/{study}/tables/errors.csv",
        fits=fit_files,
        values=published("values"),
        table1=published("table1"),
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
        reference=reference_options("values", "table1"),
        claims=claim_options,
    shell:
        "paretoken claims --study {input.study:q} --errors {input.errors:q} --fits {input.fits:q} "
        "{params.reference:q} {params.claims:q} --out {output.table:q} --page {output.page:q} > {log:q} 2>&1"
