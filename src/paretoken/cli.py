"""The `paretoken` command: one subcommand per rule of the workflow, imported only when it is used."""

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

#: Subcommand -> what it does; the module is `paretoken.commands.<name>`, `-` written as `_`.
COMMANDS = {
    "fit": "fit a scaling law to any table of errors",
    "frontier": "list the best model size and token count per budget",
    "recommend": "say which model size and token count to use under a budget",
    "shapes": "write the dimensions of a study's models, for costs other than the paper's",
    "latency": "measure seconds per answer over N, V, Q and batch on this device",
    "compare": "put the parameters of several studies side by side",
    "check": "check a config file, or write its JSON schema",
    "plan": "say what a study costs, before it runs",
    "status": "say where a study stands, stage by stage",
    "selftest": "show that the fitter recovers known laws and the published fits",
    "study": "write a study's settings, as the workflow froze them",
    "record": "keep the tables of a trained study, so that it need not be trained again",
    "recorded": "write the tables of a study from where they are kept",
    "cell": "write one cell's errors, taken from a table of measurements",
    "world": "generate the miniature world's images, training sets and questions",
    "pretrain-vision": "train the miniature's vision encoder",
    "pretrain-llm": "train one of the miniature's language models on text",
    "data": "verify, unpack and look through a downloaded training set",
    "fetch": "get a backbone or a data set from a hub or a local directory, verified",
    "features": "encode images once, with a frozen vision encoder",
    "tokenize": "tokenize conversations once, with a language model's tokenizer",
    "launch": "run another command once per GPU, under torchrun if there are several",
    "train": "train one stage of one cell",
    "questions": "write a benchmark's prompts and images, from the hub or a local copy",
    "predict": "answer benchmark questions and store every answer",
    "score": "score stored predictions",
    "lmms-eval": "ask and score one task of lmms-eval",
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


#: Commands that say in a file beside their result how far they are (see `paretoken.io.progress`): those
#: that make sources, train, and ask.
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
#: Packages that only studies which are trained need.
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
    """Return the parser; only ``command``'s own arguments are added (its module is imported).

    Args:
        command: what is run, if anything.
        alone: leave the other commands out, which help names: they take longer to add than many run.
        whole: add the arguments of all commands.
    """
    parser = MainParser(
        prog="paretoken",
        description="Given an inference budget: how large a language model, how few visual tokens?",
        epilog="Each command explains itself: paretoken COMMAND --help",
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
        help="print a script by which a shell completes commands and options; needs shtab",
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
    """Run one subcommand and return its exit code; bad input is one message on stderr and 2."""
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
            code = _module(parsed.command).run(parsed) or 0  # `plan` has a verdict, most have none
        sys.stdout.flush()
    except UserError as error:
        print(message(f"paretoken {parsed.command}: {error}"), file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in TRAINING_STACK:
            raise
        print(f"paretoken {parsed.command}: {error.name} is not installed; it comes with the training "
              "stack: run `make setup`, or pip install -e '.[train]'", file=sys.stderr)  # fmt: skip
        return 2
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a name too long, a folder that may not be read: no defect of the program
        if error.filename is None:
            raise
        words = f"paretoken {parsed.command}: {error.filename}: {error.strerror}"
        print(message(words), file=sys.stderr)
        return 2
    return code


def command_line() -> int:
    """Be a process of its own: `main`, with a third less time spent on importing PyTorch and leaving.

    A study starts one process per job, and garbage collection finds nothing in what an import makes:
    it is asked for less often, and the modules are not searched once more when the process ends.
    """
    gc.set_threshold(50_000)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A job's log says at once where it is; a terminal that lacks a character gets its number.
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
