"""Writing the miniature's images and training sets as Hugging Face data sets, and its questions.

The questions have the layout of a benchmark that `paretoken questions` fetches.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paretoken.config.settings import digest
from paretoken.data.conversations import ANSWERS, ASKS
from paretoken.data.image_places import IMAGE_TEXT
from paretoken.errors import UserError
from paretoken.evaluate.ids import ROW_ID
from paretoken.evaluate.questions import PROMPT
from paretoken.io.files import sha256, write_json
from paretoken.io.finished import RUN_FILE
from paretoken.io.folders import replacing_folder
from paretoken.io.versions import git_state, versions
from paretoken.registry import BENCHMARKS
from paretoken.study.paths import WORLD_QUESTIONS
from paretoken.world.drawing import png, render
from paretoken.world.facts import Scenes, World
from paretoken.world.tokenizer import make_tokenizer
from paretoken.world.world_questions import Questions, ask, kind_shares
from paretoken.world.world_settings import (
    KINDS,
    READ,
    ImageSettings,
    MiniatureSettings,
    StageSettings,
)

#: Separate streams of random numbers, so that test data are independent of training data.
TRAIN_IMAGES, TEST_IMAGES, PRETRAIN, FINETUNE, SUITES = range(101, 106)

#: Text images with more digits than this belong to `read_dense`, the others to `read_sparse`.
SPARSE = 3

#: Kinds of questions, in the order of the file.
PARTS = ("fact", "number", "property", "read_sparse", "read_dense", "name")

#: Number of images that are drawn at a time.
CHUNK = 500


def write_miniature(
    out: Path, settings: MiniatureSettings, seed: int, world_seed: int
) -> dict[str, Any]:
    """Write all data sets of one seed and return their record, ``run.json``.

    Args:
        out: folder to write; `images/train`, `images/test` (id, image), `pretrain`, `finetune`
            (id, image, conversations: LLaVA's format, images by name), `questions/questions.parquet`
            (_id, image, prompt, question_id, part, answer, held_out, digits), and `tokenizer`, which all
            language models of this world share, so that conversations are tokenized only once.
        settings: the world and the sizes of the data sets.
        seed: seed of images and questions.
        world_seed: seed of icons and facts.

    Raises:
        UserError: the folder cannot be written, or there is no test image of some kind.
    """
    world = World(settings.world, world_seed)
    train = draw_scenes(world, settings.train_images, seed, TRAIN_IMAGES)
    test = draw_scenes(world, settings.test_images, seed, TEST_IMAGES)
    with replacing_folder(out) as folder:
        _write_images(folder / "images" / "train", world, train, "train", seed)
        _write_images(folder / "images" / "test", world, test, "test", seed)
        stages = {"pretrain": settings.pretrain, "finetune": settings.finetune}
        for stream, (name, stage) in zip((PRETRAIN, FINETUNE), stages.items(), strict=True):
            rng = np.random.default_rng([seed, stream])
            rows = [*image_rows(world, train, stage, rng), *text_rows(world, stage, rng)]
            _write(folder / name, rows)
        rows = question_rows(world, test, np.random.default_rng([seed, SUITES]))
        _write_questions(folder / WORLD_QUESTIONS, rows)
        make_tokenizer(world.words).save_pretrained(folder / "tokenizer")
        record = {
            "key": data_key(settings, seed, world_seed),
            "seed": seed,
            "world_seed": world_seed,
            "settings": settings.model_dump(mode="json"),
            "sha256": {
                str(path.relative_to(folder)): sha256(path)
                for path in [*sorted(folder.rglob("*.arrow")), folder / WORLD_QUESTIONS]
            },
            "git": git_state(Path(__file__).parent),
            "versions": versions("datasets", "numpy", "pyarrow", "pillow"),
        }
        write_json(folder / RUN_FILE, record)
    return record


def data_key(settings: MiniatureSettings, seed: int, world_seed: int) -> str:
    """Return a hash of everything that determines the data sets and their layout."""
    return digest("world", WORLD_QUESTIONS, settings, seed, world_seed)


def draw_scenes(world: World, images: ImageSettings, seed: int, stream: int) -> Scenes:
    """Return the scenes of one set of images."""
    return world.scenes(images.count, np.random.default_rng([seed, stream]), images.text_share)


def image_rows(
    world: World, scenes: Scenes, stage: StageSettings, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return a stage's conversations about images, without held-out facts."""
    chosen = rng.integers(0, len(scenes), stage.conversations)
    kinds = rng.choice(len(KINDS), (stage.conversations, stage.turns), p=kind_shares(stage.kinds))
    asked = ask(world, scenes.take(chosen), kinds, rng, skip_held_out=True)
    names = [image_file("train", int(number)) for number in chosen]
    return _conversations(world, "image", names, [IMAGE_TEXT + "\n"] * len(names), asked)


def text_rows(world: World, stage: StageSettings, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return a stage's rows without images: one question each about a named icon, on all facts."""
    if not stage.text_rows or stage.text_kinds is None:
        return []
    scenes = world.scenes(stage.text_rows, rng, text_share=0.0)
    kinds = rng.choice(len(KINDS), (stage.text_rows, 1), p=kind_shares(stage.text_kinds))
    asked = ask(world, scenes, kinds, rng, skip_held_out=False)
    named = [f"{world.words.words[world.words.icon + icon]} " for icon in scenes.icon]
    return _conversations(world, "text", [None] * len(named), named, asked)


def question_rows(world: World, scenes: Scenes, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the test questions, part by part: one of each applicable kind about every image.

    Raises:
        UserError: a part would be empty.
    """
    words = world.words.words
    parts: dict[str, list[dict[str, Any]]] = {name: [] for name in PARTS}
    for number, kind in enumerate(KINDS):
        kinds = np.full((len(scenes), 1), number)
        asked = ask(world, scenes, kinds, rng, skip_held_out=False)
        for row in np.flatnonzero(asked.kind[:, 0] == number):
            digits = int(scenes.digits[row])
            dense = "dense" if digits > SPARSE else "sparse"
            part = f"read_{dense}" if number == READ else kind
            parts[part].append(
                {
                    "image": image_file("test", int(row)),
                    PROMPT: words[asked.question[row, 0]],
                    "question_id": f"{kind}-{row:05d}",
                    "part": part,
                    "answer": words[asked.answer[row, 0]],
                    "held_out": bool(asked.held_out[row, 0]),
                    "digits": digits,
                }
            )
    empty = [name for name, rows in parts.items() if not rows]
    if empty:
        raise UserError(
            f"test_images.count = {len(scenes)} gives no question for {', '.join(empty)}; "
            "raise test_images.count, or set a text_share between 0 and 1"
        )
    rows = [row for name in PARTS for row in parts[name]]
    return [{ROW_ID: str(number), **row} for number, row in enumerate(rows)]


def image_file(part: str, number: int) -> str:
    """Return the file name of an image."""
    return f"{part}-{number:05d}.png"


def _conversations(
    world: World, kind: str, images: Sequence[str | None], starts: Sequence[str], asked: Questions
) -> list[dict[str, Any]]:
    words = world.words.words
    rows = []
    for number, (image, start) in enumerate(zip(images, starts, strict=True)):
        turns = []
        for turn, (question, answer) in enumerate(
            zip(asked.question[number], asked.answer[number], strict=True)
        ):
            turns.append({"from": ASKS, "value": (start if turn == 0 else "") + words[question]})
            turns.append({"from": ANSWERS, "value": words[answer]})
        rows.append({"id": f"{kind}-{number:05d}", "image": image, "conversations": turns})
    return rows


def _write_images(path: Path, world: World, scenes: Scenes, part: str, seed: int) -> None:
    from datasets import Dataset, Features, Image, Value

    rng = np.random.default_rng([seed, TRAIN_IMAGES if part == "train" else TEST_IMAGES, 1])
    rows = []
    for start in range(0, len(scenes), CHUNK):
        numbers = np.arange(start, min(start + CHUNK, len(scenes)))
        pixels, _ = render(world, scenes.take(numbers), rng)
        rows += [
            {
                "id": f"{part}-{number:05d}",
                "image": {"path": image_file(part, number), "bytes": png(image)},
            }
            for number, image in zip(numbers.tolist(), pixels, strict=True)
        ]
    features = Features({"id": Value("string"), "image": Image()})
    _save(Dataset.from_list(rows, features=features), path)


def _write_questions(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    path.parent.mkdir()
    write_table(pyarrow.Table.from_pylist(rows), path)
    longest = BENCHMARKS.load("world").max_new_tokens  # a word and the end of the text
    record = {"benchmark": "world", "questions": len(rows), "max_new_tokens": longest}
    write_json(path.parent / RUN_FILE, record)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    from datasets import Dataset

    _save(Dataset.from_list(rows), path)


def _save(dataset: Any, path: Path) -> None:
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    dataset.save_to_disk(path)
