"""`paretoken score`: score stored predictions by a benchmark's rules, without torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from paretoken.commands.arguments import require_own_outputs
from paretoken.errors import UserError
from paretoken.evaluate.score import score_file
from paretoken.io.files import require_writable, write_json
from paretoken.io.text_tables import counted
from paretoken.registry import BENCHMARKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--benchmark",
        choices=list(BENCHMARKS),
        required=True,
        metavar="NAME",
        help=f"benchmark whose rules score the answers: {', '.join(BENCHMARKS)}",
    )
    parser.add_argument(
        "--variant", help="another convention of the benchmark; an unknown name lists them"
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        nargs="+",
        required=True,
        help="rows of the data set with a prediction each: .jsonl or .parquet",
    )
    parser.add_argument(
        "--questions",
        type=Path,
        nargs="+",
        help="files of questions that were asked, one per predictions file; they must match",
    )
    parser.add_argument(
        "--out",
        type=Path,
        nargs="+",
        required=True,
        help="score.json to write, one per predictions file",
    )


def run(arguments: argparse.Namespace) -> None:
    """Score the predictions."""
    a = arguments
    asked = [None] * len(a.predictions) if a.questions is None else a.questions
    if not len(a.predictions) == len(a.out) == len(asked):
        raise UserError(f"{len(a.predictions)} --predictions files need as many --out and --questions")
    require_own_outputs(a.out, [*a.predictions, *(a.questions or [])])
    benchmark = BENCHMARKS.load(a.benchmark)
    benchmark.variant(a.variant)  # reject an unknown variant before reading files
    for out in a.out:
        require_writable(out)
    results = [
        score_file(benchmark, predictions, questions, a.variant)
        for predictions, questions in zip(a.predictions, asked, strict=True)
    ]
    for out, result in zip(a.out, results, strict=True):
        write_json(out, result)
        low, high = result["interval"]
        print(
            f"{out}: {result['metric']} {result['score']:.4f} (95 % interval {low:.4f} to "
            f"{high:.4f}), {counted(result['n'], 'row')}{_remarks(result)}"
        )


def _remarks(result: dict[str, Any]) -> str:
    note = f"; {result['note']}" if "note" in result else ""
    if "left_out" not in result:
        return note
    return f"; {counted(result['left_out'], 'question was', 'questions were')} left out{note}"
