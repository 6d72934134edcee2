"""`paretoken predict`: every answer of a model to one or more benchmarks."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import count, demand_own_outputs, whole
from paretoken.commands.runtime import counter, limit_threads, quiet, share
from paretoken.errors import UserError

MAX_NEW_TOKENS = 16
#: How answers are stored.
STORED = ".parquet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--model", type=Path, required=True, help="what finetune wrote")
    parser.add_argument("--questions", type=Path, nargs="+", required=True,
                        help="question_id, image, question, answer rows; one or more files")  # fmt: skip
    images = parser.add_mutually_exclusive_group()
    images.add_argument("--features", type=Path, help="what `paretoken features` wrote")
    images.add_argument("--images", type=Path, help="or: image files, encoded while predicting")
    parser.add_argument("--tokens", type=whole, metavar="V",
                        help="visual tokens, for a model that was trained once for every V "
                             "(matryoshka_pooling, matryoshka_query)")  # fmt: skip
    parser.add_argument("--adaptive", action="store_true",
                        help="prumerge: each image gets its own number of tokens, not V")  # fmt: skip
    parser.add_argument("--batch", type=count, default=64, help="questions at a time")
    parser.add_argument("--max-new-tokens", type=whole,
                        help="longest answer; without it, what run.json beside the questions says, "
                             f"or {MAX_NEW_TOKENS}")  # fmt: skip
    parser.add_argument("--max-bad-share", type=share, default=0.0,
                        help="share of bad questions that may be left out")  # fmt: skip
    parser.add_argument("--latency", type=Path,
                        help="also measure seconds per question; .json to write")  # fmt: skip
    parser.add_argument("--threads", type=count, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, nargs="+", required=True,
                        help=".parquet files to write, one per questions file")  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Answer the questions and write the answers."""
    a = arguments
    if len(a.out) != len(a.questions):
        raise UserError(f"{len(a.questions)} --questions files need as many --out files")
    for target in a.out:
        if target.suffix != STORED:
            raise UserError(f"{target}: predictions are stored as Parquet; write a name with {STORED}")
    demand_own_outputs(a.out, a.questions)
    quiet()
    limit_threads(a.threads)
    from paretoken.data.rows import read_rows
    from paretoken.data.skips import Skips
    from paretoken.evaluate.latency import measure_latency
    from paretoken.evaluate.open import open_predictor
    from paretoken.evaluate.prediction import stored_questions, write_predictions
    from paretoken.evaluate.questions import parse_questions
    from paretoken.files import write_json

    longest = [a.max_new_tokens or _max_new_tokens(source) for source in a.questions]
    predictor = open_predictor(a.model, a.features, a.images, a.batch, tokens=a.tokens,
                               adaptive=a.adaptive)  # fmt: skip
    for source, target, tokens in zip(a.questions, a.out, longest, strict=True):
        predictor.max_new_tokens = tokens
        skips = Skips(str(source), a.max_bad_share)
        questions = parse_questions(read_rows(source), skips)
        stored_questions(questions)  # refused now rather than after hours of answers
        predictions = predictor.answer(questions, counter(source.stem))
        write_predictions(target, questions, predictions)
        print(f"{target}: {len(questions)} answers; {len(skips.rows)} rows left out")
    if a.latency is not None:
        write_json(a.latency, measure_latency(predictor, questions))


def _max_new_tokens(questions: Path) -> int:
    """Return the longest answer of a benchmark, as `paretoken questions` recorded it."""
    from paretoken.files import read_json
    from paretoken.finished import RUN_FILE

    record = questions.parent / RUN_FILE
    found = read_json(record) if record.exists() else {}
    return int(found.get("max_new_tokens", MAX_NEW_TOKENS))
