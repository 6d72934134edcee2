"""Make the stand-ins that all cases read: tiny models, tokenizers, pictures and data sets."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

from paretoken.commands.runtime import limit_threads, quiet

ROOT = Path(__file__).parents[2]
TESTS = str(ROOT / "tests")
if TESTS not in sys.path:  # its helpers are top-level modules, as for pytest
    sys.path.insert(0, TESTS)

import tiny  # noqa: E402
from standins import benchmarks, models, training_data  # noqa: E402

TABLES = benchmarks.TABLES
V = 4


def make_world(folder: Path) -> Path:
    """Write all stand-ins into a folder and return it.

    ``llm``, ``vision``, ``images``, ``train.jsonl``, ``questions.jsonl``, ``features``, ``tokens`` and
    ``model`` belong together. ``bytes`` is a model with a byte-level tokenizer. ``data`` and
    ``manifest.yaml`` are a training set as downloaded.
    """
    quiet()
    limit_threads(1)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        tiny.save_prepared_world(folder)
        tiny.save_recipes(folder, steps=2, save_every=2, log_every=1)
        other = folder / "answering"
        other.mkdir()
        tiny.save_vision(other / "vision")
        tiny.save_model(other)
        models.save_qwen(folder / "bytes", 16)
        training_data.save_training_data(folder / "data", folder / "manifest.yaml")
    return folder
