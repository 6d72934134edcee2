"""Figure 2: predictions of sizes outside the fit, and a backtest on the largest measured size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.laws.base import Law
from paretoken.analysis.study_results import StudyResults
from paretoken.figures.axes import ERROR_LABEL, TWO_PANELS, canvas, plot_cells, tokens_axis
from paretoken.figures.base import Figure
from paretoken.figures.legends import Group, side_legend, size_handles
from paretoken.figures.parts import (
    LEVEL_TEXT,
    bars_in_words,
    column,
    dense,
    mean_cells,
    missing,
    published_parameters,
    require_suite,
    sentences,
)
from paretoken.figures.style import ACCENTS, BLUE, ORANGE, VERMILION, Look
from paretoken.io.escape import mathtext
from paretoken.io.text_tables import size_label
from paretoken.registry import LAWS
from paretoken.study.published import PAPER_LAW

BACKTESTS = {
    "law": ("this law", "o", VERMILION),
    "log_linear": ("plane in ln N, ln V", "s", BLUE),
    "last_value": ("next smaller size", "^", ORANGE),
}
#: Name of the published value for the largest error of the paper's own prediction.
MARGIN = "largest_error_percent"
#: Looks of the bands of a new measurement and of the mean.
BANDS: tuple[Look, Look] = ({"alpha": 0.16}, {"alpha": 0.4})


def draw(results: StudyResults) -> Drawing:
    """Draw the predicted sizes beside the backtest on the largest measured size."""
    suite = require_suite(results, "fig2", "reasoning")
    fit, cells = results.headline(suite.name), mean_cells(results, suite.name)
    targets = _targets(results, fit)
    drawing, (left, right) = canvas(TWO_PANELS, columns=2)
    published = published_parameters(results, suite.name)
    predicted = _plot_predictions(left, fit, targets, published, _paper_label(results, suite.name))
    _plot_measured(left, cells, targets)
    tokens_axis(left, fit.token_counts)
    left.set_ylabel(ERROR_LABEL)
    left.set_title(mathtext(suite.title))
    backtest = _plot_backtest(right, results, suite.name, fit)
    side_legend(
        drawing,
        [
            ("Predicted from the fit", predicted),
            ("Measured cells", size_handles(fit.fitted_sizes, line="none")),
            backtest,
        ],
    )
    return drawing


def _targets(results: StudyResults, fit: FittedLaw) -> list[float]:
    targets = {results.frozen.params_b(llm) for llm in results.study.predict} | {*fit.held_out}
    if not targets:
        raise missing(results, "fig2", "a size outside the fit, under predict or holdout")
    return sorted(targets)


def _plot_predictions(
    axis: Axes,
    fit: FittedLaw,
    targets: Sequence[float],
    published: Mapping[str, float] | None,
    paper: str,
) -> list[Artist]:
    V = dense(fit.token_counts)
    handles: list[Artist] = []
    for n, colour in zip(targets, _colours(targets), strict=True):
        for (low, high), look in zip(
            (fit.measurement_interval(n, V), fit.interval(n, V)), BANDS, strict=True
        ):
            axis.fill_between(V, low, high, color=colour, linewidth=0, **look)
        axis.plot(V, fit.predict(n, V), color=colour, linewidth=2)
        handles.append(Line2D([], [], color=colour, linewidth=2, label=size_label(n)))
        if len(fit.draws):
            handles += [
                Patch(facecolor=colour, linewidth=0, label=f"{LEVEL_TEXT} of {what}", **look)
                for what, look in zip(("a new measurement", "the mean"), BANDS, strict=True)
            ]
        if published:
            law: Law = LAWS.load(PAPER_LAW)
            axis.plot(V, law.predict(published, n, V), color="black", linestyle="--", linewidth=1.2)
    if published:
        handles.append(Line2D([], [], color="black", linestyle="--", linewidth=1.2, label=paper))
    return handles


def _paper_label(results: StudyResults, suite: str) -> str:
    """Return the label of the paper's curve, with the parameters that were only inferred."""
    inferred = [name for name in LAWS.load(PAPER_LAW).parameters if results.inferred(suite, name)]
    return "published parameters" + (f" ({', '.join(inferred)} inferred)" if inferred else "")


