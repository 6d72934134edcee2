"""Setup that all commands with torch share."""

from __future__ import annotations

import os
import sys

from paretoken.io.callbacks import ProgressCallback
from paretoken.io.escape import one_line
from paretoken.io.progress import report


def quiet() -> None:
    """Suppress the progress bars and warnings of libraries, and network access to model hubs.

    Must run before `transformers` is imported.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # models are local directories
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def limit_threads(threads: int | None) -> None:
    """Use ``threads`` CPU threads.

    On shared cores the default, one thread per core, can be many times slower than a single thread,
    because waiting threads spin.
    """
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


def counter(what: str) -> ProgressCallback:
    """Return a progress callback, which prints every step on a terminal and every tenth in a log."""
    what = one_line(what)
    live = sys.stderr.isatty()
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        report(what, done, total)
        tenth = 10 * done // max(1, total)
        if live:
            print(f"\r{what}: {done}/{total}", end="\n" if done == total else "", file=sys.stderr)
        elif tenth != shown:
            shown = tenth
            print(f"{what}: {done}/{total}", file=sys.stderr, flush=True)

    return show
