"""`paretoken tokenize`: conversations as token ids with labels, once for all cells."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.runtime import quiet, share
from paretoken.registry import TEMPLATES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, required=True,
                        help="conversations in LLaVA's format: .json, .jsonl, .parquet or a "
                             "Hugging Face data set on disk")  # fmt: skip
    parser.add_argument("--llm", type=Path, required=True,
                        help="directory of a language model with this tokenizer")  # fmt: skip
    parser.add_argument("--template", choices=("chat", "plain", *TEMPLATES), default="chat",
                        help="chat: the tokenizer's own; plain: image, answer, end of text; "
                             "or a named one")  # fmt: skip
    parser.add_argument("--max-bad-share", type=share, default=0.0,
                        help="share of bad rows that may be left out")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def run(arguments: argparse.Namespace) -> None:
    """Check, tokenize and write the conversations."""
    quiet()
    from paretoken.data.conversations import parse_conversations
    from paretoken.data.encoded import write_encoded
    from paretoken.data.labels import ChatEncoder, load_tokenizer
    from paretoken.data.rows import read_rows
    from paretoken.data.skips import Skips

    a = arguments
    skips = Skips(str(a.data), a.max_bad_share)
    conversations = parse_conversations(read_rows(a.data), skips)
    encoder = ChatEncoder(load_tokenizer(a.llm), a.template)
    encoded = encoder.encode(conversations)
    record = {"template": a.template, "skipped": skips.record()}
    write_encoded(a.out, conversations, encoded, encoder.image_id, record)
    tokens, learned = (sum(n) for n in zip(*((len(e.ids), e.learned.sum()) for e in encoded),
                                           strict=True))  # fmt: skip
    print(f"{len(encoded)} conversations, {tokens} tokens, {learned} of them learned; "
          f"{len(skips.rows)} rows left out")  # fmt: skip
