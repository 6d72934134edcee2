"""`paretoken features`: encode images once for all cells with the frozen encoder."""

from __future__ import annotations

import argparse
from pathlib import Path

from paretoken.commands.arguments import batch, share, threads
from paretoken.commands.runtime import counter, limit_threads, quiet
from paretoken.commands.token_arguments import add_layer_arguments
from paretoken.compressors.specification import compressors_that
from paretoken.errors import UserError
from paretoken.io.text_tables import counted
from paretoken.registry import COMPRESSORS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    sources = parser.add_argument_group("images and encoder")
    sources.add_argument("--vision", type=Path, required=True, help="folder of the vision encoder")
    sources.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="rows with an `image` column, in the formats of `paretoken tokenize`; each image is "
        "encoded once",
    )
    sources.add_argument(
        "--images", type=Path, help="folder of image files, unless the data sets hold them"
    )
    sources.add_argument(
        "--skipped", type=Path, help="skipped.json of `paretoken data`: images that are left out"
    )
    sources.add_argument(
        "--max-bad-share",
        type=share,
        default=0.0,
        help="share of unreadable images that may be left out, from 0 to 1",
    )
    sources.add_argument(
        "--aspect", choices=("pad", "crop"), default="pad", help="how an image becomes square"
    )
    stored = parser.add_argument_group("what is stored")
    add_layer_arguments(stored)
    stored.add_argument(
        "--compressors",
        nargs="+",
        choices=list(COMPRESSORS),
        metavar="NAME",
        default=compressors_that(lambda facts: not facts.reads_attention),
        help="store the layers that these need; prumerge needs more than layers",
    )
    stored.add_argument(
        "--normalise", action="store_true", help="each layer to mean 0 and variance 1 per patch"
    )
    parser.add_argument("--batch", type=batch, default=64, help="images at a time")
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def run(arguments: argparse.Namespace) -> None:
    """Encode the images and store their features."""
    quiet()
    limit_threads(arguments.threads)
    from paretoken.data.conversations import BadRowError, row_image
    from paretoken.data.feature_writer import compute_features, features_key, is_current
    from paretoken.data.features import INDEX
    from paretoken.data.images import ImageSource, stored_images
    from paretoken.data.preprocessor import read_preprocessor
    from paretoken.data.rows import read_rows
    from paretoken.data.skips import Skips, read_skipped
    from paretoken.io.folders import require_apart
    from paretoken.model_files.pretrained import weights_hash
    from paretoken.models.assemble import Choice, feature_layers
    from paretoken.models.vision import load_encoder, read_vision_config

    a = arguments
    require_apart(a.out, a.vision, a.images, a.skipped, *a.data)
    rows = [row for path in a.data for row in read_rows(path)]
    skips = Skips("images", a.max_bad_share)
    names: dict[str, None] = {}
    for number, row in enumerate(rows, start=1):
        try:
            names[row_image(row) or ""] = None
        except BadRowError as error:
            skips.add(f"row {number}", str(error))
    for name in {"", *(read_skipped(a.skipped) if a.skipped else ())}:
        names.pop(name, None)
    if not names:
        skips.check(len(rows))
        raise UserError(f"{', '.join(map(str, a.data))}: no row has an image to encode")
    depth = read_vision_config(a.vision).num_hidden_layers
    layers = None if a.layers is None else tuple(a.layers)
    choices = [Choice(name, 0, layers, a.query_layer) for name in a.compressors]
    needed = feature_layers(choices, depth)
    preprocess = read_preprocessor(a.vision, a.aspect)
    key = features_key(weights_hash(a.vision), needed, a.normalise, preprocess)
    source = ImageSource(a.images, stored_images(rows))
    asked = source.full_names(list(names))
    if is_current(a.out, key, asked, source):
        print(f"{a.out} is up to date: {counted(len(asked), 'image')}")
        return
    if (a.out / INDEX).exists():
        print(f"{a.out} is recomputed: its settings or images changed, or are not recorded")
    encoder = load_encoder(a.vision, needed, a.normalise).to(_device())
    count = compute_features(
        a.out, asked, source, encoder, preprocess, key, skips, a.batch, counter("features")
    )
    shown = f"layer{'s' * (len(needed) > 1)} {', '.join(map(str, needed))}"
    print(f"{counted(count, 'image')}, {shown}; {len(skips.rows)} left out")


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
