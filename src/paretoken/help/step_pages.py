"""The descriptions and examples of the commands that are steps of the workflow.

This module has only texts, because every start of the program imports it.
"""

from __future__ import annotations

#: Options for the files of a study.
_STUDY = "--study-file results/published/study.json --errors results/published/tables/errors.csv"
_STUDY += " --fits results/published/fits/*/*.json"
#: Options for a cell of a grid.
_CELL = "--study miniature --llm-name miniature-28 --params-b 2.07e-5 --compressor average_pool"
_CELL += " --tokens 4 --seed 100"
#: Folders of a trained cell and of the sources of the miniature's first seed.
_RUN, _MADE = "results/miniature/runs/miniature-28/average_pool-4/s100", "results/miniature/sources/s100"

#: Command -> its description, and a command line that works once its input files exist.
STEPS = {
    "study": (
        "Freeze the settings of a study, so that later steps do not read the config file again. It "
        "reads the settings as JSON from the command line and writes a study.json.",
        'study --settings "$(cat results/published/study.json)" --out study.json',
    ),
    "cell": (
        "Take one cell's errors from a table of earlier measurements. It reads the table and "
        "writes the cell's errors as CSV, with one row per suite.",
        "cell --study published --measured workflow/reference/published_errors.csv --suites ocr "
        "--llm-name qwen1.5-0.5b --params-b 0.5 --compressor tokenpacker --tokens 16 --seed 0 --out "
        "errors.csv",
    ),
    "world": (
        "Generate the miniature world: its images, training sets and benchmark questions. It reads "
        "the description of the world and writes a folder of data sets.",
        "world --set-world train_images.count=100 --out world",
    ),
    "pretrain-vision": (
        "Train the miniature's vision encoder on drawings of the generated world. It reads a recipe "
        "and the description of the world, and writes the encoder as a folder that transformers "
        "loads.",
        "pretrain-vision --set steps=100 --out vision",
    ),
    "pretrain-llm": (
        "Train one of the miniature's language models on text about the generated world. It reads a "
        "recipe and the description of the world, and writes the model as a folder that transformers "
        "loads.",
        "pretrain-llm --width 32 --set steps=100 --out llm",
    ),
    "data": (
        "Check a training set, downloaded or your own, and prepare it for training. It reads a manifest "
        "and the downloaded files, which it verifies and unpacks, or your conversations and images. It "
        "writes a folder with links to them and an index of the images.",
        "data --data-set pretrain --root playground/data --check",
    ),
    "fetch": (
        "Get a language model, a vision encoder or a data set from a hub or a local folder, and "
        "verify it. It writes the files and a record of their checksums into a folder.",
        "fetch --source openai/clip-vit-large-patch14-336 --kind vision --grid 24 --out clip",
    ),
    "features": (
        "Encode images once with a frozen vision encoder, for all cells that train on them. It reads "
        "data sets, images and the encoder, and writes a folder of features.",
        f"features --vision {_MADE}/vision --data {_MADE}/data/images/test --layers 2 3 --out features",
    ),
    "tokenize": (
        "Turn conversations into token ids with labels once, for all cells that train on them. It "
        "reads conversations and a language model's tokenizer, and writes a folder of token ids.",
        f"tokenize --data {_MADE}/data/finetune --llm {_MADE}/data/tokenizer --out tokens",
    ),
    "launch": (
        "Run another command of this program once per GPU, under torchrun if there are several, on "
        "all nodes of a SLURM job. It reads and writes what that command does.",
        "launch --gpus 4 -- check --config config.yaml",
    ),
    "train": (
        "Train one stage of one cell: the projector and the compressor, then the language model too. "
        "It reads a recipe, backbones, token ids and images, and writes the model, checkpoints and a "
        "record. The same command resumes an interrupted run.",
        "train --stage pretrain --recipe workflow/recipes/miniature_pretrain.yaml --llm "
        f"{_MADE}/llms/miniature-28 --vision {_MADE}/vision --tokenized {_MADE}/encoded/pretrain/world "
        f"--features {_MADE}/features/all --compressor average_pool --tokens 4 --layers 2 3 --out "
        "pretrain",
    ),
    "questions": (
        "Write the prompts and images of a benchmark, for `predict`. It reads the benchmark's "
        "data set from the hub or a local copy, and writes a folder with questions.parquet and the "
        "images.",
        "questions --benchmark pope --limit 100 --out pope",
    ),
    "predict": (
        "Answer the questions of one or more benchmarks and store every answer. It reads a trained "
        "model, questions and images, and writes a Parquet file per file of questions.",
        f"predict --model {_RUN}/finetune/model --questions {_MADE}/data/questions/questions.parquet "
        f"--features {_MADE}/features/all --out answers.parquet",
    ),
    "score": (
        "Score stored answers by a benchmark's rules, with a confidence interval. It reads the "
        "answers and writes a JSON file per file of answers.",
        "score --benchmark world --predictions answers.parquet --questions "
        f"{_MADE}/data/questions/questions.parquet --out score.json",
    ),
    "lmms-eval": (
        "Score a trained model on the questions of one task of lmms-eval. It reads "
        "the model and the task's data set, and writes the score as JSON.",
        f"lmms-eval --model {_RUN}/finetune/model --task ocrbench --metric ocrbench_accuracy --out "
        "score.json",
    ),
    "cell-scores": (
        "Average the benchmark scores of one trained cell suite by suite. It reads the score files "
        "and writes two CSV tables: the cell's scores and its errors.",
        f"cell-scores {_CELL} --score-files {_RUN}/scores/world.json --suite-benchmarks "
        "reasoning=fact,number --out-scores scores.csv --out errors.csv",
    ),
    "text-length": (
        "Measure the errors and the cost of a trained model with questions of several lengths. It "
        "reads the model, questions and images, and writes a CSV table.",
        f"text-length {_CELL} --model {_RUN}/finetune/model --questions "
        f"{_MADE}/data/questions/questions.parquet --features {_MADE}/features/all --benchmark world "
        "--text-tokens 0 16 --suite-benchmarks reasoning=fact,number --out text_length.csv",
    ),
    "scores": (
        "Gather the benchmark scores of all cells of a study. It reads the cells' scores.csv and "
        "writes one CSV table.",
        "scores --cells results/miniature/runs/*/*/s*/scores.csv --out scores.csv",
    ),
    "costs": (
        "Gather parameters, FLOPs and latency of the trained cells of a study. It reads the records "
        "in the cells' folders and writes one CSV table.",
        "costs --study-file results/miniature/study.json --cells results/miniature/runs/*/*/s100 "
        "--out costs.csv",
    ),
    "aggregate": (
        "Gather the errors of all cells of a study. It reads the cells' errors.csv and writes one CSV "
        "table.",
        "aggregate --cells results/published/runs/*/*/s0/errors.csv --suites visual_reasoning ocr "
        "--out errors.csv",
    ),
    "recorded": (
        "Restore the recorded tables of a trained study. It reads the record and the study's settings, "
        "checks that they match, and writes three CSV tables.",
        "recorded --record results/measured/miniature "
        "--study-file results/measured/miniature/study.json "
        "--out-errors errors.csv --out-scores scores.csv --out-costs costs.csv",
    ),
    "tables": (
        "Compute a study's tables: means over seeds, pairs of equal cost, fits, predictions and "
        "sensitivity. It reads the study's errors and fits, and writes six CSV tables.",
        f"tables {_STUDY} --out-cells cells.csv --out-equal-cost equal_cost.csv --out-fits fits.csv "
        "--out-published published.csv --out-predictions predictions.csv --out-sensitivity "
        "sensitivity.csv",
    ),
    "text-optimum": (
        "Find the best number of visual tokens for each length of the question. It reads the study's "
        "results and the cells' text_length.csv, and writes tables, a page and a figure.",
        f"text-optimum {_STUDY.replace('published', 'text_length')} --cells "
        "results/text_length/runs/*/*/s501/text_length.csv --out text_length.csv --out-optima "
        "text_optimum.csv --out-latex text_optimum.tex --out-page text_optimum.md --out-figure "
        "text_optimum.png",
    ),
    "methods": (
        "Compare a study's compression methods, score by score. It reads the study's results and "
        "writes CSV tables, a Markdown page and a LaTeX table.",
        f"methods {_STUDY.replace('published', 'miniature')} --scores "
        "results/miniature/tables/scores.csv --out methods.csv --out-comparisons comparisons.csv "
        "--out-page methods.md --out-latex methods.tex",
    ),
    "figure": (
        "Draw one figure of a study. It reads the study's errors and fits, and writes image files.",
        f"figure --name fig1b {_STUDY} --out fig1b.png",
    ),
    "claims": (
        "Test the paper's claims on a study. It reads the study's errors and fits, prints a verdict "
        "per claim, and writes a CSV table and a Markdown page.",
        f"claims {_STUDY} --values workflow/reference/published_values.csv --name ocr_reverses "
        "visual_alpha --out claims.csv --out-page claims.md",
    ),
    "summary": (
        "Write a summary page of a study's results. It reads the study's errors, fits and tables, and "
        "writes a Markdown file.",
        f"summary {_STUDY} --claims results/published/tables/claims.csv --out summary.md",
    ),
    "report": (
        "Write a study's report with an interactive explorer of its frontier. It reads the study's "
        "errors, fits, tables and figures, and writes one HTML file.",
        f"report {_STUDY} --claims results/published/tables/claims.csv --out report.html",
    ),
}
