"""Published tables that a study is compared with: what `published:` names, each with its rules.

Jobs read them with these functions, and `paretoken check` does so before any job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paretoken.csv_files import Row
from paretoken.csv_tables import number_in, require_unique, table_rows
from paretoken.errors import UserError
from paretoken.escape import shown
from paretoken.ranges import LARGEST, LARGEST_WIDTH, MOST_LAYERS, MOST_TOKENS
from paretoken.shapes import DecoderShape

VALUE_KEY = ("suite", "quantity")
TABLE1_KEY = ("method", "visual_tokens", "benchmark")
VALUES = (*VALUE_KEY, "value", "source")
TABLE1 = (*TABLE1_KEY, "score", "source")
#: Columns of a table of dimensions, each with the largest number that it may hold.
SHAPE = {
    "hidden": LARGEST_WIDTH,
    "layers": MOST_LAYERS,
    "intermediate": LARGEST_WIDTH,
    "heads": LARGEST_WIDTH,
    "vocab": 10**8,
}
#: The same for columns that it may have.
MORE_SHAPE = {"kv_heads": LARGEST_WIDTH, "head_width": LARGEST_WIDTH}
SIZES = ("total_params_b", "nonembedding_params_b")
DIMENSIONS = ("llm", *SHAPE, "tied_embeddings", *SIZES)
FLAGS = {"true": True, "false": False}
#: Quantities (or how their names begin) that are above 0, and those that are not below 0. Others may be
#: any number.
ABOVE_ZERO = ("alpha", "beta", "K", "exponent_ratio", "unseen_params_b", "optimal_tokens_")
NOT_BELOW_ZERO = ("D", "largest_error_percent", "gap_closed_")


@dataclass(frozen=True)
class Dimensions:
    """One language model of a table of dimensions; sizes in billions of parameters."""

    decoder: DecoderShape
    total_params_b: float
    nonembedding_params_b: float


def read_values(path: Path) -> dict[tuple[str, str], float]:
    """Return published numbers by suite and quantity; without those whose cell is empty.

    Raises:
        UserError: the table cannot be read, lacks a column, repeats a key, or has something else than a
            number that its quantity can be.
    """
    rows = _rows(path, VALUES, VALUE_KEY)
    found = {}
    for line, row in enumerate(rows, start=2):
        if row["value"]:
            key, where = (row["suite"], row["quantity"]), f"{path}, row {line}"
            above = _is_one_of(row["quantity"], ABOVE_ZERO)
            least = 0.0 if above or _is_one_of(row["quantity"], NOT_BELOW_ZERO) else None
            found[key] = number_in(where, row, "value", least=least, above=above)
    return found


def read_table1(path: Path) -> dict[tuple[str, int, str], float]:
    """Return published scores by method, visual tokens and benchmark; without empty ones.

    Raises:
        UserError: the table cannot be read, lacks a column, repeats a key, or has something else than a
            count of tokens or a score of 0 or more.
    """
    found = {}
    for line, row in enumerate(_rows(path, TABLE1, TABLE1_KEY), start=2):
        where = f"{path}, row {line}"
        tokens = number_in(where, row, "visual_tokens", least=1, most=MOST_TOKENS, whole=True)
        key = (row["method"], int(tokens), row["benchmark"])
        if key in found:
            raise UserError(f"{where}: {', '.join(map(str, key))} appears twice; write it once")
        if row["score"]:
            found[key] = number_in(where, row, "score")
    return found


def read_dimensions(path: Path) -> dict[str, Dimensions]:
    """Return dimensions of language models by name.

    Raises:
        UserError: the table cannot be read, lacks a column, repeats a model, or has something else than
            the dimensions of a model.
    """
    rows = _rows(path, DIMENSIONS, ("llm",))
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


def _rows(path: Path, columns: tuple[str, ...], key: tuple[str, ...]) -> list[Row]:
    rows = table_rows(path, columns)
    if not rows:
        raise UserError(f"{path} has no rows")
    require_unique(path, rows, key)
    return rows


def _is_one_of(quantity: str, names: tuple[str, ...]) -> bool:
    return any(quantity == n or (n.endswith("_") and quantity.startswith(n)) for n in names)


def _flag(where: str, row: Mapping[str, str], name: str) -> bool:
    value = FLAGS.get(row[name].lower())
    if value is None:
        raise UserError(f"{where}: {name} = {shown(row[name])} must be true or false")
    return value
