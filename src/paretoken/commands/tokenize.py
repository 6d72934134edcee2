"""`paretoken tokenize`: turn conversations into token ids with labels, once for all cells."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from paretoken.commands.arguments import share, threads
from paretoken.commands.runtime import counter, quiet
from paretoken.io.text_tables import counted
from paretoken.registry import TEMPLATES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="rows of conversations in LLaVA's format: .json, .jsonl, .parquet or a "
        "Hugging Face data set on disk",
    )
    parser.add_argument(
        "--llm", type=Path, required=True, help="folder of the language model whose tokenizer is used"
    )
    parser.add_argument(
        "--template",
        choices=("chat", "plain", "plain_llava", *TEMPLATES),
        default="chat",
        help="chat template: chat, the tokenizer's own; plain, image, answer and end of text; "
        "plain_llava, image, answer and line end; or a named one",
    )
    parser.add_argument(
        "--skipped",
        type=Path,
        help="skipped.json of `paretoken data`: images whose conversations are left out",
    )
    parser.add_argument(
        "--max-bad-share",
        type=share,
        default=0.0,
        help="share of bad rows that may be left out, from 0 to 1",
    )
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def run(arguments: argparse.Namespace) -> None:
    """Validate, tokenize and write the conversations."""
    a = arguments
    os.environ.setdefault("RAYON_NUM_THREADS", str(max(1, a.threads)))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true" if a.threads > 1 else "false")
    quiet()
    from paretoken.data.encoded import INDEX
    from paretoken.data.labels import ChatEncoder
    from paretoken.data.rows import require_readable
    from paretoken.data.skips import Skips, read_skipped
    from paretoken.data.tokenizers import load_tokenizer
    from paretoken.data.tokenizing import tokenize_file, tokens_key
    from paretoken.io.finished import already_done
    from paretoken.io.folders import require_apart

    require_apart(a.out, a.data, a.llm, a.skipped)
    require_readable(a.data)
    skipped = frozenset() if a.skipped is None else read_skipped(a.skipped)
    key = tokens_key(a.data, a.llm, a.template, a.skipped, a.max_bad_share)
    if already_done(a.out, key, name=INDEX):
        return
    encoder = ChatEncoder(load_tokenizer(a.llm), a.template)
    skips = Skips(str(a.data), a.max_bad_share)
    made = tokenize_file(a.data, a.out, encoder, skips, skipped, key, counter("tokenize"))
    census = made.census
    print(
        f"{counted(census.kept, 'conversation')}, {census.text_only} of them without an image; "
        f"{counted(made.tokens, 'token')}, {made.learned} of them with a label; "
        f"left out: {counted(len(skips.rows), 'bad row')}, "
        f"{counted(census.without_image_file, 'conversation')} with a skipped image"
    )
    if made.repeated:
        duplicates = "conversation duplicates", "conversations duplicate"
        print(
            f"{counted(made.repeated, *duplicates)} an earlier one, image included; duplicates are kept"
        )
