"""Compare methods at each token count: measured scores, published ones, and which method is better.

A mean over seeds has Student's 95 % interval. With one seed, the interval is that of the sample of
questions, which says nothing about other seeds. Differences of two methods are paired by seed, because
cells of one seed share images, questions, encoder and language model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from paretoken.analysis.scales import (
    PUBLISHED_BENCHMARKS,
    not_comparable,
    points_of,
    require_one_metric,
)
from paretoken.analysis.significance import LEVEL
from paretoken.analysis.study_results import StudyResults
from paretoken.compressors.specification import specification

METHOD = ["llm", "compressor", "visual_tokens"]
COLUMNS = (
    *METHOD, "benchmark", "metric", "out_of", "seeds", "score", "low", "high", "published", "source",
    "difference", "difference_low", "difference_high", "not_compared",
)  # fmt: skip
COMPARED = (
    "suite", "llm", "visual_tokens", "compressor", "against", "seeds", "difference", "low", "high",
    "better",
)  # fmt: skip


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % interval (None if unknown), and its standard error over several seeds."""

    value: float
    low: float | None
    high: float | None
    seeds: int
    stderr: float | None = None

    def scaled(self, factor: float) -> Mean:
        """Return the mean of values that are ``factor`` (above 0) times as large."""
        ends = [None if end is None else factor * end for end in (self.low, self.high)]
        stderr = None if self.stderr is None else factor * self.stderr
        return Mean(factor * self.value, ends[0], ends[1], self.seeds, stderr)

    def at_level(self, level: float) -> Mean:
        """Return the mean with Student's interval at another level; unchanged for one seed."""
        if self.stderr is None:
            return self
        half = student_quantile(self.seeds - 1, level) * self.stderr
        return replace(self, low=self.value - half, high=self.value + half)


def normal_quantile() -> float:
    """Return the half-width of a normal interval at `LEVEL`, in standard errors."""
    from scipy.special import ndtri

    return float(ndtri((1 + LEVEL) / 2))


