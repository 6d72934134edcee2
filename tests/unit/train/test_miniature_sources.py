"""The miniature's sources: they learn, and plain `transformers` loads what they write."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import miniature_settings as small
from paretoken.cli import main
from paretoken.data.conversations import Conversation
from paretoken.data.labels import ChatEncoder
from paretoken.data.tokenizers import load_tokenizer
from paretoken.errors import UserError
from paretoken.model_files.pretrained import weights_hash
from paretoken.train.sources.encoder import pretrain_vision
from paretoken.train.sources.llm import pretrain_llm
from paretoken.world.facts import World
from paretoken.world.world_questions import ask, dialogue
from paretoken.world.world_settings import KINDS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

WORLD = small.world().world


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("sources")
    pretrain_vision(folder / "vision", small.vision(), WORLD, seed=0, world_seed=1)
    pretrain_llm(folder / "llm", small.llm(), WORLD, width=16, seed=0, world_seed=1)
    return folder


@pytest.mark.parametrize("name", ["vision", "llm"])
def test_training_lowers_the_loss_and_is_recorded(sources: Path, name: str) -> None:
    record = json.loads((sources / name / "run.json").read_text())
    first, last = record["loss"][0], record["loss"][-1]
    assert first[0] == 1
    assert last[0] == record["steps"]
    assert last[1] < 0.75 * first[1]
    for key in ("recipe", "world", "seed", "world_seed", "git", "versions", "device", "peak_memory",
                "wall_s", "cpu_s", "parameters"):  # fmt: skip
        assert key in record
    measured = record["accuracy"] if name == "vision" else record["errors"]
    assert all(0 <= value <= 1 for value in measured.values())


def test_plain_transformers_loads_them(sources: Path) -> None:
    from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer, CLIPVisionModel

    vision = AutoModel.from_pretrained(sources / "vision")
    assert isinstance(vision, CLIPVisionModel)
    llm = AutoModelForCausalLM.from_pretrained(sources / "llm")
    assert type(llm).__name__ == "Qwen2ForCausalLM"
    tokenizer = AutoTokenizer.from_pretrained(sources / "llm")
    words = World(WORLD, 1).words
    assert len(tokenizer) == llm.config.vocab_size == len(words)
    assert tokenizer(" ".join(words.words))["input_ids"] == list(range(len(words)))
    assert tokenizer("icon1 rel12\nrel1")["input_ids"] == [
        words.id[w] for w in ("icon1", "rel12", "rel1")
    ]


def test_the_chat_template_is_the_frozen_one(sources: Path) -> None:
    from transformers import AutoTokenizer

    messages = Conversation("a", "a.png", ("<image>\nrel3", "val1", "num2", "7")).messages()
    for tokenizer in (load_tokenizer(sources / "llm"), AutoTokenizer.from_pretrained(sources / "llm")):
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        assert text == "<user> <image>\nrel3 val1 <end> <user> num2 7 <end> "
        prompt = tokenizer.apply_chat_template(messages[:1], tokenize=False, add_generation_prompt=True)
        assert prompt == "<user> <image>\nrel3 "


def test_conversations_are_tokenized_as_the_language_model_was_trained(sources: Path) -> None:
    world = World(WORLD, 1)
    rng = np.random.default_rng(0)
    scenes = world.scenes(20, rng, 0.4)
    asked = ask(world, scenes, rng.integers(0, len(KINDS), (20, 3)), rng, skip_held_out=False)
    image = np.full((20, 1), world.words.id["<image>"])
    expected, learned = dialogue(world, asked, image)
    chat = ChatEncoder(load_tokenizer(sources / "llm"))
    words = world.words.words
    for row in range(20):
        pairs = zip(asked.question[row], asked.answer[row], strict=True)
        turns = [words[word] for pair in pairs for word in pair]
        turns[0] = f"<image>\n{turns[0]}"
        encoded = chat.encode([Conversation(str(row), "a.png", tuple(turns))])[0]
        assert encoded.ids.tolist() == expected[row].tolist()
        assert encoded.learned.tolist() == learned.tolist()


def test_the_image_processor_is_clip_s(sources: Path) -> None:
    from PIL import Image
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    from paretoken.data.preprocessor import read_preprocessor

    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 48, 3)).astype(np.uint8))
    theirs = CLIPImageProcessorPil.from_pretrained(sources / "vision")(image, return_tensors="np")
    ours = read_preprocessor(sources / "vision", "crop")([image])
    np.testing.assert_allclose(ours, np.asarray(theirs["pixel_values"]), atol=1e-5)


def test_the_weights_are_a_function_of_the_seed(tmp_path: Path) -> None:
    recipe = small.llm(("steps", "5"))
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        pretrain_llm(tmp_path / name, recipe, WORLD, 16, seed, 1)
    hashes = [weights_hash(tmp_path / name) for name in "abc"]
    assert hashes[0] == hashes[1] != hashes[2]
    eye = small.vision(("steps", "3"))
    for name in ("d", "e"):
        pretrain_vision(tmp_path / name, eye, WORLD, 0, 1)
    assert weights_hash(tmp_path / "d") == weights_hash(tmp_path / "e")


def test_a_finished_source_is_kept_and_other_settings_are_refused(sources: Path) -> None:
    said: list[str] = []
    pretrain_llm(sources / "llm", small.llm(), WORLD, 16, 0, 1, say=said.append)
    assert "nothing to do" in said[0]
    with pytest.raises(UserError, match="other settings or seeds"):
        pretrain_llm(sources / "llm", small.llm(), WORLD, 16, 3, 1)


def test_the_encoder_has_the_grid_of_its_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["pretrain-vision", "--recipe", str(small.RECIPES / "miniature_vision.yaml"), "--world",
            str(small.RECIPES / "miniature_world.yaml"), "--out", str(tmp_path / "out")]  # fmt: skip
    assert main([*line, "--grid", "7"]) == 2
    assert "the miniature's encoder has a grid of 6 x 6 patches, but its record says grid: 7" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_rates_and_heads_follow_the_width() -> None:
    recipe = small.llm()
    assert recipe.rate(16) == pytest.approx(0.008)
    assert recipe.rate(144) == pytest.approx(0.008 * 9**-1.05)
    assert [recipe.heads(width) for width in (16, 28, 48, 84, 144, 208)] == [1, 1, 2, 3, 6, 8]
    with pytest.raises(UserError, match=r"width 58 cannot be split into 2 heads.*use 56 or 60"):
        recipe.heads(58)


def test_a_width_that_cannot_be_is_refused_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["pretrain-llm", "--width", "17", "--out", "nowhere",
            "--recipe", str(small.RECIPES / "miniature_llm.yaml")]  # fmt: skip
    assert main(line) == 2
    assert "cannot be split" in capsys.readouterr().err
