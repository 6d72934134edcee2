"""Read the measured cells that a law is fitted to from any CSV, and account for every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paretoken.analysis.product_limits import MOST_FITTED, require_product
from paretoken.errors import FitError, UserError
from paretoken.io.arrays import Array, Mask
from paretoken.io.escape import shown
from paretoken.io.text_tables import counted
from paretoken.registry import unknown_name
from paretoken.study.table_files import LISTED, Table, read_text_table

#: Most studies, compressors, models or sizes of a table whose names are recorded.
MOST_NAMED = 200


@dataclass(frozen=True)
class Cells:
    """A set of n measured cells.

    Attributes:
        N: model sizes (billions by the study's convention; the unit changes K only).
        V: visual tokens, or another second scale.
        Y: measured errors.
        weight: the weight of each cell in the fit; 0 leaves it out.
        seed: the repetition of each cell; None if nothing was repeated. Cells of one size and seed
            share a language model, and perhaps its noise.
    """

    N: Array
    V: Array
    Y: Array
    weight: Array
    seed: Array | None = None

    def __len__(self) -> int:
        return len(self.Y)

    @property
    def used(self) -> Mask:
        """Which cells have a positive weight."""
        return np.asarray(self.weight > 0)

    def sorted(self) -> Cells:
        """Return the same cells in an order that does not depend on that of the table."""
        order = np.lexsort((self.weight, self.Y, self.V, self.N))
        seed = None if self.seed is None else self.seed[order]
        return Cells(self.N[order], self.V[order], self.Y[order], self.weight[order], seed)

    def reweighted(self, weight: Array) -> Cells:
        """Return the same cells with other weights."""
        return replace(self, weight=weight)

    @property
    def language_models(self) -> NDArray[np.intp]:
        """The index, from 0, of each cell's language model, given by size and seed, (n,)."""
        columns = [self.N] if self.seed is None else [self.N, self.seed]
        return np.unique(np.stack(columns), axis=1, return_inverse=True)[1].ravel()


@dataclass(frozen=True)
class Selection:
    """Which rows and columns of a table to fit; the defaults are those of tables/errors.csv."""

    suite: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    n_column: str = "params_b"
    n_scale: float = 1.0
    v_column: str = "visual_tokens"
    error_column: str = "error"
    suite_column: str = "suite"
    flag_column: str = "flag"
    weights: str | None = None
    sigma: str | None = None
    exclude_flagged: bool = False
    zero_tokens_allowed: bool = False


@dataclass(frozen=True)
class CellData:
    """Cells with their provenance, and the rows that were left out, flagged or repeated."""

    cells: Cells
    provenance: dict[str, Any]
    flagged: list[str]
    repeated: Sequence[int] = ()  # lines


def read_cells(path: Path, selection: Selection) -> CellData:
    """Read the selected cells of a table.

    Rows without an error, rows with V = 0 (the law is not defined there) and, on request, flagged
    rows are left out. Each of them is listed with its line and the reason.

    Raises:
        UserError: a column is missing, a value is not a number or out of range, or several suites
            are mixed.
        FitError: no row is left.
    """
    table = read_text_table(path)
    s = selection
    rows = _one_suite(table, s)
    for column, value in s.where.items():
        rows = rows[rows[table.column(column)] == value]
        if rows.empty:
            raise UserError(f"{path}: no row has {column} = {shown(value)}")
    excluded: list[dict[str, Any]] = []
    rows = _leave_out(rows, rows[table.column(s.error_column)] == "", "no measurement", excluded)
    flags = rows[s.flag_column] if s.flag_column in rows else pd.Series("", index=rows.index)
    flagged = [f"line {line}: {flag}" for line, flag in flags[flags != ""].items()]
    if s.exclude_flagged:
        table.column(s.flag_column)
        rows, flagged = _leave_out(rows, flags != "", "flagged", excluded, flags), []
    V = table.numbers(rows, s.v_column, minimum=0)
    if not s.zero_tokens_allowed:
        rows = _leave_out(rows, V == 0, "no visual tokens (the law needs V > 0)", excluded)
    if rows.empty:
        raise FitError(f"{path}: no row is left to fit; left out: {_first(excluded)}")
    require_product(str(path), {"rows to fit": len(rows)}, MOST_FITTED)
    cells = Cells(
        N=table.numbers(rows, s.n_column, above=0).to_numpy() * s.n_scale,
        V=table.numbers(rows, s.v_column, minimum=0).to_numpy(),
        Y=table.numbers(rows, s.error_column).to_numpy(),
        weight=_weights(table, rows, s),
        seed=_seeds(rows),
    )
    provenance = {
        "path": str(path),
        "sha256": table.sha256,
        "rows": len(table.rows),
        "suite": s.suite,
        "where": dict(s.where),
        "columns": {"N": s.n_column, "V": s.v_column, "Y": s.error_column},
        "exclusions": excluded,
        "named": _named(rows, cells.N),
    }
    repeated = [int(line) for line in rows.index[rows.duplicated()]]
    return CellData(cells, provenance, flagged, repeated)


def _named(rows: pd.DataFrame, N: Array) -> dict[str, Any]:
    """Return the names in the rows: studies, compressors, and language models by size.

    Names with more than `MOST_NAMED` values are left out: such a table does not come from studies.
    """
    found: dict[str, Any] = {}
    for key, column in (("studies", "study"), ("compressors", "compressor")):
        if column in rows and 0 < rows[column].nunique() <= MOST_NAMED:
            found[key] = sorted(filter(None, rows[column].unique()))
    if "llm" in rows and rows["llm"].nunique() <= MOST_NAMED and len(np.unique(N)) <= MOST_NAMED:
        models = rows["llm"].groupby(N).unique()
        found["models"] = {f"{n:g}": sorted(filter(None, names)) for n, names in models.items()}
    return found


def _first(excluded: Sequence[Mapping[str, Any]]) -> str:
    more = f", and {len(excluded) - LISTED} more" if len(excluded) > LISTED else ""
    return "; ".join(f"line {e['line']} ({shown(e['reason'])})" for e in excluded[:LISTED]) + more


def _one_suite(table: Table, s: Selection) -> pd.DataFrame:
    if s.suite is None:
        if s.suite_column in table.rows and table.rows[s.suite_column].nunique() > 1:
            names = ", ".join(sorted(table.rows[s.suite_column].unique()))
            raise UserError(f"{table.path} holds several suites; choose one with --suite: {names}")
        return table.rows
    suites = table.rows[table.column(s.suite_column)]
    if s.suite not in set(suites):
        raise UserError(f"{table.path}: {unknown_name('suite', s.suite, sorted(suites.unique()))}")
    return table.rows[suites == s.suite]


def _leave_out(
    rows: pd.DataFrame,
    out: pd.Series[bool],
    reason: str,
    excluded: list[dict[str, Any]],
    detail: pd.Series[str] | None = None,
) -> pd.DataFrame:
    for line in rows.index[out]:
        why = reason if detail is None else f"{reason}: {detail[line]}"
        excluded.append({"line": int(line), "reason": why})
    return rows[~out]


def _seeds(rows: pd.DataFrame) -> Array | None:
    """Return one number per repetition; None without a seed column, or with a single seed."""
    if "seed" not in rows or rows["seed"].nunique() < 2:
        return None
    return np.unique(rows["seed"].to_numpy(str), return_inverse=True)[1].astype(float)


def _weights(table: Table, rows: pd.DataFrame, s: Selection) -> Array:
    if s.weights and s.sigma:
        raise UserError("give --weights or --sigma, not both: weights are 1 / sigma^2")
    if s.sigma:
        return 1.0 / table.numbers(rows, s.sigma, above=0).to_numpy() ** 2
    if not s.weights:
        return np.ones(len(rows))
    weight = table.numbers(rows, s.weights, minimum=0).to_numpy()
    if not weight.any():
        raise UserError(
            f"{table.path}: every value of {s.weights!r} is 0; at least one must be positive"
        )
    return weight


def require_identifiable(cells: Cells, parameters: Sequence[str]) -> None:
    """Raise `FitError` if the cells cannot determine the parameters at all."""
    used = cells.used
    for symbol, axis in (("N", cells.N), ("V", cells.V)):
        levels = np.unique(axis[used])
        if len(levels) < 2:
            raise FitError(
                f"only one level of {symbol} ({', '.join(f'{x:g}' for x in levels)}): its exponent "
                f"cannot be determined; give cells at two or more values of {symbol}"
            )
    distinct = np.unique(np.stack([cells.N[used], cells.V[used]]), axis=1).shape[1]
    if distinct < len(parameters):
        raise FitError(
            f"{counted(distinct, 'distinct cell')} cannot determine "
            f"{counted(len(parameters), 'parameter')} "
            f"({', '.join(parameters)}); give more cells or choose a law with fewer"
        )
    if _change_together(np.log(cells.N[used]), cells.V[used]):
        raise FitError(
            "N and V change together in these cells (one is a power of the other), so their "
            "exponents cannot be distinguished; give cells with the same N at two or more values of V"
        )


def _change_together(log_n: Array, V: Array) -> bool:
    """Return whether ln V is a straight line in ln N."""
    if (V <= 0).any():
        return False
    log_n, log_v = log_n - log_n.mean(), np.log(V) - np.log(V).mean()
    shared = float(log_n @ log_v) ** 2
    return shared >= (1 - 1e-9) * float(log_n @ log_n) * float(log_v @ log_v)
