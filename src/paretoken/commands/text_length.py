"""`paretoken text-length`: measure a model's errors and cost with questions of several lengths."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import batch, count, some_tokens, threads, tokens
from paretoken.commands.cell_arguments import add_cell_arguments, cell_named
from paretoken.commands.runtime import counter, limit_threads, quiet
from paretoken.commands.shared_arguments import add_model_argument, add_suite_benchmarks
from paretoken.registry import BENCHMARKS
from paretoken.study.contract import TEXT_LENGTH_COLUMNS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    questions = parser.add_argument_group("model and questions")
    add_model_argument(questions)
    questions.add_argument(
        "--questions",
        type=Path,
        nargs="+",
        required=True,
        help="files of questions, one per benchmark or one of a benchmark with parts; rows of "
        "question_id, image, question, answer",
    )
    images = questions.add_mutually_exclusive_group()
    images.add_argument("--features", type=Path, help="folder of `paretoken features`")
    images.add_argument(
        "--images", type=Path, help="or: a folder of image files, or a data set whose rows hold them"
    )
    questions.add_argument(
        "--text-tokens",
        type=tokens,
        nargs="+",
        required=True,
        metavar="Q",
        help="text tokens per question; shorter prompts are lengthened",
    )
    questions.add_argument(
        "--limit",
        type=count,
        metavar="COUNT",
        help="ask only the first COUNT questions of each benchmark",
    )
    questions.add_argument("--batch", type=batch, default=64, help="questions at a time")
    questions.add_argument(
        "--max-new-tokens", type=some_tokens, default=16, help="most tokens of an answer"
    )
    scores = parser.add_argument_group("scores")
    scores.add_argument(
        "--benchmark",
        choices=list(BENCHMARKS),
        default="exact_match",
        metavar="NAME",
        help=f"benchmark whose rules score the answers: {', '.join(BENCHMARKS)}",
    )
    add_suite_benchmarks(scores)
    add_cell_arguments(parser)
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="text_length.csv to write")


def run(arguments: argparse.Namespace) -> None:
    """Answer and score the questions, measure the cost and write the table."""
    a = arguments
    quiet()
    limit_threads(a.threads)
    from paretoken.evaluate.asking import read_question_file, require_answerable
    from paretoken.evaluate.longer_questions import by_part, measure, require_room
    from paretoken.evaluate.open import open_predictor
    from paretoken.study.measured import write_cell
    from paretoken.study.scored import error_rows
    from paretoken.train.spending import prefill_flops

    suites = {suite: names.split(",") for suite, names in a.suite_benchmarks}
    used = {name for names in suites.values() for name in names}
    benchmark = BENCHMARKS.load(a.benchmark)
    files = [read_question_file(path, a.max_new_tokens) for path in a.questions]
    predictor = open_predictor(a.model, a.features, a.images, a.batch, a.max_new_tokens, tokens=a.tokens)
    require_answerable(files, predictor, progress=counter("images"))
    groups = [by_part(asked.source.stem, asked.questions, benchmark) for asked in files]
    asked = {name: own for group in groups for name, own in group.items() if name in used}
    questions = {name: own[: a.limit] for name, own in asked.items()}
    require_room(predictor, questions, max(a.text_tokens))
    cell, rows = cell_named(a), []
    for Q in a.text_tokens:
        found = measure(predictor, questions, benchmark, Q)
        flops = prefill_flops(predictor.model, round(found.text_tokens))
        cost = {
            "text_tokens": str(Q),
            "prompt_text_tokens": repr(found.text_tokens),
            "prefill_flops": repr(sum(value for part, value in flops.items() if part != "encoder")),
            "latency_s": repr(found.latency["median_s"]),
            "latency_low_s": repr(found.latency["quartiles_s"][0]),
            "latency_high_s": repr(found.latency["quartiles_s"][1]),
        }
        rows += [row | cost for row in error_rows(a.study, cell, a.params_b, suites, found.scores)]
        print(f"Q = {Q}: {found.latency['median_s']:.4f} s per question")
    write_cell(a.out, rows, TEXT_LENGTH_COLUMNS)
