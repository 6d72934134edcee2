"""`paretoken lmms-eval`: score a trained model on one task of lmms-eval."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from paretoken.commands.arguments import batch, count, named, positive, threads, tokens
from paretoken.commands.runtime import limit_threads, quiet
from paretoken.commands.shared_arguments import add_model_argument
from paretoken.errors import UserError
from paretoken.io.text_tables import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_model_argument(parser)
    parser.add_argument(
        "--tokens",
        type=tokens,
        metavar="V",
        help="visual tokens per image, for a model that was trained once for every V",
    )
    parser.add_argument("--batch", type=batch, default=16, help="questions at a time")
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="score.json to write")
    task = parser.add_argument_group("task")
    task.add_argument("--task", required=True, help="its name in lmms-eval")
    task.add_argument(
        "--benchmark",
        type=named,
        metavar="NAME",
        help="name of the benchmark in the score, if other than the task's",
    )
    task.add_argument(
        "--metric", type=named, help="metric of the task to use as the score, if it has several"
    )
    task.add_argument(
        "--maximum",
        type=positive,
        default=1.0,
        help="maximum of the metric, such as 100, by which it is divided",
    )
    task.add_argument("--limit", type=count, metavar="COUNT", help="ask only the first COUNT questions")
    task.add_argument(
        "--include-path",
        type=Path,
        metavar="FOLDER",
        help="folder of further task files; they run Python code and need --allow-code",
    )
    task.add_argument(
        "--allow-code",
        action="store_true",
        help="let the Python code of the task files in --include-path run",
    )


def run(arguments: argparse.Namespace) -> None:
    """Answer and score the questions, and write the score."""
    if arguments.include_path is not None and not arguments.allow_code:
        raise UserError(
            f"--include-path {arguments.include_path}: task files of lmms-eval name Python functions "
            "(!function), which run with all rights of the user; read them, then add --allow-code, or "
            "leave out --include-path"
        )
    from paretoken.evaluate.lmms_task import score_task
    from paretoken.io.files import write_json

    a = arguments
    # Models are local directories, but a task's rows may be on the hub.
    os.environ.setdefault("HF_HUB_OFFLINE", "0")
    quiet()
    limit_threads(a.threads)
    result = score_task(
        a.model, a.task, name=a.benchmark, metric=a.metric, maximum=a.maximum, include=a.include_path,
        limit=a.limit, batch=a.batch, tokens=a.tokens,
    )  # fmt: skip
    write_json(a.out, result)
    low, high = result["interval"]
    print(
        f"{a.out}: {result['metric']} {result['score']:.4f} (95 % interval {low:.4f} to {high:.4f}), "
        f"{counted(result['n'], 'row')}"
    )
