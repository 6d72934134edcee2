"""The arguments that say how images become visual tokens."""

from __future__ import annotations

import argparse

from paretoken.commands.arguments import layer, size, tokens, width
from paretoken.registry import COMPRESSORS


def add_choice_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the compressor's arguments."""
    parser.add_argument("--compressor", choices=list(COMPRESSORS), required=True,
                        help="how patches become visual tokens")  # fmt: skip
    parser.add_argument("--tokens", type=tokens, required=True, metavar="V",
                        help="visual tokens per image; 0: the model sees no image")  # fmt: skip
    add_layer_arguments(parser)
    parser.add_argument(
        "--compressor-heads", type=width, help="its attention heads; else those of its specification"
    )
    parser.add_argument("--init-std", type=size, metavar="STD",
                        help="of new weights; else what the compressor's authors chose")  # fmt: skip
    parser.add_argument("--projector-width", type=width, metavar="CHANNELS",
                        help="between the projector's two layers; else the LLM's width")  # fmt: skip
    parser.add_argument("--whiten", action="store_true",
                        help="put a fixed map before the projector that makes its inputs white; "
                             "measured on the training images of stage 1")  # fmt: skip


def add_layer_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which layers of the encoder are read."""
    parser.add_argument("--layers", type=layer, nargs="+", metavar="LAYER",
                        help="encoder layers to concatenate, 0: embeddings, -1: the last; "
                             "else the compressor's own choice")  # fmt: skip
    parser.add_argument("--query-layer", type=layer, default=-2, metavar="LAYER",
                        help="encoder layer of tokenpacker's queries")  # fmt: skip
