"""Measured seconds and joules per answer, and interpolation between the measurements.

Two kinds of tables are supported: the table of `paretoken latency` (N x V x Q x batch, with separate
values for encoder, prompt and each further token), and a trained study's ``tables/costs.csv``, which
has only whole answers to the study's own questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paretoken.errors import UserError
from paretoken.io.arrays import Numbers
from paretoken.io.text_tables import counted
from paretoken.study.contract import LATENCY_COLUMNS, LATENCY_KEY, LATENCY_SPREAD, TIMED_ANSWERS
from paretoken.study.table_files import read_table, require_unique

AXES = ["params_b", "visual_tokens", "text_tokens"]
PARTS = ("encoder", "prefill", "decode")
#: The suffix of the columns with standard errors of seconds (``prefill_se``).
SPREAD = "se"
#: For a normal distribution: standard error of the median in units of standard deviation / sqrt(n), and
#: interquartile range in standard deviations.
OF_MEDIAN, QUARTILES = 1.2533, 1.349
#: A smaller weight in an interpolation is a rounding error.
NO_WEIGHT = 1e-9


@dataclass(frozen=True)
class LatencyTable:
    """Measurements on one device.

    Attributes:
        origin: the file.
        device: the name that the device reports.
        axes: per batch size, the measured N, V and Q, ascending.
        values: per batch size and part (``prefill_s``, ``decode_j``, ``prefill_se``, ...), an array over
            the axes; NaN where a combination did not run.
        whole_answers: whether there are only whole answers, as ``prefill_s``, without a known Q.
    """

    origin: str
    device: str
    axes: Mapping[int, tuple[Numbers, Numbers, Numbers]]
    values: Mapping[int, Mapping[str, Numbers]]
    whole_answers: bool = False

    def measured(self, part: str) -> bool:
        """Return whether a part (such as ``prefill_j``) was measured at any batch size."""
        return any(np.isfinite(parts[part]).any() for parts in self.values.values() if part in parts)

    def at(self, part: str, batch: int, N: Numbers, V: Numbers, Q: float) -> Numbers:
        """Return a part at each N and V, interpolated linearly; NaN outside the measured range.

        Raises:
            UserError: nothing was measured at this batch size.
        """
        if batch not in self.axes:
            raise UserError(
                f"{self.origin} has no measurement of {batch} questions at once; use a batch of "
                f"{', '.join(map(str, self.axes))}, or measure with `paretoken latency`"
            )
        from scipy.interpolate import RegularGridInterpolator

        axes, values = self.axes[batch], self.values[batch][part]
        given = [N, V, np.full_like(N, Q)]
        kept = [i for i, axis in enumerate(axes) if len(axis) > 1]
        inside = np.ones(len(N), dtype=bool)
        for i, axis in enumerate(axes):
            if i not in kept and not (self.whole_answers and i == 2):
                inside &= given[i] == axis[0]
        flat = values[tuple(slice(None) if i in kept else 0 for i in range(3))]
        if not kept:
            return np.where(inside, flat, np.nan)
        lost = np.isnan(flat)
        # A missing neighbour must not affect a point at which its weight is 0.
        grid = RegularGridInterpolator(
            [axes[i] for i in kept],
            np.stack([np.where(lost, 0.0, flat), lost], axis=-1),
            bounds_error=False,
            fill_value=np.nan,
        )
        found, missing = grid(np.stack([given[i] for i in kept], axis=1)).T
        return np.asarray(np.where(inside & (missing < NO_WEIGHT), found, np.nan))


def read_latency(path: Path) -> LatencyTable:
    """Read a table of `paretoken latency`, or a study's ``tables/costs.csv``.

    Raises:
        UserError: the file is neither, has no measurement, or lacks a combination.
    """
    table = read_table(path, ())
    if "latency_s" in table.columns:
        return _whole_answers(path, table)
    missing = [name for name in LATENCY_COLUMNS if name not in table.columns]
    if missing:
        raise UserError(
            f"{path} is not a table of latency: it lacks {', '.join(missing)}; make it with `paretoken "
            "latency`, or give a trained study's tables/costs.csv"
        )
    require_unique(table, LATENCY_KEY, str(path))
    devices = sorted({str(name) for name in table["device"].dropna()})
    if len(devices) > 1:
        raise UserError(f"{path} mixes devices ({', '.join(devices)}); keep one per table")
    names = [f"{part}_{unit}" for part in PARTS for unit in ("s", "j")]
    names += [name for name in LATENCY_SPREAD if name in table.columns]
    _require_numbers(path, table, [*AXES, "batch", *names])
    _require_combinations(path, table)
    axes, values = {}, {}
    for batch, rows in table.groupby("batch"):
        size = int(float(str(batch)))  # pandas reads 1.0 where another row of the column is blank
        axes[size] = _axes(rows)
        values[size] = {name: _cube(path, rows, name) for name in names}
    return LatencyTable(str(path), devices[0] if devices else "", axes, values)


def _whole_answers(path: Path, table: pd.DataFrame) -> LatencyTable:
    _require_numbers(path, table, ["params_b", "visual_tokens", "latency_s", "encoder_latency_s"])
    if "latency_device" not in table.columns:
        raise UserError(f"{path} is not a table of latency: it lacks the column latency_device")
    rows = table[(table["visual_tokens"] > 0) & table["latency_s"].notna()]
    if rows.empty:
        raise UserError(f"{path} has no measured latency; measure it with `paretoken latency`")
    groups = rows.groupby(["params_b", "visual_tokens"], as_index=False)
    means = groups[["latency_s", "encoder_latency_s"]].mean()
    means = means.assign(text_tokens=0.0, encoder_s=means["encoder_latency_s"].fillna(0.0))
    devices = sorted({str(name) for name in rows["latency_device"].dropna()})
    values = {
        "prefill_s": _cube(path, means, "latency_s"),
        "encoder_s": _cube(path, means, "encoder_s"),
    }
    spread = _spread(rows)
    if spread is not None:
        values["prefill_se"] = _cube(path, means.assign(spread=spread), "spread")
        values["encoder_se"] = np.zeros_like(values["prefill_se"])
    return LatencyTable(str(path), " and ".join(devices), {1: _axes(means)}, {1: values}, True)


def _spread(rows: pd.DataFrame) -> Numbers | None:
    """Return the standard error of the mean seconds of each size and V, in the order of both.

    It is the larger of two estimates, from the quartiles of single answers and from the spread over
    seeds; None if the table has neither.
    """
    quartiles = ["latency_low_s", "latency_high_s"]
    within = pd.Series(np.nan, index=rows.index)
    if set(quartiles) <= set(rows.columns):
        low, high = (pd.to_numeric(rows[name], errors="coerce") for name in quartiles)
        within = OF_MEDIAN * (high - low).clip(lower=0) / QUARTILES / np.sqrt(TIMED_ANSWERS)
    groups = rows.assign(variance=within**2).groupby(["params_b", "visual_tokens"])
    by_answers = np.sqrt(groups["variance"].mean() / groups.size())
    found = pd.concat([by_answers, groups["latency_s"].sem()], axis=1).max(axis=1)
    return None if found.isna().all() else found.fillna(0.0).to_numpy(float)


def _require_numbers(path: Path, table: pd.DataFrame, names: Sequence[str]) -> None:
    for name in names:
        if name not in table.columns:
            raise UserError(
                f"{path} is not a table of latency: it lacks the column {name}; make it with "
                "`paretoken latency`"
            )
        column = table[name]
        if column.isna().all():
            continue
        numbers = pd.to_numeric(column, errors="coerce")
        wrong = column[(numbers.isna() & column.notna()) | (numbers < 0) | np.isinf(numbers)]
        if len(wrong):
            raise UserError(
                f"{path}: {name} = {wrong.iloc[0]} in row {int(wrong.index[0]) + 1} is not a number of "
                "0 or more; measure again with `paretoken latency`"
            )


def _require_combinations(path: Path, table: pd.DataFrame) -> None:
    """Raise `UserError` for rows with a blank on an axis, or with a batch that is not a whole number."""
    for name in [*AXES, "batch"]:
        numbers = pd.to_numeric(table[name])
        whole = (numbers >= 1) & (numbers % 1 == 0)
        wrong = table.index[numbers.isna() | ((name == "batch") & ~whole)]
        if len(wrong):
            wanted = "a whole number of 1 or more" if name == "batch" else "a number"
            value = table[name][wrong[0]]
            raise UserError(
                f"{path}: {name} in row {int(wrong[0]) + 1} must be {wanted}, "
                f"{'it is blank' if pd.isna(value) else f'got {value}'}; correct it, or measure "
                "again with `paretoken latency`"
            )


def _axes(rows: pd.DataFrame) -> tuple[Numbers, Numbers, Numbers]:
    first, second, third = (np.unique(rows[name].to_numpy(float)) for name in AXES)
    return first, second, third


def _cube(path: Path, rows: pd.DataFrame, name: str) -> Numbers:
    """Return a column as an array over the grid of its axes (`UserError` if a combination has no row).

    The array is only made after checking that each of its places has a row: a thousand rows can have
    a thousand values on each axis.
    """
    axes = _axes(rows)
    place = np.stack(
        [np.searchsorted(axis, rows[n].to_numpy(float)) for n, axis in zip(AXES, axes, strict=True)]
    )
    _require_whole(path, axes, np.unique(place, axis=1))
    cube = np.full([len(axis) for axis in axes], np.nan)
    cube[tuple(place)] = pd.to_numeric(rows[name]).to_numpy(float)
    return cube


def _require_whole(path: Path, axes: Sequence[Numbers], places: NDArray[np.intp]) -> None:
    """Raise `UserError` unless there is a row at each place of a grid.

    Args:
        path: path of the table.
        axes: axes of the grid, ascending.
        places: indices of the rows on the axes, one column per place, in the order of the grid.
    """
    first, second, third = map(len, axes)
    missing = first * second * third - places.shape[1]
    if not missing:
        return
    number = np.arange(places.shape[1])
    wanted = np.stack([number // (second * third), number // third % second, number % third])
    differs = np.flatnonzero((places != wanted).any(axis=0))
    gap = int(differs[0]) if len(differs) else len(number)
    where = (gap // (second * third), gap // third % second, gap % third)
    words = ", ".join(f"{n} = {a[i]:g}" for n, a, i in zip(AXES, axes, where, strict=True))
    raise UserError(
        f"{path} is not a complete grid: "
        f"{counted(missing, 'combination is', 'combinations are', ',')} missing, the first at {words}; "
        "measure again with `paretoken latency`"
    )
