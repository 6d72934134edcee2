"""Small models whose costs can be counted by hand, and a table of latency with known seconds."""

from __future__ import annotations

import csv
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from known_seconds import BATCHES, SIZES, TEXT, TOKENS, seconds
from paretoken.costs.models.deployment import AdapterShape, LlmShape, Shapes
from paretoken.costs.shapes import DecoderShape, EncoderShape
from paretoken.study.contract import LATENCY_COLUMNS


def decoder(hidden: int, layers: int = 2) -> DecoderShape:
    return DecoderShape(
        hidden=hidden, layers=layers, heads=4, kv_heads=2, head_width=hidden // 4,
        intermediate=3 * hidden, vocabulary=100, tied=True,
    )  # fmt: skip


@pytest.fixture(scope="session")
def shapes() -> Shapes:
    llms = [
        LlmShape(f"m{n:g}", n, decoder(width).parameters()["total"], decoder(width), "by hand")
        for n, width in zip(SIZES, (64, 96, 128), strict=True)
    ]
    encoder = EncoderShape(width=32, layers=2, intermediate=64, side=4, patch=8)
    return Shapes(tuple(llms), encoder, AdapterShape("average_pool", 1))


@pytest.fixture
def latency_csv(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the table, each row changed (or dropped: None) by a function."""

    def write(change: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda row: row) -> Path:
        path = tmp_path / "latency.csv"
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, LATENCY_COLUMNS)
            writer.writeheader()
            for n, v, q, batch in product(SIZES, TOKENS, TEXT, BATCHES):
                row = {"llm": f"m{n:g}", "params_b": n, "visual_tokens": v, "text_tokens": q,
                       "batch": batch, "repeats": 3, "device": "Abacus 9", "dtype": "bf16",
                       "versions": "", **seconds(n, v, q, batch)}  # fmt: skip
                changed = change(row)
                if changed is not None:
                    writer.writerow(changed)
        return path

    return write
