"""Compare questions per second of `paretoken predict` with the model's own `generate`, in one run.

There are as many questions per picture as in GQA (12,578 on 398), of similar lengths, and the pictures
have the size of photos.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from paretoken.cli import main as paretoken
from paretoken.commands.runtime import quiet
from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.data.tokenizers import load_tokenizer
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.processor import Processor
from paretoken.evaluate.questions import Question, parse_questions
from paretoken.models.assemble import Choice, FeatureLayers, assemble, attach_encoder
from paretoken.models.vision import load_encoder, read_vision_config
from timed_world import make_world

TOKENS, NEW, ROUNDS, ONE_BY_ONE, BATCH = 4, 8, 3, 48, 64
#: Questions, how many of them are about one picture, and the pixels of a picture.
ASKED, SHARED, SIZE = 2048, 32, (640, 480)


def store_model(world: Path) -> None:
    """Write an untrained model: its answers do not matter for the time it takes."""
    tokenizer = load_tokenizer(world / "llm")
    layers = FeatureLayers((2, 3))
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    vision = read_vision_config(world / "vision")
    model = assemble(world / "llm", vision, Choice("tokenpacker", TOKENS), layers, image_id, 0)
    attach_encoder(model, load_encoder(world / "vision", layers.layers, False))
    model.save_pretrained(world / "model")
    tokenizer.save_pretrained(world / "model")
    source = world / "vision" / "preprocessor_config.json"
    (world / "model" / source.name).write_bytes(source.read_bytes())


def ask_about_photos(world: Path) -> list[Question]:
    """Write photos, and return ``ASKED`` questions of varied lengths, ``SHARED`` about each photo."""
    rng = np.random.default_rng(0)
    asked = parse_questions(read_rows(world / "questions.jsonl"), Skips("questions"))
    words = " ".join(question.text for question in asked).split()
    (world / "photos").mkdir()
    for number in range(ASKED // SHARED):
        pixels = rng.integers(0, 255, (SIZE[1] // 16, SIZE[0] // 16, 3), dtype=np.uint8)
        photo = Image.fromarray(pixels).resize(SIZE, Image.Resampling.BICUBIC)
        photo.save(world / "photos" / f"{number}.jpg")
    lengths = np.clip(rng.lognormal(2.1, 0.45, ASKED), 3, 40).astype(int)
    return [
        Question(str(number), f"{number // SHARED}.jpg", " ".join(rng.choice(words, length)), ("x",))
        for number, length in enumerate(lengths)
    ]


def batched(
    world: Path, questions: list[Question], features: Path | None = None, images: Path | None = None
) -> tuple[float, int]:
    """Return questions per CPU second of `paretoken predict`'s loop, and how often it encoded."""
    predictor = open_predictor(world / "model", features, images, BATCH, NEW)
    started = time.process_time()
    predictor.answer(questions)
    return len(questions) / (time.process_time() - started), predictor.encoded


def generated(world: Path, questions: list[Question], batch: int) -> float:
    """Return questions per CPU second when `generate` gets ``batch`` images and questions at a time."""
    model: Any = open_predictor(world / "model", images=world / "photos").model
    processor = Processor.from_pretrained(world / "model")
    started = time.process_time()
    for start in range(0, len(questions), batch):
        part = questions[start : start + batch]
        images = [world / "photos" / (question.image or "") for question in part]
        inputs = processor(images, [question.text for question in part])
        model.generate(**inputs, do_sample=False, max_new_tokens=NEW)
    return len(questions) / (time.process_time() - started)


def main() -> None:
    """Print the speeds and their ratios."""
    quiet()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        world = make_world(Path(name))
        store_model(world)
        questions = ask_about_photos(world)
        (world / "photos.jsonl").write_text(
            "\n".join(json.dumps({"image": name}) for name in dict.fromkeys(q.image for q in questions))
        )
        paretoken(["features", "--vision", str(world / "vision"), "--layers", "2", "3",
                   "--data", str(world / "photos.jsonl"), "--images", str(world / "photos"),
                   "--out", str(world / "features")])  # fmt: skip
        rounds = []
        for _ in range(ROUNDS):
            stored, _ = batched(world, questions, features=world / "features")
            online, encoded = batched(world, questions, images=world / "photos")
            plain = generated(world, questions, BATCH)
            rounds.append((stored, online, plain, generated(world, questions[:ONE_BY_ONE], 1)))
    columns = ("predict, features", "predict, images", f"generate, {BATCH} at a time",
               "generate, one by one")  # fmt: skip
    for column, what in enumerate(columns):
        print(f"{what}: {', '.join(f'{r[column]:.1f}' for r in rounds)} questions per CPU second")
    pictures = len({question.image for question in questions})
    print(f"{len(questions)} questions on {pictures} pictures, {encoded} encoded")
    for column, against in ((1, 2), (1, 3), (0, 3)):
        ratio = statistics.median(speeds[column] / speeds[against] for speeds in rounds)
        print(f"{columns[column]} / {columns[against]}: {ratio:.2f} (median)")


if __name__ == "__main__":
    main()
