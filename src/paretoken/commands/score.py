"""`paretoken score`: a benchmark's score from stored predictions, without torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.evaluate.score import read_predictions, score_predictions
from paretoken.files import write_json
from paretoken.registry import BENCHMARKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--benchmark", choices=list(BENCHMARKS), required=True, help="how to score")
    parser.add_argument("--predictions", type=Path, required=True,
                        help="question_id, answer, prediction: .jsonl or .parquet")  # fmt: skip
    parser.add_argument("--questions", type=Path,
                        help="what was asked; predictions must match")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="score.json to write")


def run(arguments: argparse.Namespace) -> None:
    """Score the predictions."""
    rows = read_predictions(arguments.predictions, arguments.questions)
    result = score_predictions(BENCHMARKS.load(arguments.benchmark), rows)
    write_json(arguments.out, result)
    low, high = result["interval"]
    print(f"{result['metric']} {result['score']:.4f} (95 % interval {low:.4f} to {high:.4f}), "
          f"{result['n']} rows")  # fmt: skip
