"""Seconds per answer over N, V, Q and batch beside those of `plan`, for `gpu_acceptance`."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from gpu_checks import Check, Result, judged
from paretoken.costs.models.deployment import AdapterShape, LlmShape, Shapes
from paretoken.costs.shapes import decoder_shape, encoder_shape
from paretoken.evaluate.latency_grid import Grid, measure_grid
from paretoken.plan.durations import UTILISATION, prediction_time
from paretoken.plan.question_counts import Questions
from paretoken.plan.stage_work import Model, prediction_work
from paretoken.train.speed import this_device
from random_models import Scale, configuration, here

#: Most that a time may differ from the plan's, as a factor.
FACTOR = 4.0
#: So many loading processes that no time is spent on waiting for pictures.
NO_WAIT = 10**9
RULE = (
    "every combination fits and is measured; on a known GPU, encoder + prefill + answer is "
    f"1/{FACTOR:g} to {FACTOR:g} times the seconds of `plan`"
)


def checks(scale: Scale) -> list[Check]:
    """Return a check per language model and V, small models first."""
    return [
        Check(f"{name}, V = {V}", partial(latency, scale, name, V), llm.layers)
        for name, llm in scale.shapes.items()
        for V in scale.tokens
    ]


def latency(scale: Scale, llm: str, V: int) -> Result:
    """Return the rows of the latency table for one language model and V, each beside the plan."""
    config = configuration(scale, scale.shapes[llm], V)
    decoder = decoder_shape(config.text_config.to_dict())
    vision = config.vision_config
    assert vision is not None
    parameters = decoder.parameters()["total"]
    shape = LlmShape(llm, parameters / 1e9, parameters, decoder, "random weights")
    adapter = AdapterShape(config.compressor, len(config.layers))
    shapes = Shapes((shape,), encoder_shape(vision.to_dict()), adapter)
    dtype = torch.bfloat16 if here().type == "cuda" else torch.float32
    grid = Grid([V], scale.text_tokens, scale.batches, scale.repeats)
    rows = [
        _beside_plan(row, shapes, scale.answer)
        for row in measure_grid(shapes, shape, grid, here(), dtype)
    ]
    ratios = [row["ratio"] for row in rows if row.get("ratio") is not None]
    missing = sum("measured_s" not in row for row in rows)
    passed = not missing and all(1 / FACTOR <= ratio <= FACTOR for ratio in ratios)
    found = {"lowest_ratio": min(ratios), "highest_ratio": max(ratios)} if ratios else {}
    return judged(passed, RULE, combinations=len(rows), did_not_fit=missing, **found, rows=rows)


def _beside_plan(row: dict[str, Any], shapes: Shapes, answer: int) -> dict[str, Any]:
    """Return a row with the seconds of a batch of answers, measured and planned, and their ratio.

    On a device whose peak is unknown, and for a combination that did not fit, there is no ratio.
    """
    if "prefill_s" not in row or "encoder_s" not in row:
        return row
    measured = row["encoder_s"] + row["prefill_s"] + answer * row["decode_s"]
    row = row | {"answer": answer, "measured_s": measured}
    device = this_device()[1]
    if device is None:
        return row
    (llm,), adapter = shapes.llms, shapes.adapter
    model = Model(
        llm.decoder, llm.parameters, shapes.encoder, adapter.compressor, row["visual_tokens"],
        adapter.layers,
    )  # fmt: skip
    work = prediction_work(model, Questions(row["batch"], row["text_tokens"], answer), row["batch"])
    planned = prediction_time(work, llm.decoder.layers, device, 1, NO_WAIT, UTILISATION["predict"])
    seconds = planned.seconds - planned.start
    prompt = work.flops / (row["encoder_s"] + row["prefill_s"]) / (device.peak_tflops * 1e12)
    return row | {"planned_s": seconds, "ratio": measured / seconds, "prompt_mfu": prompt}
