"""Confidence intervals of benchmark scores: Wilson's, the normal one, and a bootstrap over groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # plans import benchmarks, and thus this module, without numpy
    from paretoken.io.arrays import Numbers

#: Normal quantile of a two-sided 95 % interval.
Z_95 = 1.959963984540054
REPLICATES, SEED = 1000, 0


def interval(values: Sequence[float]) -> list[float]:
    """Return the 95 % interval of a mean of scores from 0 to 1.

    It is Wilson's interval for binary scores, which is valid near 0 and 1, too, and the normal interval
    otherwise.
    """
    n, mean = len(values), math.fsum(values) / len(values)
    if all(value in (0, 1) for value in values):
        shift = Z_95**2 / n
        centre = (mean + shift / 2) / (1 + shift)
        half = Z_95 / (1 + shift) * math.sqrt(mean * (1 - mean) / n + shift / (4 * n))
    else:
        variance = math.fsum((value - mean) ** 2 for value in values) / max(1, n - 1)
        centre, half = mean, Z_95 * math.sqrt(variance / n)
    return [max(0.0, centre - half), min(1.0, centre + half)]


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of a mean of independent values; None for a single one."""
    n, mean = len(values), math.fsum(values) / len(values)
    if n < 2:
        return None
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n)


def means(values: Sequence[float], labels: Sequence[str]) -> dict[str, float]:
    """Return the mean of the values under each label, sorted by label; empty labels are left out."""
    found: dict[str, list[float]] = {}
    for value, label in zip(values, labels, strict=True):
        found.setdefault(label, []).append(value)
    return {label: math.fsum(each) / len(each) for label, each in sorted(found.items()) if label}


def bootstrap(
    groups: Sequence[int], statistic: Callable[[list[Numbers]], Numbers]
) -> tuple[list[float], float]:
    """Return the interval and standard error of a score by a bootstrap over groups of rows.

    A group is, for example, all questions on one image.

    Args:
        groups: number of groups in each stratum; strata are resampled separately.
        statistic: returns the score of every replicate for weights, one array (replicates, groups of
            the stratum) per stratum.

    Returns:
        The 95 % interval, within 0 and 1, and the standard error. They are deterministic.
    """
    import numpy as np

    random = np.random.default_rng(SEED)
    weights = [
        random.multinomial(size, np.full(size, 1 / size), REPLICATES).astype(float) for size in groups
    ]
    scores = statistic(weights)
    low, high = np.percentile(scores, [2.5, 97.5])
    return [max(0.0, float(low)), min(1.0, float(high))], float(np.std(scores, ddof=1))
