"""Compare questions per second of `paretoken predict` with one-by-one `generate`, in one run."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

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

TOKENS, NEW, ROUNDS, ONE_BY_ONE = 4, 8, 3, 48


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


def batched(world: Path, questions: list[Question]) -> float:
    """Return questions per CPU second of `paretoken predict`'s loop."""
    predictor = open_predictor(world / "model", world / "features", max_new_tokens=NEW)
    started = time.process_time()
    predictor.answer(questions)
    return len(questions) / (time.process_time() - started)


def one_by_one(world: Path, questions: list[Question]) -> float:
    """Return questions per CPU second when `generate` gets one image and question at a time."""
    model: Any = open_predictor(world / "model", world / "features").model
    processor = Processor.from_pretrained(world / "model")
    started = time.process_time()
    for question in questions[:ONE_BY_ONE]:
        inputs = processor([world / "images" / (question.image or "")], [question.text])
        model.generate(**inputs, do_sample=False, max_new_tokens=NEW)
    return ONE_BY_ONE / (time.process_time() - started)


def main() -> None:
    """Print the speeds and their ratio."""
    quiet()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        world = make_world(Path(name))
        store_model(world)
        paretoken(["features", "--vision", str(world / "vision"), "--layers", "2", "3",
                   "--data", str(world / "questions.jsonl"), "--images", str(world / "images"),
                   "--out", str(world / "features")])  # fmt: skip
        questions = parse_questions(read_rows(world / "questions.jsonl"), Skips("questions"))
        rounds = [(batched(world, questions), one_by_one(world, questions)) for _ in range(ROUNDS)]
    for column, what in enumerate(("batched, stored features", "one by one, images")):
        print(f"{what}: {', '.join(f'{r[column]:.1f}' for r in rounds)} questions per CPU second")
    print(f"ratio (median): {statistics.median(a / b for a, b in rounds):.2f}")


if __name__ == "__main__":
    main()
