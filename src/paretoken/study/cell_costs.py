"""The cost of each trained cell as one row, from the records of both stages and its measured latency.

Only `json` is used, without pandas or torch, as in `scored`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.io.csv_files import Row
from paretoken.io.escape import LONGEST_VALUE
from paretoken.io.files import read_json
from paretoken.study.grid import Cell
from paretoken.study.scored import coordinates

NOT_MEASURED = {"median_s": None, "quartiles_s": [None, None], "encoder_median_s": None, "device": None}


def cost_row(
    study: str,
    cell: Cell,
    params_b: float,
    folder: Path,
    trained: Path | None = None,
    timed: bool = False,
) -> Row:
    """Return a cell's row of tables/costs.csv.

    Cells that share a training each have its full cost. CPU and wall-clock seconds are those of both
    stages; memory is that of the larger stage, on the device if there is one; latency is empty if it
    was not measured. Prefill covers the language model, the adapter and, if the compressor reads the
    question, that pass, but not the encoder.

    Args:
        study: name of the study.
        cell: the cell.
        params_b: nominal size of its language model, in billions of parameters.
        folder: folder with ``latency.json``, if latency was measured.
        trained: folder with ``pretrain/run.json`` and ``finetune/run.json``; None: ``folder``.
        timed: whether ``latency.json`` is required.

    Raises:
        UserError: a file is missing or lacks a value; the message names it.
    """
    stages = {
        stage: read_json((trained or folder) / stage / "run.json") for stage in ("pretrain", "finetune")
    }
    measured = folder / "latency.json"
    latency = read_json(measured) if timed or measured.exists() else NOT_MEASURED
    try:
        return coordinates(study, cell, params_b) | _row(stages, latency, str(cell.tokens))
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        reason = str(error)[:LONGEST_VALUE]
        raise UserError(f"{folder}: a record lacks {reason}; train and ask this cell again") from error


def _row(stages: Mapping[str, Any], latency: Mapping[str, Any], tokens: str) -> Row:
    final = stages["finetune"]
    spent = final.get("prefill_flops_at", {}).get(tokens, final["prefill_flops"])
    prefill = {text: spent[text] for text in ("0", "50")}
    values = {
        "llm_parameters": final["parameters"]["llm_total"],
        "llm_parameters_non_embedding": final["parameters"]["llm_non_embedding"],
        "adapter_parameters": final["parameters"]["adapter"],
        "pretrain_flops": stages["pretrain"]["training_flops"],
        "finetune_flops": final["training_flops"],
        **{f"prefill_flops_q{q}": _prefill(parts) for q, parts in prefill.items()},
        "encoder_flops": prefill["0"].get("encoder"),
        "latency_s": latency["median_s"],
        "latency_low_s": latency["quartiles_s"][0],
        "latency_high_s": latency["quartiles_s"][1],
        "encoder_latency_s": latency["encoder_median_s"],
        "latency_device": latency["device"],
        **{name: sum(stage[name] for stage in stages.values()) for name in ("cpu_s", "wall_s")},
        "peak_memory_bytes": max(_peak(stage) for stage in stages.values()),
    }
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _peak(record: Mapping[str, Any]) -> int:
    peak = record["peak_memory"]
    return int(peak["device_bytes"] or peak["host_bytes"])


def _prefill(parts: Mapping[str, float]) -> float:
    return parts["llm"] + parts["adapter"] + parts.get("question", 0.0)
