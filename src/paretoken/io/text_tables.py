"""Tables and quantities for a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Return a table with columns as wide as their widest cell.

    Args:
        header: names of the columns.
        rows: cells of each row.
        right: per column, whether it is flush right.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(_line(cells, widths, right) for cells in lines)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    placed = [
        cell.rjust(width) if flush else cell.ljust(width)
        for cell, width, flush in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(placed).rstrip()


def clock(seconds: float) -> str:
    """Return a duration as d h mm, h:mm:ss or seconds."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 86_400:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 86_400} d {whole // 3600 % 24}:{whole // 60 % 60:02d}"


def visual_tokens(count: float, form: str = "g") -> str:
    """Return a number of visual tokens in words, written in a number format of Python's."""
    shown = f"{count:{form}}"
    return f"{shown} visual token" + ("" if shown == "1" else "s")


def short(count: float) -> str:
    """Return a count with three digits and a letter: 464M, 7.72B."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:.3g}"


def size_label(params_b: float) -> str:
    """Return a model size, billions, as people write it: 7B, 0.5B, 60M, 600K."""
    for least, unit, letter in ((0.1, 1.0, "B"), (1e-3, 1e-3, "M"), (1e-6, 1e-6, "K")):
        if params_b >= least:
            return f"{params_b / unit:.3g}{letter}"
    return f"{params_b * 1e9:.3g}"
