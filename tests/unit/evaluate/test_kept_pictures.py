"""Pictures are encoded once per run, and answers stay those of a model that encodes each batch anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tiny
from paretoken.cli import main
from paretoken.data.collation import pad_left, pad_right
from paretoken.data.tokenizers import load_tokenizer
from paretoken.evaluate import kept_pictures
from paretoken.evaluate.latency import MEASURED, WARM_UP, measure_latency
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.prediction import Predictor, expanded
from paretoken.evaluate.questions import Question
from paretoken.models.assemble import Choice, FeatureLayers, assemble, attach_encoder, feature_layers
from paretoken.models.question_states import shortened
from paretoken.models.vision import load_encoder, read_vision_config

#: Compressors with their V and the V of the answers.
KINDS = {
    "tokenpacker": (4, 4),
    "matryoshka_pooling": (36, 4),
    "downsample": (9, 9),
    "prumerge": (5, 5),
    "quecc": (4, 4),
}
PICTURES, BATCH, MOST_BYTES = 24, 7, kept_pictures.MOST_BYTES


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights for each of `KINDS`, whose answers differ by image."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("world")
    tiny.save_vision(folder / "vision")
    tiny.save_data(folder, PICTURES)
    tiny.save_model(folder)
    made = load_tokenizer(folder / "llm")
    image_id = made.convert_tokens_to_ids("<image>")
    vision = read_vision_config(folder / "vision")
    for name, (tokens, _) in KINDS.items():
        choice = Choice(name, tokens, heads=4, init_std=0.5)
        layers = FeatureLayers(feature_layers([choice], vision.num_hidden_layers))
        model = assemble(folder / "llm", vision, choice, layers, image_id, 0)
        side = round(tokens**0.5) if name == "downsample" else None
        attach_encoder(model, load_encoder(folder / "vision", layers.layers, False, side))
        model.save_pretrained(folder / name)
        made.save_pretrained(folder / name)
        preprocessor = (folder / "vision" / "preprocessor_config.json").read_text()
        (folder / name / "preprocessor_config.json").write_text(preprocessor)
    return folder


def opened(world: Path, kind: str = "tokenpacker", adaptive: bool = False) -> Predictor:
    tokens = KINDS[kind][1] if kind == "matryoshka_pooling" else None
    return open_predictor(world / kind, None, world / "images", BATCH, 4, tokens, adaptive)


def counted(predictor: Predictor) -> list[int]:
    """Return a list to which each call of the encoder adds its number of pictures."""
    calls: list[int] = []
    encoder: Any = predictor.model.vision_encoder
    encoder.register_forward_pre_hook(lambda module, given: calls.append(len(given[0])))
    return calls


def random_questions(seed: int, most_each: int = 1) -> list[Question]:
    """Questions of many lengths, with 0 to ``most_each`` pictures each and any number per picture."""
    rng = np.random.default_rng(seed)
    some = rng.choice(PICTURES, rng.integers(1, PICTURES + 1), replace=False)
    chosen = []
    for number in range(int(rng.integers(1, 60))):
        words = " ".join(rng.choice(tiny.WORDS, rng.integers(1, 9)))
        # Few pictures have most of the questions.
        names = [
            f"{some[int(len(some) * rng.random() ** 2)]}.png"
            for _ in range(rng.integers(0 if number % 5 == 0 else 1, most_each + 1))
        ]
        first = names[0] if names else None
        chosen.append(Question(str(number), first, words, (), tuple(names[1:])))
    return chosen


def different(questions: Sequence[Question]) -> int:
    return len({name for question in questions for name in question.images})


def tokens_of(predictor: Predictor, questions: Sequence[Question]) -> list[list[list[int]]]:
    """Return the new token ids of each batch of the predictor."""
    model: Any = predictor.model
    generate, found = model.generate, []

    def spy(**given: Any) -> Any:
        output = generate(**given)
        found.append(output[:, given["input_ids"].shape[1] :].tolist())
        return output

    model.generate = spy
    predictor.answer(questions)
    model.generate = generate
    return found


@torch.inference_mode()
def encoded_anew(predictor: Predictor, questions: Sequence[Question]) -> list[list[list[int]]]:
    """Return the new token ids of the same batches, whose pictures the model encodes itself."""
    model: Any = predictor.model
    encoder, V, found = predictor.encoder, model.config.visual_tokens, []
    prompts = encoder.prompts([question.prompt() for question in questions])
    for numbers in predictor._batches(questions, prompts):
        names = [name for i in numbers for name in questions[i].images]
        rows = expanded([prompts[i] for i in numbers], encoder.image_id, [V] * len(names))
        ids, mask = pad_left(rows, predictor.pad_id)
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
        if names:
            assert predictor.visual is not None
            unique = list(dict.fromkeys(names))
            given["pixel_values"] = predictor.visual.gather(predictor.visual.locate(unique))
            given["image_index"] = torch.tensor([unique.index(name) for name in names])
        if names and predictor.asks:
            texts = [questions[i].text for i in numbers for _ in questions[i].images]
            asked = shortened(encoder.questions(texts), model.config)
            given["question_ids"], given["question_mask"] = pad_right(asked)
        stops = sorted(predictor.stops)
        output = model.generate(
            **given, do_sample=False, max_new_tokens=4, eos_token_id=stops, pad_token_id=predictor.pad_id
        )
        found.append(output[:, ids.shape[1] :].tolist())
    return found


def kept_at_once(monkeypatch: pytest.MonkeyPatch, predictor: Predictor, pictures: int) -> Predictor:
    """Return a predictor of the same model that keeps only so many pictures."""
    assert predictor.pictures is not None
    each = MOST_BYTES / predictor.pictures.room
    monkeypatch.setattr(kept_pictures, "MOST_BYTES", int(each * (pictures + 0.5)))
    made = Predictor(
        predictor.model, predictor.encoder, predictor.visual, predictor.batch, 4, predictor.adaptive
    )
    assert made.pictures is not None
    assert made.pictures.room == pictures
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_each_picture_is_encoded_once_and_no_token_of_an_answer_changes(
    world: Path, kind: str, seed: int
) -> None:
    predictor, questions = opened(world, kind), random_questions(seed, 1 + seed % 3)
    calls = counted(predictor)
    found = tokens_of(predictor, questions)
    assert sum(calls) == predictor.encoded == different(questions)
    assert found == encoded_anew(predictor, questions)
    assert len({tuple(row) for batch in found for row in batch}) > 1 or len(questions) < 3


@pytest.mark.parametrize("kind", ["tokenpacker", "quecc"])
def test_few_pictures_in_memory_suffice_for_questions_on_one_each(
    world: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    whole, questions = opened(world, kind), random_questions(5)
    answers = whole.answer(questions)
    few = kept_at_once(monkeypatch, whole, 2)
    calls = counted(few)
    assert few.answer(questions) == answers
    assert sum(calls) == few.encoded == different(questions) > 4


def test_several_pictures_per_question_are_encoded_no_more_often_than_once_per_batch(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = opened(world)
    for seed, room in ((6, 1), (7, 3), (8, 9)):
        questions = random_questions(seed, 4)
        answers = whole.answer(questions)
        few = kept_at_once(monkeypatch, whole, room)
        assert few.answer(questions) == answers
        prompts = few.encoder.prompts([question.prompt() for question in questions])
        whole.batch = few.batch
        each = [[questions[i] for i in numbers] for numbers in whole._batches(questions, prompts)]
        assert different(questions) <= few.encoded <= sum(different(batch) for batch in each)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_kept_takes_memory(world: Path, kind: str) -> None:
    predictor = opened(world, kind)
    assert predictor.pictures is not None
    predictor.answer([Question(str(n), f"{n}.png", "what is it ?", ()) for n in range(3)])
    for value in predictor.pictures.get(["0.png", "1.png", "2.png"]).values():
        size = value.numel() * value.element_size()
        assert value.untyped_storage().nbytes() == size
        assert kept_pictures.MOST_BYTES // size == predictor.pictures.room


def test_adaptive_pictures_are_encoded_once_and_answered_as_if_alone(world: Path) -> None:
    predictor, questions = opened(world, "prumerge", adaptive=True), random_questions(10, 2)
    calls = counted(predictor)
    together = predictor.answer(questions)
    assert sum(calls) == different(questions)
    predictor.forget()
    assert [predictor.answer([question])[0] for question in questions] == together


def test_stored_features_are_not_kept_for_a_compressor_that_reads_the_question(world: Path) -> None:
    features = world / "stored"
    assert main(["features", "--vision", str(world / "vision"), "--data", str(world / "train.jsonl"),
                 "--images", str(world / "images"), "--layers", "2", "3",
                 "--out", str(features)]) == 0  # fmt: skip
    predictor = open_predictor(world / "quecc", features, batch=BATCH, max_new_tokens=4)
    assert predictor.pictures is not None
    assert predictor.pictures.room == 0
    kept = open_predictor(world / "quecc", images=world / "images", batch=BATCH, max_new_tokens=4)
    questions = random_questions(11)
    assert predictor.answer(questions) == kept.answer(questions)


def test_latency_includes_the_encoding_of_each_question(world: Path) -> None:
    predictor, questions = opened(world), random_questions(12)[:3]
    shown = [question for question in questions if question.images]
    calls = counted(predictor)
    predictor.answer(shown)
    calls.clear()
    measure_latency(predictor, shown)
    assert calls == [1] * (WARM_UP + MEASURED)


def test_the_command_says_how_often_pictures_were_encoded(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["predict", "--model", str(world / "model"), "--images", str(world / "images"),
            "--questions", *[str(world / "questions.jsonl")] * 2, "--batch", "5", "--out"]  # fmt: skip
    assert main([*line, str(tmp_path / "1.parquet"), str(tmp_path / "2.parquet")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("24 answers; 0 rows left out; 24 pictures encoded once")
    assert second.endswith("24 answers; 0 rows left out; 24 pictures, 0 times encoded")
