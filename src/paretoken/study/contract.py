"""The results contract: columns, keys and units of the tables that rules exchange.

Tables are CSV. Sizes are billions of parameters (`params_b`), costs are FLOPs (`flops`), errors are
1 - mean score on a scale from 0 to 1. A missing number is an empty cell: never 0, never dropped.
"""

#: The columns that identify the cell of a row.
CELL_COLUMNS = ("study", "llm", "params_b", "compressor", "visual_tokens", "seed")

#: errors.csv of a cell, and tables/errors.csv: one row per cell and suite.
ERROR_COLUMNS = (
    *CELL_COLUMNS,
    "suite",
    "error",
    "stderr",
    "source",
    "flag",
)
ERROR_KEY = ("study", "llm", "compressor", "visual_tokens", "seed", "suite")

#: scores.csv of a cell, and tables/scores.csv of a trained study: one row per cell and benchmark.
SCORE_COLUMNS = (
    *CELL_COLUMNS,
    "benchmark",
    "metric",
    "score",
    "low",
    "high",
    "questions",
)

#: tables/costs.csv of a trained study: one row per cell. Parameters are counts, not billions; latency
#: is in seconds per question at batch 1, and empty where it was not measured.
COST_COLUMNS = (
    *CELL_COLUMNS,
    "llm_parameters",
    "llm_parameters_non_embedding",
    "adapter_parameters",
    "pretrain_flops",
    "finetune_flops",
    "prefill_flops_q0",
    "prefill_flops_q50",
    "encoder_flops",
    "latency_s",
    "latency_low_s",
    "latency_high_s",
    "encoder_latency_s",
    "latency_device",
    "cpu_s",
    "wall_s",
    "peak_memory_bytes",
)

#: A table of `paretoken latency`: one row per combination. Seconds and joules are those of one batch,
#: for encoding its images, for its prompts up to the first token (compressor included), and for each
#: further token. They are empty where a combination did not fit the device, or where the device
#: reports no energy.
LATENCY_COLUMNS = (
    "llm",
    "params_b",
    "visual_tokens",
    "text_tokens",
    "batch",
    "encoder_s",
    "prefill_s",
    "decode_s",
    "encoder_j",
    "prefill_j",
    "decode_j",
    "repeats",
    "device",
    "dtype",
    "versions",
)
#: Columns that it also has since 2026-11-30: standard errors of those medians, in seconds.
LATENCY_SPREAD = ("encoder_se", "prefill_se", "decode_se")
LATENCY_KEY = ("params_b", "visual_tokens", "text_tokens", "batch")

#: Number of answers that are timed one by one for a cell's ``latency_s``, which is their median.
TIMED_ANSWERS = 50

#: text_length.csv of a cell, and tables/text_length.csv: one row per cell, suite and text length.
#: ``text_tokens`` is the requested length, ``prompt_text_tokens`` the mean length of the prompts.
TEXT_LENGTH_COLUMNS = (
    *ERROR_COLUMNS[:-2],
    "text_tokens",
    "prompt_text_tokens",
    "prefill_flops",
    "latency_s",
    "latency_low_s",
    "latency_high_s",
)
