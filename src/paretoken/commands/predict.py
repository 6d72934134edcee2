"""`paretoken predict`: answer the questions of one or more benchmarks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paretoken.commands.arguments import batch, require_own_outputs, share, some_tokens, threads, tokens
from paretoken.commands.runtime import counter, limit_threads, quiet
from paretoken.commands.shared_arguments import add_model_argument
from paretoken.errors import UserError
from paretoken.io.files import require_writable
from paretoken.io.text_tables import counted

if TYPE_CHECKING:
    from paretoken.evaluate.asking import QuestionFile

MAX_NEW_TOKENS = 16
#: File suffix of stored answers.
STORED = ".parquet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    questions = parser.add_argument_group("model and questions")
    add_model_argument(questions)
    questions.add_argument(
        "--questions",
        type=Path,
        nargs="+",
        required=True,
        help="files of questions, one or more; rows of question_id, image, question, answer",
    )
    images = questions.add_mutually_exclusive_group()
    images.add_argument("--features", type=Path, help="folder of `paretoken features`")
    images.add_argument(
        "--images",
        type=Path,
        help="or: a folder of image files, or a data set whose rows hold them "
        "(.parquet, save_to_disk); encoded while predicting",
    )
    questions.add_argument(
        "--max-bad-share",
        type=share,
        default=0.0,
        help="share of bad questions that may be left out, from 0 to 1",
    )
    answers = parser.add_argument_group("answers")
    answers.add_argument(
        "--tokens",
        type=tokens,
        metavar="V",
        help="visual tokens per image, for a model that was trained once for every V "
        "(matryoshka_pooling, matryoshka_query)",
    )
    answers.add_argument(
        "--adaptive",
        action="store_true",
        help="prumerge: each image gets its own number of tokens, not V",
    )
    answers.add_argument(
        "--max-new-tokens",
        type=some_tokens,
        help="most tokens of an answer; without it, the number in run.json beside the "
        f"questions, or {MAX_NEW_TOKENS}",
    )
    answers.add_argument("--batch", type=batch, default=64, help="questions at a time")
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument(
        "--out",
        type=Path,
        nargs="+",
        required=True,
        help=".parquet files to write, one per questions file",
    )
    parser.add_argument(
        "--out-latency",
        type=Path,
        help=".json to write: seconds per question, measured apart and one question at a time, "
        "whatever --batch is",
    )


def run(arguments: argparse.Namespace) -> None:
    """Answer the questions and write the answers."""
    a = arguments
    if len(a.out) != len(a.questions):
        raise UserError(f"{len(a.questions)} --questions files need as many --out files")
    for target in a.out:
        if target.suffix != STORED:
            raise UserError(
                f"{target}: predictions are stored as Parquet; give a name that ends in {STORED}"
            )
    require_own_outputs([*a.out, a.out_latency], a.questions)
    for target in [*a.out, *([a.out_latency] if a.out_latency else [])]:
        require_writable(target)
    quiet()
    limit_threads(a.threads)
    from paretoken.evaluate.answer_file import write_predictions
    from paretoken.evaluate.asking import read_question_file, require_answerable
    from paretoken.evaluate.latency import measure_latency
    from paretoken.evaluate.open import open_predictor
    from paretoken.io.files import write_json

    files = [read_question_file(source, _longest(source, a.max_new_tokens)) for source in a.questions]
    predictor = open_predictor(
        a.model, a.features, a.images, a.batch, tokens=a.tokens, adaptive=a.adaptive
    )
    require_answerable(files, predictor, a.max_bad_share, counter("images"))
    if a.out_latency is not None:  # measured first, so that answers never exist without their latency
        predictor.max_new_tokens = files[-1].max_new_tokens
        write_json(a.out_latency, measure_latency(predictor, files[-1].questions))
    for asked, target in zip(files, a.out, strict=True):
        predictor.max_new_tokens = asked.max_new_tokens
        before = predictor.encoded
        predictions = predictor.answer(asked.questions, counter(asked.source.stem))
        write_predictions(target, asked.questions, predictions, asked.bad)
        blind = sum(not question.images for question in asked.questions)
        print(
            f"{target}: {counted(len(predictions), 'answer')}; {counted(len(asked.bad), 'row')} left out"
            + (f"; {counted(blind, 'question')} without an image" if blind else "")
            + (_encoded(asked, predictor.encoded - before) if a.images else "")
        )
        for number, reason in asked.bad.items():
            print(f"  row {number}: {reason}")


def _encoded(asked: QuestionFile, times: int) -> str:
    """Return how often the pictures of a file of questions were encoded, as the end of a line."""
    pictures = len({name for question in asked.questions for name in question.images})
    if times == pictures:
        return f"; {counted(pictures, 'picture')} encoded once" if pictures else ""
    return f"; {counted(pictures, 'picture')}, {times} times encoded"


def _longest(questions: Path, given: int | None) -> int:
    """Return the most tokens of an answer: the given number, or else that of the questions."""
    from paretoken.evaluate.asking import max_new_tokens_of

    return max_new_tokens_of(questions, MAX_NEW_TOKENS) if given is None else given
