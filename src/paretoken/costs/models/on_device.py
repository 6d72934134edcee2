"""Costs that are measured on a device: time, energy, and the price that follows from the time."""

from __future__ import annotations

import numpy as np

from paretoken.costs.models.base import CostModel
from paretoken.costs.models.deployment import Deployment
from paretoken.costs.models.latency_table import SPREAD
from paretoken.errors import UserError
from paretoken.io.arrays import Numbers

MILLISECONDS, SECONDS_PER_HOUR, PRICED_ANSWERS = 1000, 3600, 1000


def _total(deployment: Deployment, unit: str, N: Numbers, V: Numbers, Q: float) -> Numbers:
    """Return the seconds (``s``) or joules (``j``) that a batch of answers takes."""
    table = deployment.latency
    assert table is not None  # noqa: S101  (`Cost` has checked what the model needs)
    if table.whole_answers and (deployment.answer_tokens is not None or deployment.cached_text):
        raise UserError(
            f"{table.origin} has only whole answers to the study's own questions, so other lengths of "
            "answers and cached text are not available; measure with `paretoken latency`"
        )
    if unit == "j" and not table.measured("prefill_j"):
        raise UserError(
            f"{table.origin} has no energy, since its device does not report any; choose another --cost"
        )

    total = np.zeros(len(N))
    for times, part in _parts(deployment, unit, N, V, Q):
        total = total + times * part
    return total


def _parts(
    deployment: Deployment, unit: str, N: Numbers, V: Numbers, Q: float
) -> list[tuple[float, Numbers]]:
    """Return the parts of an answer that count, each with its number of times."""
    table = deployment.latency
    assert table is not None  # noqa: S101
    further = (deployment.answer_tokens or 1) - 1
    times = {"prefill": 1.0, "decode": max(further, 0.0), "encoder": float(deployment.encoder)}
    text = 0.0 if deployment.cached_text else Q
    return [
        (count, table.at(f"{name}_{unit}", deployment.batch, N, V, text))
        for name, count in times.items()
        if count > 0
    ]


def _seconds_error(deployment: Deployment, N: Numbers, V: Numbers, Q: float) -> Numbers | None:
    """Return the standard error of the seconds; None if the table has none."""
    table = deployment.latency
    if table is None or not table.measured(f"prefill_{SPREAD}"):
        return None
    squares = np.zeros(len(N))
    for times, part in _parts(deployment, SPREAD, N, V, Q):
        squares = squares + (times * np.nan_to_num(part)) ** 2
    return np.sqrt(squares)


def _latency_error(deployment: Deployment, N: Numbers, V: Numbers, Q: float) -> Numbers | None:
    seconds = _seconds_error(deployment, N, V, Q)
    return None if seconds is None else MILLISECONDS * seconds


def _price_error(deployment: Deployment, N: Numbers, V: Numbers, Q: float) -> Numbers | None:
    seconds = _seconds_error(deployment, N, V, Q)
    return None if seconds is None else _price_of(deployment, seconds)


def _latency(deployment: Deployment, N: Numbers, V: Numbers, Q: float) -> Numbers:
    return MILLISECONDS * _total(deployment, "s", N, V, Q)


def _energy(deployment: Deployment, N: Numbers, V: Numbers, Q: float) -> Numbers:
    return _total(deployment, "j", N, V, Q) / deployment.batch


def _price(deployment: Deployment, N: Numbers, V: Numbers, Q: float) -> Numbers:
    return _price_of(deployment, _total(deployment, "s", N, V, Q))


def _price_of(deployment: Deployment, seconds: Numbers) -> Numbers:
    assert deployment.price_per_hour is not None  # noqa: S101
    hours = seconds / deployment.batch / SECONDS_PER_HOUR
    return PRICED_ANSWERS * deployment.price_per_hour * hours


COUNTS = ("answer_tokens", "batch", "encoder", "cached_text", "device")

LATENCY = CostModel(
    name="latency",
    title="measured time to answer",
    unit="ms",
    leaves_out="",
    evaluate=_latency,
    counts=COUNTS,
    needs=("latency",),
    spread=_latency_error,
    of_batch=True,  # each question of a batch waits for all of its answers
)
ENERGY = CostModel(
    name="energy",
    title="measured energy of an answer",
    unit="J",
    leaves_out="the host's energy",
    evaluate=_energy,
    counts=COUNTS,
    needs=("latency",),
)
PRICE = CostModel(
    name="price",
    title="price of 1,000 answers",
    unit="per 1,000 answers",
    each="",
    leaves_out="idle time of the device",
    evaluate=_price,
    counts=COUNTS,
    needs=("latency", "price_per_hour"),
    spread=_price_error,
)
