# What costs other than the paper's are computed from: dimensions of models, measured latency, a price.


def shape_files(wildcards):
    """Return the files that say a study's dimensions: recipes, fetched models, or a table."""
    study = study_of(wildcards)
    kind, folder = kind_of(study), f"results/{study.name}/sources"
    if kind == "miniature":
        return [getattr(study.training.recipes, name) for name in ("world", "vision", "llm")]
    table = dimensions_file(study)
    fetched = [f"{folder}/llms/{llm}/run.json" for llm in study.llms] + [f"{folder}/vision/run.json"]
    return [*([table] if table.exists() else []), *(fetched if kind == "llava" else [])]


def latency_table(wildcards):
    """Return measured latency: the table that a study names, or what a miniature measured itself."""
    study = study_of(wildcards)
    own = f"results/{study.name}/tables/costs.csv" if kind_of(study) == "miniature" else []
    return study.latency or own


def deployment_options(wildcards):
    """Return the options that name dimensions, latency and price."""
    table, price = latency_table(wildcards), study_of(wildcards).price_per_hour
    options = ["--shapes", f"results/{wildcards.study}/shapes.json"]
    options += ["--latency", table] if table else []
    return options + (["--price-per-hour", price] if price and table else [])


def figure_costs(wildcards):
    """Return what a figure needs to know about costs: most need nothing but the paper's."""
    if wildcards.figure not in COST_FIGURES:
        return []
    return [f"results/{wildcards.study}/shapes.json", *as_list(latency_table(wildcards))]


def figure_cost_options(wildcards):
    return deployment_options(wildcards) if wildcards.figure in COST_FIGURES else []


def figure_files(wildcards):
    return [f"results/{wildcards.study}/figures/{name}.png" for name in study_of(wildcards).figures]


def report_options(wildcards):
    """Return the options of `paretoken report` for a study that has figures, or trained cells."""
    figures, folders = figure_files(wildcards), trained_folders(wildcards)
    options = ["--figures", *figures] if figures else []
    return options + (["--cells", *folders] if folders else [])


def trained_records(wildcards):
    """Return the records of training that a report tells of."""
    return [f"{folder}/finetune/run.json" for folder in trained_folders(wildcards)]


def trained_folders(wildcards):
    """Return the folders of cells that are trained: the cells of an elastic model share one."""
    study, side = study_of(wildcards), STUDIES.freeze(wildcards.study).vision.grid
    if study.training is None:
        return []
    return list(dict.fromkeys(str(cell.trained(side).folder(study.name)) for cell in cells(study)))
