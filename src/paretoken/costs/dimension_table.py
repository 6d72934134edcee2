"""Tables of the dimensions of language models, to plan with models that are not downloaded yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paretoken.costs.shapes import DecoderShape
from paretoken.errors import UserError
from paretoken.io.csv_files import Row
from paretoken.io.csv_tables import keyed_rows, number_in
from paretoken.io.escape import shown
from paretoken.io.ranges import LARGEST, LARGEST_WIDTH, MOST_LAYERS

#: Required columns of a table of dimensions, each with its largest allowed number.
SHAPE = {
    "hidden": LARGEST_WIDTH,
    "layers": MOST_LAYERS,
    "intermediate": LARGEST_WIDTH,
    "heads": LARGEST_WIDTH,
    "vocab": 10**8,
}
#: The same for optional columns.
MORE_SHAPE = {"kv_heads": LARGEST_WIDTH, "head_width": LARGEST_WIDTH}
SIZES = ("total_params_b", "nonembedding_params_b")
DIMENSIONS = ("llm", *SHAPE, "tied_embeddings", *SIZES)
FLAGS = {"true": True, "false": False}


@dataclass(frozen=True)
class Dimensions:
    """One language model of a table of dimensions; sizes in billions of parameters."""

    decoder: DecoderShape
    total_params_b: float
    nonembedding_params_b: float


def read_dimensions(path: Path) -> dict[str, Dimensions]:
    """Return dimensions of language models by name.

    Raises:
        UserError: the table cannot be read, lacks a column, has a duplicate model, or has invalid
            dimensions.
    """
    rows = keyed_rows(path, DIMENSIONS, ("llm",))
    return {row["llm"]: _dimensions(f"{path}, row {i}", row) for i, row in enumerate(rows, start=2)}


def _dimensions(where: str, row: Row) -> Dimensions:
    asked = {**SHAPE, **{name: most for name, most in MORE_SHAPE.items() if row.get(name)}}
    found = {
        name: int(number_in(where, row, name, least=1, most=most, whole=True))
        for name, most in asked.items()
    }
    hidden, heads = found["hidden"], found["heads"]
    if "head_width" not in found and hidden % heads:
        raise UserError(f"{where}: heads = {heads} do not divide hidden = {hidden}; correct one of them")
    kv_heads = found.get("kv_heads", heads)
    if heads % kv_heads:
        raise UserError(f"{where}: kv_heads = {kv_heads} do not divide heads = {heads}; correct them")
    total, rest = (number_in(where, row, name, above=True, most=LARGEST) for name in SIZES)
    if rest > total:
        raise UserError(
            f"{where}: nonembedding_params_b = {rest:g} must be at most total_params_b = {total:g}"
        )
    decoder = DecoderShape(
        hidden=hidden,
        layers=found["layers"],
        heads=heads,
        kv_heads=kv_heads,
        head_width=found.get("head_width", hidden // heads),
        intermediate=found["intermediate"],
        vocabulary=found["vocab"],
        tied=_flag(where, row, "tied_embeddings"),
        query_key_value_bias=_flag(where, row, "qkv_bias") if row.get("qkv_bias") else True,
    )
    return Dimensions(decoder, total, rest)


def _flag(where: str, row: Mapping[str, str], name: str) -> bool:
    value = FLAGS.get(row[name].lower())
    if value is None:
        raise UserError(f"{where}: {name} = {shown(row[name])} must be true or false")
    return value
