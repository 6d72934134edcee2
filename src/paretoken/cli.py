"""The `paretoken` command, whose subcommands are imported only when they are used."""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

from paretoken.errors import UserError
from paretoken.help.help_pages import PAGES
from paretoken.help.help_parser import (
    COMPLETION,
    EXAMPLE,
    SHELLS,
    Help,
    MainParser,
    Parser,
    PrintCompletion,
    PrintVersion,
)
from paretoken.io.escape import message
from paretoken.io.progress import outs_of, reported
from paretoken.registry import unknown_name

#: Subcommand -> its help. Its module is `paretoken.commands.<name>`, with `_` for `-`.
COMMANDS = {
    "fit": "fit a scaling law to any table of errors",
    "frontier": "list the best model size and token count per budget",
    "recommend": "recommend a model size and a token count for a budget",
    "shapes": "write the dimensions of models, for costs other than the paper's",
    "latency": "measure seconds per answer over N, V, Q and batch on this device",
    "compare": "put the parameters of several studies side by side",
    "check": "check a config file, or write its JSON schema",
    "plan": "estimate the cost of a study before it runs",
    "status": "show the progress of a study, stage by stage",
    "selftest": "check that the fitter recovers known laws and the published fits",
    "study": "write a study's settings to a file, for the later steps",
    "record": "save the tables of a trained study, so that it need not be trained again",
    "recorded": "restore the recorded tables of a trained study",
    "cell": "write one cell's errors, taken from a table of measurements",
    "world": "generate the miniature world's images, training sets and questions",
    "pretrain-vision": "train the miniature's vision encoder",
    "pretrain-llm": "train one of the miniature's language models on text",
    "data": "check a training set, downloaded or your own, and index its images",
    "fetch": "get a backbone or a data set from a hub or a local directory, verified",
    "features": "encode images once, with a frozen vision encoder",
    "tokenize": "tokenize conversations once, with a language model's tokenizer",
    "launch": "run another command once per GPU, under torchrun if there are several",
    "train": "train one stage of one cell",
    "questions": "write a benchmark's prompts and images, from the hub or a local copy",
    "predict": "answer benchmark questions and store every answer",
    "score": "score stored predictions",
    "lmms-eval": "score a trained model on one task of lmms-eval",
    "cell-scores": "write one trained cell's errors, from the scores of its benchmarks",
    "scores": "gather the benchmark scores of a grid into one table",
    "costs": "gather parameters, FLOPs and latency of trained cells into one table",
    "aggregate": "gather the cells of a grid into one table",
    "tables": "write the tables of means, fits, predictions and sensitivity",
    "text-length": "measure a trained model's errors and cost by length of the question",
    "text-optimum": "write the best number of visual tokens by length of the question",
    "methods": "compare ways to compress images, as CSV, Markdown and LaTeX",
    "figure": "draw one figure",
    "claims": "test the paper's claims",
    "summary": "write a study's summary page",
    "report": "write a study's report, one HTML file with an explorer",
}


#: Commands that write their progress to a file beside their result (see `paretoken.io.progress`): those
#: that prepare sources, train and evaluate.
REPORTED = {
    "world",
    "pretrain-vision",
    "pretrain-llm",
    "data",
    "fetch",
    "features",
    "tokenize",
    "train",
    "questions",
    "predict",
    "score",
    "lmms-eval",
    "cell",
    "cell-scores",
}
#: Packages that are needed only for training.
TRAINING_STACK = {
    "accelerate",
    "datasets",
    "filelock",
    "PIL",
    "pyarrow",
    "safetensors",
    "torch",
    "transformers",
}


def build_parser(
    command: str | None, alone: bool = False, whole: bool = False
) -> argparse.ArgumentParser:
    """Return the parser. Only the arguments of ``command`` are added, since they require its module.

    Args:
        command: the command that runs; None if no command was given.
        alone: omit the other commands, which only the main help lists and which are slow to add.
        whole: add the arguments of all commands.
    """
    parser = MainParser(
        prog="paretoken",
        description="Find the best model size and number of visual tokens for an inference budget.",
        epilog="For help on a command, run: paretoken COMMAND --help",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action=PrintVersion,
        nargs=0,
        help="print the versions of this program and of Python, and the platform",
    )
    parser.add_argument(
        COMPLETION,
        action=PrintCompletion,
        whole=partial(build_parser, None, whole=True),
        choices=SHELLS,
        help="print a completion script for a shell; needs shtab",
    )
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=Parser
    )
    for name in [command] if alone and command is not None else COMMANDS:
        description, example = PAGES[name]
        sub = subparsers.add_parser(
            name,
            help=COMMANDS[name],
            description=description,
            epilog=f"{EXAMPLE}{example}",
            allow_abbrev=False,
            formatter_class=Help,
        )
        if whole or name == command:
            _module(name).add_arguments(sub)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code: 2, with a message on stderr, for invalid input."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    after = given[2:] if given[:1] == [COMPLETION] else given
    command = next((word for word in after if not word.startswith("-")), None)
    if command is not None and command not in COMMANDS:
        print(message(f"paretoken: {unknown_name('command', command, COMMANDS)}"), file=sys.stderr)
        return 2
    parsed = build_parser(command, alone=given[:1] == [command]).parse_args(given)
    code = 0
    try:
        with reported(parsed.command, outs_of(parsed) if parsed.command in REPORTED else []):
            code = _module(parsed.command).run(parsed) or 0  # most commands return None
        sys.stdout.flush()
    except UserError as error:
        print(message(f"paretoken {parsed.command}: {error}"), file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in TRAINING_STACK:
            raise
        print(
            f"paretoken {parsed.command}: {error.name} is not installed; it comes with the training "
            "stack: run `make setup`, or pip install -e '.[train]'",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:  # the reader, such as `head`, closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # not a defect, but input such as an unreadable folder or a name too long
        if error.filename is None:
            raise
        words = f"paretoken {parsed.command}: {error.filename}: {error.strerror}"
        print(message(words), file=sys.stderr)
        return 2
    return code


def command_line() -> int:
    """Run `main` as a process, with a third less time spent on importing PyTorch and on exiting.

    A study starts one process per job, and garbage collection frees nothing that an import creates. It
    therefore runs less often, and skips the imported modules when the process ends.
    """
    gc.set_threshold(50_000)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A job's log is written line by line, and characters that a terminal lacks are escaped.
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        code = main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    gc.freeze()
    return code


def _module(command: str) -> Any:
    return import_module(f"paretoken.commands.{command.replace('-', '_')}")
