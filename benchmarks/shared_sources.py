"""Compute what shared sources and cached features save over a grid, from a finished study's records.

    python benchmarks/shared_sources.py results/miniature

The seconds of jobs come from the workflow's `benchmarks/*.tsv` (wall time, one job per core). The script
compares four ways to run the same grid: as it ran; with shared sources, but with every image encoded
anew whenever a batch needs it; with every cell making its own data, encoder, language model, features
and tokens; and with both changes. The time of encoding is an estimate: the seconds per image of the
features job, times the images that the stages of a cell show.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from pathlib import Path

from paretoken.io.files import read_json

FEATURES = "features-all"
PER_SEED = (
    "world",
    "pretrain-vision",
    FEATURES,
    "tokenize-pretrain-world",
    "tokenize-finetune-world",
)
PER_CELL = ("pretrain", "finetune", "predict-world", "score-world", "cell-scores")


def seconds(path: Path) -> float:
    """Return how long a job took."""
    with path.open(newline="") as stream:
        return float(next(csv.DictReader(stream, delimiter="\t"))["s"])


def shown_images(cell: Path) -> int:
    """Return the number of images that a cell's training shows, counting repetitions."""
    stages = (read_json(cell / stage / "run.json") for stage in ("pretrain", "finetune"))
    return sum(record["images"] for record in stages)


def report(study: Path) -> None:
    """Print the totals and their ratios."""
    cells = sorted(path.parent for path in study.glob("runs/*/*/s*/latency.json"))
    if not cells:
        sys.exit(f"{study} has no finished cell of a trained study; run the study first")
    own = {cell: _total(cell / "benchmarks", PER_CELL) for cell in cells}
    seeds = {cell: study / "sources" / cell.name for cell in cells}
    sources = {folder: _total(folder / "benchmarks", PER_SEED) for folder in set(seeds.values())}
    llms = {
        cell: seconds(seeds[cell] / "benchmarks" / f"pretrain-llm-{_llm(cell)}.tsv") for cell in cells
    }
    models = {(seeds[cell], _llm(cell)): llms[cell] for cell in cells}
    ran = sum(own.values()) + sum(sources.values()) + sum(models.values())
    uncached = ran + sum(_encoding(cell, seeds[cell]) for cell in cells)
    alone = sum(own[cell] + sources[seeds[cell]] + llms[cell] for cell in cells)
    print(f"{len(cells)} cells, {len(models)} language models, {len(sources)} seeds; seconds of jobs")
    ways = {
        "as it ran": ran,
        "sources shared, images encoded each time": uncached,
        "every cell makes its own sources": alone,
        "both": alone + uncached - ran,
    }
    for way, total in ways.items():
        print(f"{way:40s} {total:9.0f}   {total / ran:5.2f} times as long")


def _llm(cell: Path) -> str:
    return cell.parents[1].name


def _total(folder: Path, names: Iterable[str]) -> float:
    return sum(seconds(folder / f"{name}.tsv") for name in names)


def _encoding(cell: Path, sources: Path) -> float:
    """Return the seconds of encoding every image of a cell's training each time it is shown."""
    if cell.parent.name.endswith("-0"):  # the blind control has no images
        return 0.0
    stored = len(read_json(sources / "features" / "all" / "index.json")["images"])
    return seconds(sources / "benchmarks" / f"{FEATURES}.tsv") / stored * shown_images(cell)


if __name__ == "__main__":
    report(Path(sys.argv[1] if len(sys.argv) > 1 else "results/miniature"))
