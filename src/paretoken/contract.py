"""The results contract: columns, keys and units of the tables that rules hand to each other.

Tables are CSV. Sizes are billions of parameters (`params_b`), costs are FLOPs (`flops`), errors are
1 - mean score on a scale from 0 to 1. A missing number is an empty cell: never 0, never dropped.
"""

#: errors.csv of a cell, and tables/errors.csv: one row per cell and suite.
ERROR_COLUMNS = (
    "study",
    "llm",
    "params_b",
    "compressor",
    "visual_tokens",
    "seed",
    "suite",
    "error",
    "stderr",
    "source",
    "flag",
)
ERROR_KEY = ("study", "llm", "compressor", "visual_tokens", "seed", "suite")

#: scores.csv of a cell, and tables/scores.csv of a trained study: one row per cell and benchmark.
SCORE_COLUMNS = (
    "study",
    "llm",
    "params_b",
    "compressor",
    "visual_tokens",
    "seed",
    "benchmark",
    "metric",
    "score",
    "low",
    "high",
    "questions",
)
