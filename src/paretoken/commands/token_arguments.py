"""The arguments that define how images become visual tokens."""

from __future__ import annotations

from paretoken.commands.arguments import Group, layer, size, tokens, width
from paretoken.registry import COMPRESSORS


def add_choice_arguments(parser: Group) -> None:
    """Declare the compressor's arguments."""
    parser.add_argument(
        "--compressor",
        choices=list(COMPRESSORS),
        required=True,
        metavar="NAME",
        help="name of the compressor: how patches become visual tokens, one of "
        f"{', '.join(COMPRESSORS)}",
    )
    parser.add_argument(
        "--tokens",
        type=tokens,
        required=True,
        metavar="V",
        help="visual tokens per image; 0: the model sees no image",
    )
    add_layer_arguments(parser)
    parser.add_argument(
        "--compressor-heads",
        type=width,
        metavar="HEADS",
        help="its attention heads; else those of its authors",
    )
    parser.add_argument(
        "--init-std",
        type=size,
        metavar="STD",
        help="standard deviation of new weights; else that of the compressor's authors",
    )
    parser.add_argument(
        "--projector-width",
        type=width,
        metavar="CHANNELS",
        help="width between the projector's two layers; else the LLM's width",
    )
    parser.add_argument(
        "--whiten",
        action="store_true",
        help="whiten the inputs of the projector by a fixed linear map, "
        "estimated from the training images of stage 1",
    )


def add_layer_arguments(parser: Group) -> None:
    """Declare the encoder layers that are used."""
    parser.add_argument(
        "--layers",
        type=layer,
        nargs="+",
        metavar="LAYER",
        help="encoder layers to concatenate, 0: embeddings, -1: the last; "
        "else the compressor's own choice",
    )
    parser.add_argument(
        "--query-layer",
        type=layer,
        metavar="LAYER",
        help="encoder layer of the queries of tokenpacker and quecc; else that of their authors",
    )