def _colours(targets: Sequence[float]) -> list[str]:
    return [ACCENTS[i % len(ACCENTS)] for i in range(len(targets))]


def _plot_measured(axis: Axes, cells: pd.DataFrame, targets: Sequence[float]) -> None:
    seen = cells[~cells["params_b"].isin(targets)]
    plot_cells(axis, column(seen, "visual_tokens"), seen, fade=0.55)
    for n, colour in zip(targets, _colours(targets), strict=True):
        own = cells[cells["params_b"] == n]
        bars = None if own["stderr"].isna().all() else own["stderr"]
        axis.errorbar(own["visual_tokens"], own["error"], yerr=bars, color=colour, marker="o",
                      linestyle="none", markeredgecolor="black", capsize=2, zorder=5)  # fmt: skip


def backtest_errors(fit: FittedLaw) -> tuple[float, pd.DataFrame] | None:
    """Return the largest measured N and the relative errors, %, of its prediction from the others.

    One row per V (mean over seeds), one column per predictor; None if it cannot be computed.
    """
    record = fit.record["holdout"].get("leave_largest_n_out") or {}
    if "cells" not in record:
        return None
    means = pd.DataFrame(record["cells"]).astype(float).groupby("v").mean()
    measured = means["measured"]
    errors = {name: 100 * (means[name] - measured) / measured.abs() for name in BACKTESTS}
    return float(record["n"][0]), pd.DataFrame(errors)


def _plot_backtest(axis: Axes, results: StudyResults, suite: str, fit: FittedLaw) -> Group:
    found = backtest_errors(fit)
    if found is None:
        raise missing(results, "fig2", "three or more sizes under llms, for its backtest")
    n, errors = found
    handles: list[Artist] = []
    for name, (label, marker, colour) in BACKTESTS.items():
        axis.plot(errors.index, errors[name], color=colour, marker=marker, linewidth=1.4)
        handles.append(Line2D([], [], color=colour, marker=marker, linewidth=1.4, label=label))
    margin = results.value(suite, MARGIN)
    if margin is not None:
        axis.axhspan(-margin, margin, color="0.88", zorder=0)
        handles.append(Patch(facecolor="0.88", label=f"paper's margin, ±{margin:g} %"))
    axis.axhline(0, color="black", linewidth=0.9)
    tokens_axis(axis, [float(v) for v in np.asarray(errors.index)])
    axis.set_ylabel("Predicted − measured error (% of measured)")
    axis.set_title(f"Backtest: {size_label(n)} from the smaller sizes")
    return "Backtest, predicted by", handles


def _caption(results: StudyResults) -> str:
    suite = require_suite(results, "fig2", "reasoning")
    fit, cells = results.headline(suite.name), mean_cells(results, suite.name)
    compared = published_parameters(results, suite.name) is not None
    return sentences(
        "Left: sizes outside the fit (under predict or holdout), predicted from the fitted sizes.",
        f"Bands are {LEVEL_TEXT} intervals: the dark one of the mean error, the light one of the error "
        "of a newly trained model."
        if len(fit.draws)
        else "",
        "Black-edged disks are measured cells of these sizes, and should lie in the light band."
        if cells["params_b"].isin(_targets(results, fit)).any()
        else "",
        "Faint markers are the fitted cells.",
        bars_in_words(cells),
        "Dashed lines are the same predictions with the paper's parameters." if compared else "",
        "Right: a check without a new measurement. The largest measured size is predicted from the "
        "smaller ones by the law, by a plane in ln N and ln V, and by copying the next smaller size.",
        "The grey area is the margin that the paper states."
        if results.value(suite.name, MARGIN) is not None
        else "",
    )


FIG2 = Figure("fig2", "Predicting larger models", _caption, draw)
