# Results for readers: figures, and a study on one page.


rule figure:
    input:
        study="results/{study}/study.json",
        errors="results/{study}/tables/errors.csv",
        fits=STUDY.fits,
        values=STUDY.published("values"),
        table1=STUDY.published("table1"),
        costs=STUDY.figure_costs,
        code=STUDY.figure_code,
    output:
        png=report(
            "results/{study}/figures/{figure}.png",
            category="{study}",
            labels={"what": "{figure}"},
            caption="../report/figure.rst",
        ),
        pdf="results/{study}/figures/{figure}.pdf",
    log:
        "results/{study}/logs/figure-{figure}.log",
    benchmark:
        "results/{study}/benchmarks/figure-{figure}.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        reference=STUDY.reference_options("values", "table1"),
        costs=STUDY.figure_cost_options,
    shell:
        "paretoken figure --name {wildcards.figure:q} --study-file {input.study:q} "
        "--errors {input.errors:q} --fits {input.fits:q} {params.reference:q} {params.costs:q} "
        "--out {output.png:q} {output.pdf:q} > {log:q} 2>&1"


rule methods:
    input:
        study="results/{study}/study.json",
        errors="results/{study}/tables/errors.csv",
        scores="results/{study}/tables/scores.csv",
        table1=STUDY.published("table1"),
        code=STUDY.code("methods"),
    output:
        table="results/{study}/tables/methods.csv",
        comparisons="results/{study}/tables/comparisons.csv",
        latex="results/{study}/tables/methods.tex",
        page="results/{study}/methods.md",
    log:
        "results/{study}/logs/methods.log",
    benchmark:
        "results/{study}/benchmarks/methods.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        reference=STUDY.reference_options("table1"),
    shell:
        "paretoken methods --study-file {input.study:q} --errors {input.errors:q} --scores {input.scores:q} "
        "{params.reference:q} --out {output.table:q} --out-comparisons {output.comparisons:q} "
        "--out-latex {output.latex:q} --out-page {output.page:q} > {log:q} 2>&1"


rule text_optimum:
    input:
        study="results/{study}/study.json",
        errors="results/{study}/tables/errors.csv",
        fits=STUDY.fits,
        cells=STUDY.text_lengths,
        code=sources("paretoken.commands.text_optimum", *LAWS.modules()),
    output:
        table="results/{study}/tables/text_length.csv",
        optima="results/{study}/tables/text_optimum.csv",
        latex="results/{study}/tables/text_optimum.tex",
        page="results/{study}/text_length.md",
        figure=multiext("results/{study}/figures/text_length", ".png", ".pdf"),
    log:
        "results/{study}/logs/text-optimum.log",
    benchmark:
        "results/{study}/benchmarks/text-optimum.tsv"
    conda:
        "../../envs/analysis.yaml"
    shell:
        "paretoken text-optimum --study-file {input.study:q} --errors {input.errors:q} --fits {input.fits:q} "
        "--cells {input.cells:q} --out {output.table:q} --out-optima {output.optima:q} --out-latex {output.latex:q} "
        "--out-page {output.page:q} --out-figure {output.figure:q} > {log:q} 2>&1"


rule summary:
    input:
        study="results/{study}/study.json",
        errors="results/{study}/tables/errors.csv",
        fits=STUDY.fits,
        values=STUDY.published("values"),
        table1=STUDY.published("table1"),
        tables=STUDY.law_tables("equal_cost", "sensitivity"),
        claims="results/{study}/tables/claims.csv",
        code=STUDY.code("summary", *LAWS.modules(), *FIGURES.modules()),
    output:
        "results/{study}/summary.md",
    log:
        "results/{study}/logs/summary.log",
    benchmark:
        "results/{study}/benchmarks/summary.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        reference=STUDY.reference_options("values", "table1"),
        figures=STUDY.figure_options,
        tables=STUDY.law_table_options("equal_cost", "sensitivity"),
    shell:
        "paretoken summary --study-file {input.study:q} --errors {input.errors:q} --fits {input.fits:q} "
        "{params.reference:q} {params.figures:q} {params.tables:q} "
        "--claims {input.claims:q} "
        "--out {output:q} > {log:q} 2>&1"


rule report:
    input:
        study="results/{study}/study.json",
        errors="results/{study}/tables/errors.csv",
        fits=STUDY.fits,
        values=STUDY.published("values"),
        table1=STUDY.published("table1"),
        claims="results/{study}/tables/claims.csv",
        tables=STUDY.law_tables("equal_cost"),
        figures=STUDY.figures,
        shapes="results/{study}/shapes.json",
        latency=STUDY.latency_table,
        runs=STUDY.trained_records,
        code=STUDY.code("report", *LAWS.modules(), *COST_MODELS.modules()),
        assets=data_files("paretoken.report"),
    output:
        report(
            "results/{study}/report.html",
            category="{study}",
            labels={"what": "report with explorer"},
            caption="../report/report.rst",
        ),
    log:
        "results/{study}/logs/report.log",
    benchmark:
        "results/{study}/benchmarks/report.tsv"
    priority: SOON
    conda:
        "../../envs/analysis.yaml"
    params:
        reference=STUDY.reference_options("values", "table1"),
        costs=STUDY.deployment_options,
        tables=STUDY.law_table_options("equal_cost"),
        parts=STUDY.report_options,
    shell:
        "paretoken report --study-file {input.study:q} --errors {input.errors:q} --fits {input.fits:q} "
        "{params.reference:q} {params.costs:q} --claims {input.claims:q} "
        "{params.tables:q} {params.parts:q} "
        "--out {output:q} > {log:q} 2>&1"