def student_quantile(freedom: int, level: float) -> float:
    """Return the half-width of a Student interval, in standard errors."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


def mean_of(values: Sequence[float], alone: tuple[float, float] | None = None) -> Mean:
    """Return the mean of one value per seed.

    Args:
        values: one or more values.
        alone: the interval of a single seed.
    """
    count, centre = len(values), float(np.mean(values))
    if count == 1:
        low, high = alone or (None, None)
        return Mean(centre, low, high, 1)
    stderr = float(np.std(values, ddof=1) / np.sqrt(count))
    return Mean(centre, None, None, count, stderr).at_level(LEVEL)


def method_scores(results: StudyResults, scores: pd.DataFrame) -> pd.DataFrame:
    """Return one row per method, token count and benchmark, with published numbers.

    Args:
        results: the results of the study; its published Table 1 may be empty.
        scores: the content of tables/scores.csv.

    Returns:
        `COLUMNS`; scores are on the scale of their metric (``out_of`` 100, or MME's points). A published
        number is given only for a score of the same metric and questions; otherwise ``not_compared``
        gives the reason. V = 0 is the model without an image. The interval of a difference is that of
        the measured score: the published one is a single run.

    Raises:
        UserError: cells were scored by different metrics.
    """
    require_one_metric(scores)
    order = {entry.name: i for i, entry in enumerate(results.study.compressors)}
    benchmarks = results.study.benchmarks
    rows = []
    for (llm, compressor, _), own in scores.groupby(METHOD, sort=False):
        tokens = int(own["visual_tokens"].iloc[0])
        for benchmark in benchmarks:
            found = own[own["benchmark"] == benchmark]
            if len(found):
                rows.append(_score_row(results, llm, compressor, tokens, benchmark, found))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["order"] = [
        (-V, order[c]) if V else (1, 0)
        for V, c in zip(table["visual_tokens"], table["compressor"], strict=True)
    ]
    return (
        table.sort_values(["llm", "order"], kind="stable").drop(columns="order").reset_index(drop=True)
    )


def _score_row(
    results: StudyResults, llm: Any, compressor: Any, tokens: int, benchmark: str, found: pd.DataFrame
) -> dict[str, Any]:
    metric = str(found["metric"].iloc[0])
    out_of, why_not = points_of(metric), not_comparable(results.study, benchmark, metric)
    alone = (float(found["low"].iloc[0]), float(found["high"].iloc[0]))
    mean = mean_of(found["score"].tolist(), alone).scaled(out_of)
    known_as = PUBLISHED_BENCHMARKS.get(benchmark)
    there = (
        None
        if known_as is None
        else _published(results.table1, str(llm), str(compressor), tokens, known_as.name)
    )
    published = there if why_not is None else None
    known = None if published is None else float(published["score"])
    ends = [None if known is None or end is None else end - known for end in (mean.low, mean.high)]
    return {
        "llm": llm, "compressor": compressor, "visual_tokens": tokens, "benchmark": benchmark,
        "metric": metric, "out_of": out_of, "seeds": mean.seeds, "score": mean.value, "low": mean.low,
        "high": mean.high,
        "published": known, "source": None if published is None else published["source"],
        "difference": None if known is None else mean.value - known,
        "difference_low": ends[0], "difference_high": ends[1],
        "not_compared": None if there is None else why_not,
    }  # fmt: skip


def _published(
    table: pd.DataFrame, llm: str, compressor: str, tokens: int, benchmark: str
) -> pd.Series[Any] | None:
    method = specification(compressor).published if tokens else None
    if table.empty or method is None:
        return None
    found = table[
        (table["method"] == method)
        & (table["visual_tokens"] == tokens)
        & (table["benchmark"] == benchmark)
    ]
    if "llm" in table:
        found = found[found["llm"] == llm]
    return None if found.empty else found.iloc[0]


def suite_errors(results: StudyResults, suite: str) -> pd.DataFrame:
    """Return the mean error of each method of a suite: `METHOD`, error, low, high, seeds.

    V = 0, the model without an image, is the row whose compressor is ``blind``.
    """
    rows = results.errors[(results.errors["suite"] == suite) & results.errors["error"].notna()]
    rows = rows.assign(compressor=rows["compressor"].where(rows["visual_tokens"] > 0, "blind"))
    made = []
    for key, own in rows.groupby(METHOD, sort=False):
        noise = normal_quantile() * float(own["stderr"].iloc[0])
        centre = float(own["error"].iloc[0])
        alone = None if np.isnan(noise) else (centre - noise, centre + noise)
        mean = mean_of(own["error"].tolist(), alone)
        made.append({**dict(zip(METHOD, key, strict=True)), "error": mean.value, "low": mean.low,
                     "high": mean.high, "seeds": mean.seeds})  # fmt: skip
    return pd.DataFrame(made, columns=[*METHOD, "error", "low", "high", "seeds"])


def difference(
    results: StudyResults, suite: str, one: tuple[str, int], other: tuple[str, int], llm: str
) -> Mean | None:
    """Return the error of a method (compressor, V) minus that of another, paired by seed.

    It is None if no seed has both methods. With one seed, the interval is that of two independent
    samples of questions, which is too wide: both methods answer the same questions.
    """
    rows = results.errors[
        (results.errors["suite"] == suite)
        & (results.errors["llm"] == llm)
        & results.errors["error"].notna()
    ]
    pair = [
        rows[(rows["compressor"] == name) & (rows["visual_tokens"] == tokens)].set_index("seed")
        for name, tokens in (one, other)
    ]
    seeds = [seed for seed in pair[0].index if seed in pair[1].index]
    if not seeds:
        return None
    mine, its = (rows.loc[seeds] for rows in pair)
    gaps = (mine["error"] - its["error"]).tolist()
    noise = float(np.hypot(mine["stderr"].iloc[0], its["stderr"].iloc[0]))
    half = normal_quantile() * noise
    return mean_of(gaps, None if np.isnan(half) else (gaps[0] - half, gaps[0] + half))


def comparisons(results: StudyResults) -> pd.DataFrame:
    """Return, for each suite and V, every method's error minus the best one's (`COMPARED`).

    ``better`` is the method that is significantly better, or ``undecided``.
    """
    rows = []
    for suite in results.study.suites:
        means = suite_errors(results, suite.name)
        means = means[means["visual_tokens"] > 0]
        for (llm, _), own in means.groupby(["llm", "visual_tokens"], sort=True):
            tokens = int(own["visual_tokens"].iloc[0])
            best, *others = own.sort_values("error", kind="stable")["compressor"].astype(str)
            for name in others:
                one, other = (name, tokens), (best, tokens)
                gap = difference(results, suite.name, one, other, str(llm))
                if gap is not None:
                    rows.append(_compared(suite.name, str(llm), one, best, gap))
    return pd.DataFrame(rows, columns=list(COMPARED))


def _compared(suite: str, llm: str, one: tuple[str, int], best: str, gap: Mean) -> dict[str, Any]:
    decided = gap.low is not None and gap.low > 0
    return {
        "suite": suite, "llm": llm, "visual_tokens": one[1], "compressor": one[0], "against": best,
        "seeds": gap.seeds, "difference": gap.value, "low": gap.low, "high": gap.high,
        "better": best if decided else "undecided",
    }  # fmt: skip
