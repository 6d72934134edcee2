"""Named synthetic surfaces with known truth, the published cells, and small tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from paretoken.analysis.cells import CellData, Cells, Selection, read_cells
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.laws.base import Law
from paretoken.registry import LAWS

PROJECT = Path(__file__).parents[2]
PUBLISHED = PROJECT / "workflow" / "reference" / "published_errors.csv"

settings.register_profile(
    "paretoken",
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("paretoken")

SIZES = (0.5, 1.8, 4.0, 7.0)
TOKENS = (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)

#: The laws as the paper writes them, one line each: what every prediction is held against.
FORMULAS: dict[str, Callable[..., Any]] = {
    "product": lambda p, N, V, Q: p["K"] * N ** -p["alpha"] * V ** -p["beta"] + p["D"],
    "product_zero_d": lambda p, N, V, Q: p["K"] * N ** -p["alpha"] * V ** -p["beta"],
    "product_q_plus_v": lambda p, N, V, Q: p["K"] * N ** -p["alpha"] * (Q + V) ** -p["beta"] + p["D"],
    "additive": lambda p, N, V, Q: p["E"] + p["A"] * N ** -p["alpha"] + p["B"] * V ** -p["beta"],
    "log_linear": lambda p, N, V, Q: p["c"] - p["a"] * np.log(N) - p["b"] * np.log(V),
    "constant": lambda p, N, V, Q: p["c"] + 0 * N * V,
}


@dataclass(frozen=True)
class Surface:
    """A law with known parameters on a grid of sizes and tokens."""

    law_name: str
    parameters: Mapping[str, float]
    sizes: tuple[float, ...] = SIZES
    tokens: tuple[float, ...] = TOKENS
    Q: float = 50.0

    @property
    def law(self) -> Law:
        law: Law = LAWS.load(self.law_name)
        return law

    @property
    def values(self) -> np.ndarray:
        return np.array([self.parameters[name] for name in self.law.parameters])

    def formula(self, N: Any, V: Any) -> Any:
        return FORMULAS[self.law_name](self.parameters, N, V, self.Q)

    def cells(self, noise: float = 0.0, seed: int = 0) -> Cells:
        N, V = (a.ravel() for a in np.meshgrid(self.sizes, self.tokens, indexing="ij"))
        error = noise * np.random.default_rng(seed).normal(size=len(N))
        return Cells(N, V, self.formula(N, V) + error, np.ones(len(N)))


SMALL_UNIT = tuple(1e-5 * n for n in SIZES)
SURFACES = {
    "published_grid": Surface("product", {"K": 0.5571, "D": 0.0333, "alpha": 0.0747, "beta": 0.0162}),
    "no_floor": Surface("product", {"K": 0.59, "D": 0.0, "alpha": 0.071, "beta": 0.0151}),
    "large_floor": Surface("product", {"K": 0.02, "D": 3.0, "alpha": 0.5, "beta": 0.3}),
    "steep": Surface("product", {"K": 0.4, "D": 0.1, "alpha": 0.5, "beta": 1.2}),
    "small_unit": Surface(
        "product", {"K": 0.3, "D": 0.2, "alpha": 0.08, "beta": 0.02}, sizes=SMALL_UNIT
    ),
    "ocr_like": Surface("product", {"K": 0.68, "D": 0.23, "alpha": 0.042, "beta": 0.06}),
    "zero_d": Surface("product_zero_d", {"K": 0.5908, "alpha": 0.0709, "beta": 0.0151}),
    "zero_d_steep_small_unit": Surface(
        "product_zero_d", {"K": 0.1, "alpha": 0.5, "beta": 1.2}, sizes=SMALL_UNIT
    ),
    "additive": Surface("additive", {"E": 0.2, "A": 0.3, "B": 0.1, "alpha": 0.3, "beta": 0.2}),
    "additive_large_e": Surface("additive", {"E": 2.0, "A": 0.3, "B": 0.1, "alpha": 0.5, "beta": 1.2}),
    "additive_shallow": Surface("additive", {"E": 0.1, "A": 0.3, "B": 0.1, "alpha": 0.1, "beta": 0.05}),
    "chinchilla": Surface(
        "additive",
        {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
        sizes=tuple(np.geomspace(1e7, 1e10, 7)),
        tokens=tuple(np.geomspace(1e9, 1e12, 8)),
    ),
    "log_linear": Surface("log_linear", {"c": 0.5902, "a": 0.0384, "b": 0.0081}),
    "log_linear_small_unit": Surface(
        "log_linear", {"c": 0.1, "a": 0.0384, "b": 0.0081}, sizes=SMALL_UNIT
    ),
    "q_plus_v": Surface("product_q_plus_v", {"K": 0.5, "D": 0.1, "alpha": 0.07, "beta": 0.03}),
    "q_plus_v_steep": Surface(
        "product_q_plus_v", {"K": 0.5, "D": 0.4, "alpha": 0.5, "beta": 1.2}, Q=25.0
    ),
    "constant": Surface("constant", {"c": 0.4}),
}
#: One surface per law.
ONE_PER_LAW = ("published_grid", "zero_d", "additive", "log_linear", "q_plus_v", "constant")


@pytest.fixture(params=SURFACES)
def surface(request: pytest.FixtureRequest) -> Surface:
    """Every named surface, one after the other."""
    return SURFACES[request.param]


@pytest.fixture(params=ONE_PER_LAW)
def law_surface(request: pytest.FixtureRequest) -> Surface:
    """One surface per registered law."""
    return SURFACES[request.param]


@pytest.fixture(scope="session")
def surfaces() -> Mapping[str, Surface]:
    return SURFACES


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def published_path() -> Path:
    return PUBLISHED


@pytest.fixture(scope="session")
def published() -> Callable[..., CellData]:
    """Return the published cells of a suite, by default the visual one."""

    @cache
    def read(suite: str = "visual_reasoning", exclude_flagged: bool = False) -> CellData:
        return read_cells(PUBLISHED, Selection(suite=suite, exclude_flagged=exclude_flagged))

    return read


@pytest.fixture(scope="session")
def published_record(published: Callable[..., CellData]) -> dict[str, Any]:
    """The record of the product law on the published visual cells, as fit.json holds it."""
    record = fit_record(published(), FitOptions(bootstrap=200))
    plain: dict[str, Any] = json.loads(json.dumps(record, allow_nan=False))
    return plain


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with features and tokens, which no test may change."""
    import torch

    import tiny

    torch.set_num_threads(1)
    return tiny.save_prepared_world(tmp_path_factory.mktemp("tiny_world"), "--aspect", "crop")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes text or bytes to a file in a folder of the test's own."""

    def to_file(content: str | bytes, name: str = "table.csv") -> Path:
        path = tmp_path / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)
        return path

    return to_file


@pytest.fixture
def table(write: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes cells as a table that `paretoken fit` reads."""

    def to_table(cells: Cells, name: str = "table.csv", **columns: Any) -> Path:
        data = {"params_b": cells.N, "visual_tokens": cells.V, "error": cells.Y, **columns}
        lines = [",".join(data)]
        lines += [",".join(str(value) for value in row) for row in zip(*data.values(), strict=True)]
        return write("\n".join(lines) + "\n", name)

    return to_table
