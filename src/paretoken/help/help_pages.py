"""The headings of the commands, and for each command a description and an example.

This module has only texts, because every start of the program imports it.
"""

from __future__ import annotations

from paretoken.help.step_pages import STEPS

#: Headings of `paretoken --help` -> the commands under each, in order.
HEADINGS = {
    "answer a question": ("fit", "frontier", "recommend", "compare", "latency", "shapes", "selftest"),
    "run a study": ("check", "plan", "status", "record"),
    "steps of the workflow (its rules run them)": (
        *("study", "cell", "world", "pretrain-vision", "pretrain-llm", "data", "fetch"),
        *("features", "tokenize", "launch", "train"),
        *("questions", "predict", "score", "lmms-eval", "cell-scores", "text-length"),
        *("scores", "costs", "aggregate", "recorded", "tables"),
        *("text-optimum", "methods", "figure", "claims", "summary", "report"),
    ),
}

#: Command -> its description (what it does, reads and writes), and a command line that works.
PAGES = {
    "fit": (
        "Fit a scaling law, error as a function of model size N and visual tokens V, to a table of "
        "measured errors. It reads one CSV and writes the parameters, their intervals and the "
        "diagnostics as JSON.",
        "fit --table workflow/reference/published_errors.csv --suite visual_reasoning --out fit.json",
    ),
    "frontier": (
        "List the model size and the number of visual tokens with the lowest error for each of several "
        "budgets. It reads a fit, writes CSV tables, and prints the undominated configurations.",
        "frontier --fit fit.json --text-tokens 0 50 100 --out frontier.csv",
    ),
    "recommend": (
        "Recommend a model size and a number of visual tokens for one budget, and list the next best "
        "ones. It reads a fit, and prints the answer without writing a file.",
        "recommend --fit fit.json --budget-flops 1e12 --text-tokens 50",
    ),
    "compare": (
        "Put the fitted parameters of several studies side by side, with their intervals. It reads "
        "the folders of finished studies, prints the comparison, and writes it as CSV and figures if "
        "asked to.",
        "compare results/published results/miniature --out-figure compare.png",
    ),
    "latency": (
        "Measure the seconds per answer over model sizes, visual tokens, text tokens and batch sizes "
        "on this machine. It reads the models' dimensions, runs models with random weights, and "
        "writes a CSV table.",
        "latency --shapes results/miniature/shapes.json --tokens 1 4 9 36 --text-tokens 0 16 --out "
        "latency.csv",
    ),
    "shapes": (
        "Write the dimensions of models, from which memory, latency and exact FLOPs are computed. It "
        "reads a study's settings, or guesses usual dimensions for given sizes, and writes a JSON "
        "file.",
        "shapes --params-b 0.5 1.8 4 7 --out shapes.json",
    ),
    "selftest": (
        "Check that the fitter recovers the parameters of known laws and the published fits. It reads "
        "the table of published errors if there is one, prints a line per check, and writes no file.",
        "selftest --datasets 20",
    ),
    "check": (
        "Check that every study of a config file can be run to its end, and list all problems at "
        "once. It reads the config file and prints what each study consists of, or writes the JSON "
        "schema.",
        "check --config config.yaml",
    ),
    "plan": (
        "Estimate the GPU-hours, memory, disk space and price of a study before it runs. It reads the "
        "config file and the records of finished stages, and prints a table or writes it to a file.",
        "plan --study paper --devices a100-80g h100 --price-per-hour 2",
    ),
    "status": (
        "Show the progress of a study, stage by stage, and its running, waiting and failed jobs. It "
        "reads the config file, the results and SLURM's queue, prints a table, and writes no file.",
        "status --study miniature",
    ),
    "record": (
        "Save the tables of a trained study, so that it need not be trained again. It reads the "
        "study's tables and training records, and writes them with a record of their origin. It never "
        "overwrites the tables of another run.",
        "record --study miniature",
    ),
    **STEPS,
}
