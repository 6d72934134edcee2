"""The thirteen benchmarks as the hub holds them: Parquet with pictures inside, a few rows each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from standins.pictures import colour, stored

Rows = list[dict[str, Any]]
SPLITS = {"adversarial": 0, "popular": 2, "random": 4}


@dataclass(frozen=True)
class Table:
    """One split of one config; ``images`` are the columns that hold pictures."""

    config: str
    split: str
    rows: Callable[[], Rows]
    images: tuple[str, ...] = ("image",)


def mme() -> Rows:
    """Two questions on each picture, in a perception and a cognition subtask."""
    return [
        {"question_id": f"{category}/{n}.jpg", "image": stored(n, f"{n}.jpg"), "category": category,
         "question": f"Is the picture {said}? Please answer yes or no.", "answer": answer}
        for category in ("color", "commonsense_reasoning") for n in range(2)
        for said, answer in ((colour(n), "Yes"), (colour(n + 1), "No"))
    ]  # fmt: skip


def pope() -> Rows:
    return [
        {"id": str(start + n), "question_id": str(n), "image": stored(n), "category": category,
         "question": f"Is there a {colour(2 * n)} square in the image?", "image_source": f"COCO_{n}",
         "answer": "yes" if n == 0 else "no"}
        for category, start in SPLITS.items() for n in range(2)
    ]  # fmt: skip


def gqa() -> Rows:
    return [
        {"id": f"20{n}", "imageId": f"n{n}", "question": "What color is the picture?",
         "answer": colour(n), "fullAnswer": f"It is {colour(n)}.", "isBalanced": True, "groups": None,
         "entailed": "", "equivalent": "", "types": None, "annotations": None, "semantic": None,
         "semanticStr": "query: color"}
        for n in range(4)
    ]  # fmt: skip


def gqa_images() -> Rows:
    return [{"id": f"n{n}", "image": stored(n)} for n in range(4)]


def ai2d() -> Rows:
    return [
        {"question": "Which colour is shown?", "options": ["red", "green", "blue", "grey"],
         "answer": str(n), "image": stored(n, kind="PNG")} for n in range(4)
    ]  # fmt: skip


def scienceqa() -> Rows:
    return [
        {"image": stored(n, "image.png", "PNG"), "question": "Which colour is shown?",
         "choices": ["red", "green", "blue"], "answer": n, "hint": "Look at the picture." * (n == 0),
         "task": "closed choice", "grade": "grade2", "subject": "natural science", "topic": "physics",
         "category": "Light", "skill": "See colours", "lecture": "", "solution": ""}
        for n in range(3)
    ]  # fmt: skip


def scienceqa_full() -> Rows:
    without = scienceqa()[0] | {"image": None, "question": "Which of these is a colour?"}
    return [*scienceqa(), without]


def mmbench() -> Rows:
    """Two questions, each asked in both rotations of its options; empty cells are the text nan."""
    return [
        {"index": base + turn * 1_000_000, "question": "Which colour is shown?", "hint": "nan",
         "answer": "AB"[(n + turn) % 2], "A": options[turn], "B": options[1 - turn], "C": "nan",
         "D": "nan", "category": "attribute", "image": stored(n), "source": "made", "split": "dev",
         "L2-category": "perception", "comment": "nan"}
        for n, base in enumerate((7, 8)) for turn in range(2)
        for options in [[colour(0), colour(1)]]
    ]  # fmt: skip


def mmmu() -> Rows:
    rows = [
        ("multiple-choice", "Which colour has <image 1>?", "['red', 'green', 'blue', 'grey']", "A", 1),
        ("multiple-choice", "Is <image 1> as <image 2>?", "['no', 'yes']", "A", 2),
        ("open", "How many squares has <image 1>?", "[]", "1", 1),
    ]
    return [
        {"id": f"validation_Art_{n}", "question": question, "options": options, "explanation": "",
         "answer": answer, "img_type": "['Icons']", "topic_difficulty": "Easy", "question_type": kind,
         "subfield": "Colour",
         **{f"image_{i}": stored(n + i, kind="PNG") if i <= shown else None for i in range(1, 8)}}
        for n, (kind, question, options, answer, shown) in enumerate(rows, start=1)
    ]  # fmt: skip


def mathvista() -> Rows:
    rows = [
        ("multi_choice", "text", ["red", "green"], "red", None),
        ("free_form", "integer", None, "4", None),
        ("free_form", "float", None, "1.5", 1.0),
        ("free_form", "list", None, "[1, 2]", None),
    ]
    return [
        {"pid": str(n), "question": "What is shown?", "image": f"images/{n}.jpg",
         "decoded_image": stored(n), "choices": choices, "unit": None, "precision": precision,
         "answer": answer, "question_type": kind, "answer_type": answer_type,
         "metadata": {"category": "general-vqa", "context": "natural image", "grade": "daily life",
                      "img_height": 40, "img_width": 40, "language": "english", "source": "made",
                      "skills": ["arithmetic reasoning"], "split": "testmini", "task": "figure"},
         "query": "Hint: answer at the end.\nQuestion: What is shown?"}
        for n, (kind, answer_type, choices, answer, precision) in enumerate(rows, start=1)
    ]  # fmt: skip


def chartqa() -> Rows:
    return [
        {"type": kind, "question": "How many bars are there?", "answer": answer, "image": stored(n)}
        for n, (kind, answer) in enumerate([("human_test", "4"), ("augmented_test", "Yes")])
    ]


def docvqa() -> Rows:
    return [
        {"questionId": str(337 + n), "question": "What does it say?", "question_types": ["layout"],
         "image": stored(n, kind="PNG"), "docId": 279 + n, "ucsf_document_id": f"x{n}",
         "ucsf_document_page_no": "1", "answers": [colour(n), colour(n).upper()], "data_split": "val"}
        for n in range(3)
    ]  # fmt: skip


def textvqa() -> Rows:
    return [
        {"image_id": f"003{n}", "question_id": 34602 + n, "question": "what does the sign say?",
         "question_tokens": ["what", "does", "the", "sign", "say"], "image": stored(n),
         "image_width": 48, "image_height": 32, "flickr_original_url": "", "flickr_300k_url": "",
         "answers": [colour(n)] * 7 + ["stop"] * 3, "image_classes": ["Sign"], "set_name": "val",
         "ocr_tokens": ["STOP", colour(n)]}
        for n in range(3)
    ]  # fmt: skip


def vizwiz() -> Rows:
    return [
        {"question_id": f"VizWiz_val_{n:08d}.jpg", "image": stored(n), "question": "what colour is this",
         "answers": [colour(n)] * 6 + ["unanswerable"] * 4, "category": "other"} for n in range(3)
    ]  # fmt: skip


def vqav2() -> Rows:
    return [
        {"question_type": "is the", "multiple_choice_answer": "yes", "image_id": 262148 + n,
         "answers": [{"answer": "yes" if i else "no", "answer_confidence": "yes", "answer_id": i + 1}
                     for i in range(10)],
         "answer_type": "yes/no", "question_id": 262148000 + n, "question": "Is it a picture?",
         "image": stored(n)} for n in range(3)
    ]  # fmt: skip


#: Benchmark -> its data set on the hub.
TABLES = {
    "mme": [Table("default", "test", mme)],
    "gqa": [
        Table("testdev_balanced_instructions", "testdev", gqa, ()),
        Table("testdev_balanced_images", "testdev", gqa_images),
    ],
    "ai2d": [Table("default", "test", ai2d)],
    "mmbench": [Table("en", "dev", mmbench)],
    "mmmu": [Table("default", "validation", mmmu, tuple(f"image_{i}" for i in range(1, 8)))],
    "scienceqa": [
        Table("ScienceQA-IMG", "test", scienceqa),
        Table("ScienceQA-FULL", "test", scienceqa_full),
    ],
    "mathvista": [Table("default", "testmini", mathvista, ("decoded_image",))],
    "pope": [Table("default", "test", pope)],
    "chartqa": [Table("default", "test", chartqa)],
    "docvqa": [Table("DocVQA", "validation", docvqa)],
    "textvqa": [Table("default", "validation", textvqa)],
    "vizwiz": [Table("default", "val", vizwiz)],
    "vqav2": [Table("default", "validation", vqav2)],
}


def save_benchmark(folder: Path, name: str) -> None:
    """Write a benchmark's Parquet files, and the card that says which config and split each is."""
    tables = TABLES[name]
    configs = []
    for table in tables:
        place = "data" if table.config == "default" else table.config
        path = folder / place / f"{table.split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, table.rows(), table.images)
        files = [{"split": table.split, "path": f"{place}/{table.split}-*"}]
        configs.append({"config_name": table.config, "data_files": files})
    card = yaml.safe_dump({"configs": configs}, sort_keys=False)
    (folder / "README.md").write_text(f"---\n{card}---\n\n# {name}, made for tests\n")


def _write(path: Path, rows: Rows, images: Sequence[str]) -> None:
    """Write rows as `datasets` does: a picture is a struct of its bytes and its name."""
    from datasets import Dataset, Image

    dataset = Dataset.from_list(rows)
    for name in images:
        dataset = dataset.cast_column(name, Image())
    dataset.to_parquet(path)
