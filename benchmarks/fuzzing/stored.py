"""Write rows to files, and damage files: truncated, in another encoding, with a changed byte."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any


def write_rows(path: Path, rows: Sequence[Any]) -> None:
    """Write rows as a JSON list or as lines, by the suffix; NaN and surrogates as in Python."""
    lines = [json.dumps(row) for row in rows]
    text = f"[{', '.join(lines)}]" if path.suffix == ".json" else "\n".join(lines) + "\n"
    path.write_text(text)


def read_again(path: Path) -> list[Any] | None:
    """Return the rows of a JSON file as read by the standard library; None if it fails."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix == ".json":
            content = json.loads(text)
            return content if isinstance(content, list) else None
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        return None


def damage_text(rng: Random, path: Path) -> str:
    """Damage a text file, or change its form; return the kind of damage."""
    content = path.read_bytes()
    how = rng.choice(
        [
            "cut off",
            "emptied",
            "UTF-16",
            "CRLF",
            "with a mark",
            "a byte changed",
            "doubled",
            "deep brackets",
            "Latin-1",
        ]
    )
    made = {
        "cut off": content[: rng.randrange(max(1, len(content)))],
        "emptied": b"",
        "UTF-16": content.decode("utf-8").encode("utf-16"),
        "CRLF": content.replace(b"\n", b"\r\n"),
        "with a mark": b"\xef\xbb\xbf" + content,
        "a byte changed": _flipped(rng, content),
        "doubled": content * 2,
        "deep brackets": b"[" * 5000 + content,
        "Latin-1": content.replace(b"o", b"\xf6"),
    }
    path.write_bytes(made[how])
    return how


def damaged_bytes(rng: Random, content: bytes) -> tuple[str, bytes]:
    """Return the kind of damage and a damaged copy of a binary file (picture, archive, array)."""
    half = len(content) // 2
    made = {
        "emptied": b"",
        "cut off": content[: rng.randrange(max(1, len(content)))],
        "a byte changed": _flipped(rng, content),
        "body overwritten": content[: half // 2] + bytes(half) + content[half // 2 + half :],
        "a web page": b"<html><body>404</body></html>",
        "noise": rng.randbytes(max(1, len(content))),
        "more at the end": content + b"\0" * 9,
    }
    how = rng.choice(list(made))
    return how, made[how]


def _flipped(rng: Random, content: bytes) -> bytes:
    if not content:
        return content
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]
