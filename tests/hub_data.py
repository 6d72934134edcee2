"""Small data sets in the hub's own layout and format: Parquet shards with pictures inside."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image
from pyarrow import parquet

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(colour: tuple[int, int, int], path: str | None = "x.png") -> dict[str, Any]:
    """Return a picture as `datasets` stores it."""
    stream = io.BytesIO()
    Image.new("RGB", (24, 24), colour).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": path}


def write_split(
    folder: Path,
    split: str,
    rows: Sequence[dict[str, Any]],
    pictures: Sequence[str] = ("image",),
    shards: int = 1,
) -> None:
    """Write ``SPLIT-00000-of-0000N.parquet`` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-len(rows) // shards)
    for number in range(shards):
        part = rows[number * size : (number + 1) * size]
        names = rows[0].keys()
        columns = {
            name: pa.array([row[name] for row in part], PICTURE if name in pictures else None)
            for name in names
        }
        parquet.write_table(pa.table(columns), folder / f"{split}-{number:05}-of-{shards:05}.parquet")


def write_mme(root: Path, images: int = 3, shards: int = 1) -> None:
    """Write MME: two questions on each image."""
    rows = [
        {"question_id": f"OCR/{i}.png", "image": picture((i, 0, 0)), "answer": answer, "category": "OCR",
         "question": f"Is {i} {answer}? Please answer yes or no."}
        for i in range(images) for answer in ("Yes", "No")
    ]  # fmt: skip
    write_split(root / "data", "test", rows, shards=shards)


def write_gqa(root: Path) -> None:
    """Write GQA: questions in one config, pictures in another."""
    questions = [
        {"id": str(i), "imageId": f"n{i % 2}", "question": f"q{i}?", "answer": "yes"} for i in range(5)
    ]
    images = [{"id": f"n{i}", "image": picture((0, i, 0))} for i in range(4)]
    write_split(root / "testdev_balanced_instructions", "testdev", questions, pictures=())
    write_split(root / "testdev_balanced_images", "testdev", images, shards=2)


def write_mmmu(root: Path) -> None:
    """Write MMMU: a question on two images, one on none, one that is open."""
    base: dict[str, Any] = {f"image_{i}": None for i in range(1, 8)}
    base |= {"question_type": "multiple-choice", "options": "['red', 'blue']", "answer": "A"}
    rows = [
        {"id": "validation_Art_1", "question": "Is <image 2> or <image 1> red?", **base,
         "image_1": picture((200, 0, 0)), "image_2": picture((0, 0, 200))},
        {"id": "validation_Art_2", "question": "What colour is it?", **base},
        {"id": "validation_Art_3", "question": "What is <image 1>?", **base, "options": "[]",
         "image_1": picture((200, 0, 0)), "question_type": "open", "answer": "['red', 'dark red']"},
    ]  # fmt: skip
    write_split(root / "data", "validation", rows, pictures=[f"image_{i}" for i in range(1, 8)])
