"""The data of the explorer, computed in advance: costs and errors of every configuration.

The page itself only selects and compares. It therefore supports every law and every cost model, measured
ones included, and shows the same numbers as `paretoken recommend`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np

from paretoken.analysis.cell_means import cell_means
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.numerical_optimum import middle
from paretoken.analysis.product_limits import MOST_CONFIGURATIONS, require_product
from paretoken.analysis.scenarios import Scenario, scenarios
from paretoken.analysis.study_results import StudyResults
from paretoken.analysis.ties import indistinguishable
from paretoken.costs.quantities import scales
from paretoken.errors import UserError
from paretoken.io.arrays import Array
from paretoken.io.text_tables import size_label
from paretoken.study.published import PAPER_GRID

#: Approximate number of positions that the slider of text tokens has up to the study's largest Q. The
#: slider extends to twice that Q.
STOPS = 20
#: Largest number of configurations for which ties are computed.
MOST_TIED = 400


def explorer_data(results: StudyResults, folder: str, files: Sequence[str]) -> dict[str, Any]:
    """Return the data of the explorer, as JSON values.

    Args:
        results: the results of the study, with a cost whose deployment holds dimensions, measurements
            and price.
        folder: the folder of the study, for the command line that the page shows.
        files: the options of that command line that name dimensions and measurements.
    """
    study = results.study
    fits = {key: fit for key, fit in results.fits.items() if key[1] != PAPER_GRID}
    if not fits:
        raise UserError(f"the study {study.name} has laws, and none of its fits was given; add --fits")
    sizes = sorted({n for fit in fits.values() for n in fit.sizes})
    tokens = sorted({v for fit in fits.values() for v in fit.token_counts if v > 0})
    levels = {"sizes": len(sizes), "token counts": len(tokens)}
    require_product("--fits", levels, MOST_CONFIGURATIONS)
    configurations = list(product(sizes, tokens))
    stops = text_stops(study.text_tokens)
    return {
        "study": study.name,
        "folder": folder,
        "files": list(files),
        "stops": stops,
        "start": stops.index(middle(study.text_tokens) or 0.0),
        "sizes": [{"n": n, "label": size_label(n)} for n in sizes],
        "configurations": [{"n": n, "v": v} for n, v in configurations],
        "suites": [{"name": suite.name, "title": suite.title} for suite in study.suites],
        "laws": [
            {"name": law, "label": f"{law}: {own[0].law.formula}"}
            for law in study.fit.laws
            if (own := [fit for key, fit in fits.items() if key[1].startswith(f"{law}-")])
        ],
        "fits": {
            f"{suite}/{variant}": _fit(fit, configurations, stops)
            for (suite, variant), fit in fits.items()
        },
        "measured": {suite.name: _measured(results, suite.name) for suite in study.suites},
        "costs": [
            found
            for scenario in scenarios(results.cost.deployment)
            if (found := _costs(scenario, configurations, stops)) is not None
        ],
    }


def text_stops(text_tokens: Sequence[int]) -> list[float]:
    """Return the numbers of text tokens on the slider: those of the study, and evenly spaced ones."""
    largest = max([*text_tokens, 1])
    step = max(1, round(largest / STOPS))
    return sorted({float(q) for q in (*text_tokens, *range(0, 2 * largest + 1, step))})


def _fit(
    fit: FittedLaw, configurations: Sequence[tuple[float, float]], stops: Sequence[float]
) -> dict[str, Any]:
    N, V = (np.array(axis) for axis in zip(*configurations, strict=True))
    used = np.isin(N, fit.sizes) & np.isin(V, fit.token_counts)
    used_stops = stops if fit.law.text_in_error else stops[:1]
    return {
        "formula": fit.law.formula,
        "cautions": fit.record.get("cautions", []),
        "used": used.tolist(),
        "at": [_errors(fit, N, V, Q) for Q in used_stops],
    }


def _errors(fit: FittedLaw, N: Array, V: Array, Q: float) -> dict[str, Any]:
    low, high = fit.interval(N, V, Q)
    measured_low, measured_high = fit.measurement_interval(N, V, Q)
    return {
        "error": _plain(fit.predict(N, V, Q)),
        "extrapolated": (~fit.covers(N, V, Q)).tolist(),
        "low": _plain(low),
        "high": _plain(high),
        "measured_low": _plain(measured_low),
        "measured_high": _plain(measured_high),
        "ties": _ties(fit, N, V, Q),
    }


def _ties(fit: FittedLaw, N: Array, V: Array, Q: float) -> list[list[int]] | None:
    """Return, for each configuration, the indices of the later ones that tie with it.

    Return None if the fit has no bootstrap draws, or for more than `MOST_TIED` configurations.
    """
    if not len(fit.draws) or len(N) > MOST_TIED:
        return None
    errors = fit.draw_errors(N, V, Q)
    found = []
    for place in range(len(N)):
        tied = indistinguishable(fit, N, V, errors, place)
        after = np.flatnonzero(np.asarray(tied)[place + 1 :]) + place + 1
        found.append([int(other) for other in after])
    return found


def _measured(results: StudyResults, suite: str) -> list[dict[str, Any]]:
    cells = results.cells(suite)
    if cells.empty:
        return []
    rows = cell_means(cells)
    return [
        {
            "n": float(row["params_b"]),
            "v": float(row["visual_tokens"]),
            "llm": str(row["llm"]),
            "error": float(row["error"]),
            "flag": str(row["flag"] or ""),
        }
        for _, row in rows.iterrows()
    ]


def _costs(
    scenario: Scenario, configurations: Sequence[tuple[float, float]], stops: Sequence[float]
) -> dict[str, Any] | None:
    """Return the costs of a scenario per stop and configuration; None if no cost is known."""
    N, V = (np.array(axis) for axis in zip(*configurations, strict=True))
    cost = scenario.cost
    values = np.array([cost(N, V, Q) for Q in stops])
    if not np.isfinite(values).any():
        return None
    return {
        "name": scenario.name,
        "label": f"{cost.words[:1].upper()}{cost.words[1:]} ({cost.model.unit})",
        "model": cost.model.name,
        "unit": cost.model.unit,
        "scales": [asdict(scale) for scale in scales(cost.model.unit)],
        "each": cost.model.each,
        "words": cost.words,
        "leaves_out": cost.model.leaves_out,
        "options": cost.options(),
        "needs": list(cost.model.needs),
        "measured": cost.measured,
        "at": [_plain(row) for row in values],
    }


def _plain(values: Array) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in np.asarray(values, float)]
