"""Whatever `paretoken fit` writes is a whole fit to everything that reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from paretoken.analysis.cells import Cells, Selection, read_cells
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.losses import LOSSES
from paretoken.errors import UserError
from paretoken.registry import LAWS

#: Sizes in billions, in millionths of them, and as numbers of parameters.
UNITS = (1.0, 1e-5, 1e9)


def random_cells(rng: np.random.Generator) -> Cells:
    """Return cells of few or more sizes, whose errors follow a law, a constant, or nothing."""
    sizes = rng.choice(UNITS) * np.sort(
        rng.choice([0.5, 1.8, 4.0, 7.0, 14.0], rng.integers(2, 6), False)
    )
    tokens = np.sort(rng.choice([0.0, 1.0, 4.0, 16.0, 144.0, 576.0], rng.integers(2, 6), False))
    N, V = (each.ravel() for each in np.meshgrid(sizes, tokens, indexing="ij"))
    law = 0.5 * (N / sizes[0]) ** -rng.uniform(0, 3) * (V + 1) ** -rng.uniform(0, 1)
    errors = rng.choice(4)
    Y = (law, np.full(len(N), 0.3), rng.uniform(0, 1, len(N)), rng.integers(0, 2, len(N)) * 1.0)[errors]
    kept = rng.uniform(size=len(N)) < rng.choice([0.7, 1.0])
    return Cells(N[kept], V[kept], Y[kept] * rng.choice([1.0, 1e6]), np.ones(kept.sum()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of steps that the solver then rejects
@pytest.mark.parametrize("law", list(LAWS))
def test_a_written_fit_can_be_read(law: str, table: Callable[..., Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(sum(law.encode()))
    read = 0
    for _ in range(8):
        cells = random_cells(rng)
        method = "grid" if law == "product" and rng.uniform() < 0.1 else "exact"
        held_out = (float(cells.N.max()),) if len(cells) and rng.uniform() < 0.3 else ()
        options = FitOptions(
            law,
            rng.choice(list(LOSSES)),
            method=method,
            bootstrap=int(rng.choice([0, 10])),
            text_tokens=tuple(rng.choice([0.0, 50.0], rng.integers(0, 3))),
            held_out=held_out,
        )
        try:
            record = fit_record(read_cells(table(cells), Selection()), options)
        except UserError:  # the cells cannot determine the law
            continue
        record = json.loads(json.dumps(record, allow_nan=False))
        FittedLaw.from_record(record, whole=True)
        read += 1
    assert read >= 2


@pytest.mark.parametrize("law", list(LAWS))
def test_a_fit_of_two_sizes_can_be_read(law: str, table: Callable[..., Path]) -> None:
    """The smaller one alone does not determine a law."""
    N, V = (each.ravel() for each in np.meshgrid([0.5, 7.0], [1.0, 4.0, 16.0, 144.0], indexing="ij"))
    cells = Cells(N, V, 0.1 + 0.5 * N**-0.1 * V**-0.05, np.ones(len(N)))
    record = fit_record(read_cells(table(cells), Selection()), FitOptions(law, bootstrap=0))
    record = json.loads(json.dumps(record, allow_nan=False))
    assert "cells" not in record["holdout"]["leave_largest_n_out"]
    FittedLaw.from_record(record, whole=True)
