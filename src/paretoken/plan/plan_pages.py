"""A plan as a page of text, as CSV or as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from paretoken.costs.gpu_memory import GIB
from paretoken.io.escape import csv_row
from paretoken.io.text_tables import MISSING, aligned, clock, counted, short
from paretoken.plan.durations import UTILISATION
from paretoken.plan.study_plan import COLUMNS, Line, Plan, gpu_hours, rows, totals

#: The largest number of origins of shapes or lengths that are named.
MOST_ORIGINS = 4


def as_csv(plans: Sequence[Plan]) -> str:
    """Return every row of every plan; a missing number is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for plan in plans:
        writer.writerows(map(csv_row, rows(plan)))
    return text.getvalue()


def as_json(plans: Sequence[Plan]) -> str:
    """Return rows, totals, corrections and assumptions of every plan."""
    content = [
        {
            "totals": totals(plan),
            "corrections": {stage: asdict(found) for stage, found in plan.corrections.items()},
            "assumptions": remarks(plan),
            "rows": rows(plan),
        }
        for plan in plans
    ]
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def as_text(plan: Plan) -> str:
    """Return one plan as a page: its lines, sums and assumptions."""
    on_gpus = any(line.planned.gpus for line in plan.lines)
    where = plan.device.title if on_gpus else "one CPU core"
    heading = f"Study {plan.study} on {where}"
    header = ["llm", "compressor", "V", "seed", "stage", "trained", "tokens", "FLOPs"]
    right = [False, False, True, True, False, True, True, True]
    if on_gpus:
        header += ["GPUs", "ZeRO", "GiB/GPU", "fits"]
        right += [True, True, True, False]
    header += ["time", "GPU-h" if on_gpus else "s", "disk GiB", "measured"]
    right += [True, True, True, True]
    body = [_cells(line, on_gpus) for line in plan.lines]
    parts = [heading, aligned(header, body, right), _sums(plan, on_gpus)]
    return "\n\n".join([*parts, "\n".join(f"- {line}" for line in remarks(plan))]) + "\n"


def _cells(line: Line, on_gpus: bool) -> list[str]:
    planned, cell, work = line.planned, line.planned.cell, line.planned.work
    shown = [
        cell.llm,
        cell.compressor,
        str(cell.tokens),
        str(cell.seed),
        planned.stage,
        short(work.trained) if work.trained else MISSING,
        short(work.tokens),
        f"{work.flops:.2e}",
    ]
    if on_gpus:
        zero = str(planned.zero) if planned.zero else MISSING
        fits = "yes" if planned.fits else f"no: {planned.remedy}"
        shown += [str(planned.gpus), zero, f"{planned.memory_gib:.1f}", fits]
    cost = gpu_hours(line) if on_gpus else planned.duration.seconds
    measured = "" if line.measured is None else clock(line.measured.seconds)
    shown += [clock(planned.duration.seconds), f"{cost:.1f}", f"{planned.disk / GIB:.3g}", measured]
    return shown


def _sums(plan: Plan, on_gpus: bool) -> str:
    found = totals(plan)
    unit, key, scale = ("GPU-h", "gpu_hours", 1.0) if on_gpus else ("CPU seconds", "hours", 3600.0)
    lines = [
        f"{stage}: {values[key] * scale:,.1f} {unit}, {values['flops']:.2e} FLOPs"
        for stage, values in found["stages"].items()
    ]
    lines.append(
        f"in all: {counted(found['cells'], 'cell')}, {found[key] * scale:,.1f} {unit}, "
        f"{found['flops']:.2e} FLOPs; "
        f"{found['kept_gib']:,.1f} GiB kept, up to {found['peak_gib_of_one_job']:,.1f} GiB while one "
        "job trains"
    )
    if found["cost"] is not None:
        lines.append(f"cost: {found['cost']:,.0f} at {plan.price:g} per GPU-hour")
    if plan.budget is not None:
        word = "OVER" if plan.over_budget else "within"
        lines.append(f"{word} the budget of {plan.budget:,.1f} GPU-h")
    if found["does_not_fit"]:
        stages = counted(found["does_not_fit"], "stage does", "stages do")
        lines.append(f"{stages} not fit {plan.device.title}: see `fits`")
    return "\n".join(lines)


def remarks(plan: Plan) -> list[str]:
    """Return the assumptions behind the numbers, as sentences."""
    shapes = sorted({line.planned.shape_origin for line in plan.lines})
    lengths = sorted({line.planned.data_origin for line in plan.lines})
    said = [f"shapes: {', '.join(_few(shapes))}", f"lengths: {'; '.join(_few(lengths))}"]
    if any(line.planned.gpus for line in plan.lines):
        said.append(
            "utilisation: model FLOPs over the peak, unless given "
            + ", ".join(f"{stage} {value:g}" for stage, value in UTILISATION.items())
            + "; these give LLaVA-1.5's published hours within 20 %. Published runs of others took up "
            "to 1.6 times (576 tokens, smaller GPUs) and 2.4 times (16 tokens) as long as estimated"
        )
        said.append(
            "memory: at the longest sequences; if a recipe names no DeepSpeed file, ZeRO-2 is assumed "
            "if it fits, otherwise ZeRO-3"
        )
    shares = [
        line.measured.memory_gib / line.planned.memory_gib
        for line in plan.lines
        if line.measured and line.measured.memory_gib and line.planned.memory_gib
    ]
    if shares:
        low, high = min(shares), max(shares)
        said.append(f"memory: finished stages allocated {low:.2f} to {high:.2f} times the estimate")
    said += [_correction(stage, asdict(found)) for stage, found in plan.corrections.items()]
    said.append("sources (fetching, unpacking, tokenizing, the miniature's backbones) are not counted")
    return said


def _few(origins: list[str]) -> list[str]:
    """Return the first origins, and the number of the others if there are more."""
    more = len(origins) - MOST_ORIGINS
    return origins if more <= 0 else [*origins[:MOST_ORIGINS], f"and {more} more"]


def _correction(stage: str, found: dict[str, Any]) -> str:
    text = (
        f"{stage}: {counted(found['stages'], 'finished job')} took {found['factor']:.2f} times as "
        f"long as estimated (median; {found['lowest']:.2f} to {found['highest']:.2f}); all times of "
        "this stage above are multiplied by this factor"
    )
    if found["utilisation"] is not None:
        text += f"; measured utilisation {found['utilisation']:.3f}"
    return text
