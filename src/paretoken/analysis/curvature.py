"""Whether the error is a straight line in ln V: how far its curve lies off the chord.

No law is assumed: every language model has a level and a slope of its own, and all share one curvature,
as far as straight lines in ln V are claimed of all of them. What the cells of a language model share is
part of its level, so that it does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoken.analysis.cells import Cells
from paretoken.analysis.resample import percentiles
from paretoken.io.arrays import Array

#: Draws of slope and curvature.
DRAWS = 10_000


@dataclass(frozen=True)
class Curvature:
    """How an error bends along ln V.

    Attributes:
        share: distance of the curve from its chord at the middle of ln V, over the fall of the error
            from the fewest to the most tokens (mean of the language models); above 0 where the fall
            slows down.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    share: float
    low: float
    high: float


def curvature(cells: Cells) -> Curvature | None:
    """Return how the error bends along ln V; None if the cells cannot tell.

    Cells with V = 0 are left out. Slope and curvature have Student's distribution about their estimates.
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
    """Return the distance from the chord over the fall; without a fall it is without bounds.

    Over z from -1 to 1 the curve slope z + bend z^2 lies ``bend`` below its chord at z = 0 and falls by
    -2 slope.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(slope < 0, bend / (-2 * slope), np.copysign(np.inf, bend)))
