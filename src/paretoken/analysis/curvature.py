"""Measure whether the error is a straight line in ln V, by the distance of its curve from the chord.

No law is assumed: every language model has its own level and slope, and all share one curvature, because
straight lines in ln V are claimed of all of them. Noise that the cells of a language model share is part
of its level, and does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoken.analysis.cells import Cells
from paretoken.analysis.resample import percentiles
from paretoken.io.arrays import Array

#: Number of draws of slope and curvature.
DRAWS = 10_000


@dataclass(frozen=True)
class Curvature:
    """The curvature of an error along ln V.

    Attributes:
        share: distance of the curve from its chord at the middle of ln V, divided by the fall of the
            error from the fewest to the most tokens (mean of the language models); positive where the
            fall slows down.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    share: float
    low: float
    high: float


def curvature(cells: Cells) -> Curvature | None:
    """Return the curvature of the error along ln V; None if the cells do not determine it.

    Cells with V = 0 are left out. Slope and curvature follow Student's distribution around their
    estimates.
    """
    kept = cells.used & (cells.V > 0)
    t, Y, root = np.log(cells.V[kept]), cells.Y[kept], np.sqrt(cells.weight[kept])
    models = cells.language_models[kept]
    if len(np.unique(t)) < 3:
        return None
    half = np.ptp(t) / 2
    z = (t - t.min()) / half - 1
    own = (models[:, None] == np.unique(models)).astype(float)
    mean_slope = z[:, None]
    other_slopes = own[:, 1:] * z[:, None] - own[:, [0]] * z[:, None]  # they sum to 0 over the models
    design = np.hstack([mean_slope, (z**2)[:, None], own, other_slopes]) * root[:, None]
    freedom = len(Y) - np.linalg.matrix_rank(design)
    if freedom < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    values, *_ = np.linalg.lstsq(design, Y * root, rcond=None)
    left = Y * root - design @ values
    covariance = np.linalg.inv(design.T @ design)[:2, :2] * float(left @ left) / freedom
    generator = np.random.default_rng(0)
    scatter = generator.multivariate_normal(np.zeros(2), covariance, DRAWS)
    scatter *= np.sqrt(freedom / generator.chisquare(freedom, DRAWS))[:, None]
    slope, bend = (values[:2] + scatter).T
    low, high = percentiles(_share(slope, bend))
    share = float(_share(values[[0]], values[[1]])[0])
    return Curvature(share, -np.inf if low is None else low, np.inf if high is None else high)


def _share(slope: Array, bend: Array) -> Array:
    """Return the distance from the chord divided by the fall; infinite without a fall.

    Over z from -1 to 1 the curve slope z + bend z^2 lies ``bend`` below its chord at z = 0 and falls by
    -2 slope.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(slope < 0, bend / (-2 * slope), np.copysign(np.inf, bend)))
