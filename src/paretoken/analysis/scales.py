"""The scales of published scores, so that only scores of the same scale and questions are compared.

MME's published numbers are those of the perception subtasks, out of 2,000 points; the sum with cognition
is out of 2,800. POPE's numbers are F1 averaged over its three categories, MMBench's count answers that
are right in all rotations, and TextVQA's prompts contain the words found in the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from paretoken.config.study import Study
from paretoken.errors import UserError
from paretoken.registry import BENCHMARKS

#: Maximum of a score by the start of its metric; other metrics are percentages.
POINTS = {"perception / 2000": 2000.0, "(perception + cognition) / 2800": 2800.0}
PERCENT = 100.0


@dataclass(frozen=True)
class Published:
    """A benchmark in the published Table 1: its name there, its metric, and its questions.

    ``questions``: the benchmark's variant of questions (None: its default).
    """

    name: str
    metric: str
    questions: str | None = None

    @property
    def out_of(self) -> float:
        """The maximum of the published numbers."""
        return points_of(self.metric)


PUBLISHED_BENCHMARKS = {
    "gqa": Published("GQA", "accuracy"),
    "mmbench": Published("MMBench", "circular accuracy"),
    "mme": Published("MME_perception", "perception / 2000"),
    "pope": Published("POPE", "F1, mean over categories"),
    "scienceqa": Published("ScienceQA", "accuracy"),
    "textvqa": Published("TextVQA", "VQA accuracy", questions="ocr"),
    "vizwiz": Published("VizWiz", "VQA accuracy"),
    "vqav2": Published("VQAv2", "VQA accuracy"),
}


def points_of(metric: str) -> float:
    """Return the maximum of a score with this metric."""
    return next((points for start, points in POINTS.items() if metric.startswith(start)), PERCENT)


def not_comparable(study: Study, benchmark: str, metric: str) -> str | None:
    """Return why a score cannot be compared with the published one; None if it can.

    Args:
        study: the study; if it trains, its settings say which questions were asked.
        benchmark: the registered name of the benchmark.
        metric: the metric of the score.
    """
    published = PUBLISHED_BENCHMARKS.get(benchmark)
    if published is None:
        return None
    if metric != published.metric:
        return f"the score is {metric}, the published one is {published.metric}"
    if study.training is None:
        return None
    asked = study.training.settings(benchmark)
    if asked.questions != published.questions:
        own, theirs = (name or "the default" for name in (asked.questions, published.questions))
        return f"the questions are {own}, the published ones are {theirs}"
    return None if asked.limit is None else f"only the first {asked.limit} questions were asked"


def all_comparable(study: Study, benchmark: str) -> bool:
    """Return whether every score that a study may have of a benchmark is comparable with Table 1."""
    return benchmark in PUBLISHED_BENCHMARKS and not any(
        not_comparable(study, benchmark, metric) for metric in study_metrics(study, benchmark)
    )


def require_one_metric(scores: pd.DataFrame) -> None:
    """Check that all cells of a study were scored by the same metric, benchmark by benchmark.

    Args:
        scores: rows of scores.csv.

    Raises:
        UserError: a benchmark has scores of several metrics.
    """
    for benchmark, own in scores.groupby("benchmark", sort=False):
        metrics = list(dict.fromkeys(own["metric"].astype(str)))
        if len(metrics) > 1:
            raise UserError(
                f"{benchmark} was scored as {' and as '.join(metrics)}; such scores cannot be averaged "
                "or compared: answer and score all cells in the same way"
            )


def study_metrics(study: Study, benchmark: str) -> set[str]:
    """Return the metrics that a study's scores of a benchmark may have.

    The settings of a trained study name the metric. For measured errors it is unknown, so all variants
    are returned.
    """
    if benchmark not in BENCHMARKS:
        return set()
    found = BENCHMARKS.load(benchmark)
    if study.training is not None:
        return {found.variant(study.training.settings(benchmark).scoring).metric}
    return {found.metric, *(found.variant(variant.name).metric for variant in found.variants)}
