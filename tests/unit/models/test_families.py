"""Models of several families: assembled, trained, stored, loaded in three lines, asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

import families
import paretoken.models  # noqa: F401  # teaches transformers the model type
import tiny
from paretoken.data.conversations import Conversation
from paretoken.data.encoded_writer import write_encoded
from paretoken.data.labels import ChatEncoder
from paretoken.data.preprocessor import read_preprocessor
from paretoken.data.tokenizers import load_tokenizer
from paretoken.errors import UserError
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.processor import Processor
from paretoken.evaluate.questions import Question
from paretoken.models.assemble import Choice, FeatureLayers, assemble, attach_encoder, feature_layers
from paretoken.models.language import load_language_model
from paretoken.models.vision import load_encoder, read_vision_config
from paretoken.models.vlm import ParetokenModel
from paretoken.train.recipe import Recipe
from paretoken.train.stage import StageInputs, run_stage

NAMES = ["qwen1.5", "qwen3", "llama3", "vicuna", "mistral", "gemma2", "gemma3"]
#: The smoke study's pairs: each family once, both encoders.
PAIRS = [(name, ("clip", "siglip")[number % 2]) for number, name in enumerate(NAMES)]
V = 4


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("families")
    for name in NAMES:
        families.save_llm(folder / name, name)
    tiny.save_vision(folder / "clip")
    families.save_siglip(folder / "siglip")
    tiny.save_data(folder)
    return folder


def encoder_of(parts: Path, name: str) -> ChatEncoder:
    return ChatEncoder(load_tokenizer(parts / name), families.FAMILIES[name].named)


def build(parts: Path, name: str, vision: str = "clip") -> ParetokenModel:
    choice = Choice("tokenpacker", V, heads=4)
    layers = FeatureLayers(feature_layers([choice], 4))
    config = read_vision_config(parts / vision)
    model = assemble(parts / name, config, choice, layers, encoder_of(parts, name).image_id, 0)
    attach_encoder(model, load_encoder(parts / vision, layers.layers, False))
    return model.eval()


def inputs_of(parts: Path, name: str) -> tuple[list[int], list[int], list[bool]]:
    """Return a prompt, and ids and labels of a conversation, with V placeholders."""
    chat = encoder_of(parts, name)
    question = "<image>\nWhat is this?"
    encoded = chat.encode([Conversation("a", "a", (question, "A cat."))])[0]
    ids: list[int] = []
    learned: list[bool] = []
    for number, flag in zip(encoded.ids.tolist(), encoded.learned.tolist(), strict=True):
        repeat = V if number == chat.image_id else 1
        ids += [number] * repeat
        learned += [flag] * repeat
    prompt = [n for i in chat.prompts([question])[0] for n in [i] * (V if i == chat.image_id else 1)]
    return prompt, ids, learned


@pytest.mark.parametrize(("name", "vision"), PAIRS)
def test_stored_models_load_in_three_lines_and_answer_the_same(
    parts: Path, tmp_path: Path, name: str, vision: str
) -> None:
    model = build(parts, name, vision)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path).eval()
    assert type(loaded) is ParetokenModel
    prompt, _, _ = inputs_of(parts, name)
    pixels = torch.randn(1, 3, 24, 24)
    options: dict[str, Any] = {"max_new_tokens": 12, "do_sample": False, "eos_token_id": None}
    ids = torch.tensor([prompt])
    one = model.generate(input_ids=ids, pixel_values=pixels, **options)
    assert torch.equal(one, loaded.generate(input_ids=ids, pixel_values=pixels, **options))
    # The image is beyond the sliding windows of some: it still matters, through the second layer.
    other = model(input_ids=ids, pixel_values=-pixels).logits
    assert not torch.equal(other, model(input_ids=ids, pixel_values=pixels).logits)


@pytest.mark.parametrize("name", NAMES)
def test_padding_on_either_side_changes_nothing(parts: Path, name: str) -> None:
    model = build(parts, name)
    prompt, ids, learned = inputs_of(parts, name)
    pixels = torch.randn(1, 3, 24, 24)
    features = model.vision_encoder(pixels)  # type: ignore[misc]
    options: dict[str, Any] = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None}
    alone = model.generate(input_ids=torch.tensor([prompt]), features=features, **options)
    padded = torch.tensor([[0] * 9 + prompt])
    mask = torch.tensor([[0] * 9 + [1] * len(prompt)])
    left = model.generate(input_ids=padded, attention_mask=mask, features=features, **options)
    assert left[0, padded.shape[1] :].tolist() == alone[0, len(prompt) :].tolist()
    row = torch.tensor([ids])
    labels = torch.where(torch.tensor([learned]), row, -100)
    right = torch.nn.functional.pad(row, (0, 9))
    right_labels = torch.nn.functional.pad(labels, (0, 9), value=-100)
    with torch.no_grad():
        loss = model.train()(input_ids=row, labels=labels, features=features).loss
        same = model(input_ids=right, labels=right_labels, features=features).loss
        full = model.eval()(input_ids=row, labels=labels, features=features).loss
    torch.testing.assert_close(loss, same, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(loss, full, rtol=1e-5, atol=1e-6)  # capped logits are capped in both


@pytest.mark.parametrize("name", NAMES)
def test_visual_tokens_enter_the_first_layer_as_the_projector_makes_them(parts: Path, name: str) -> None:
    model = build(parts, name)
    prompt, _, _ = inputs_of(parts, name)
    ids, features = torch.tensor([prompt]), model.vision_encoder(torch.randn(1, 3, 24, 24))  # type: ignore[misc]
    seen: list[torch.Tensor] = []
    layer: Any = model.language_model.model.layers[0]  # type: ignore[union-attr]
    handle = layer.register_forward_pre_hook(lambda module, args, kwargs: seen.append(
        args[0] if args else kwargs["hidden_states"]), with_kwargs=True)  # fmt: skip
    model(input_ids=ids, features=features)
    handle.remove()
    places = ids[0] == model.config.image_token_id
    torch.testing.assert_close(seen[0][0, places], model.visual_tokens(features=features)[0])


def test_the_placeholder_may_lie_outside_the_embedding_and_sampling_habits_are_dropped(
    parts: Path,
) -> None:
    vicuna = build(parts, "vicuna")
    rows = vicuna.get_input_embeddings().weight.shape[0]  # type: ignore[union-attr]
    assert vicuna.config.image_token_id >= rows
    qwen = build(parts, "qwen1.5")
    assert qwen.config.image_token_id < qwen.get_input_embeddings().weight.shape[0]  # type: ignore[union-attr]
    for model in (vicuna, qwen):
        generation: Any = model.generation_config
        assert generation.repetition_penalty in (None, 1.0)
        assert generation.temperature in (None, 1.0)
        assert not generation.do_sample
        assert generation.max_length in (None, 20)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "vision"), PAIRS)
def test_both_stages_train_and_the_answers_stop(
    parts: Path, tmp_path: Path, name: str, vision: str
) -> None:
    chat = encoder_of(parts, name)
    turns = [(f"<image>\nWhat is {i}?", "red") for i in range(8)]
    conversations = [Conversation(str(i), f"{i}.png", turn) for i, turn in enumerate(turns)]
    common = {"global_batch": 4, "micro_batch": 4, "max_length": 128, "log_every": 1, "save_every": 50,
              "tensorboard": False}  # fmt: skip
    stages = {
        "pretrain": ("plain", 3, {"projector": 1e-3}),
        "finetune": (families.FAMILIES[name].named, 30, {"projector": 3e-3, "llm": 3e-3}),
    }
    for stage, (template, steps, rates) in stages.items():
        encoder = ChatEncoder(chat.tokenizer, template)
        write_encoded(tmp_path / template, conversations, encoder.encode(conversations),
                      encoder.image_id, {"template": template})  # fmt: skip
        recipe = Recipe.model_validate(
            common | {"stage": stage, "steps": steps, "learning_rates": rates}
        )
        adapter = None if stage == "pretrain" else tmp_path / "pretrain" / "adapter"
        record = run_stage(
            StageInputs(parts / name, parts / vision, tmp_path / template, tmp_path / stage,
                        Choice("average_pool", V), 0, images=parts / "images", adapter=adapter),
            recipe, say=lambda line: None,
        )  # fmt: skip
        losses = [loss for _, loss in record["loss"]]
        assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    folder = tmp_path / "finetune" / "model"
    predictor = open_predictor(folder, None, parts / "images", 4, 12)
    found = predictor.answer([Question("q", "0.png", "What is 0?", ("red",))])
    assert (found[0].text, found[0].generated_tokens < 12) == ("red", True)
    processor = Processor.from_pretrained(folder)
    model: Any = AutoModelForImageTextToText.from_pretrained(folder)
    inputs = processor([parts / "images" / "0.png"], ["What is 0?"])
    assert processor.decode(model.generate(**inputs, max_new_tokens=12), inputs) == ["red"]


@pytest.mark.parametrize("size", [(24, 24), (60, 37), (33, 90)])
def test_preprocessing_equals_the_siglip_processor(parts: Path, size: tuple[int, int]) -> None:
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8))
    reference = SiglipImageProcessorPil.from_pretrained(parts / "siglip")
    expected = reference(images=[image], return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(read_preprocessor(parts / "siglip")([image]), expected, atol=1e-5)
    padded = read_preprocessor(parts / "siglip", "pad")([image])
    assert padded.shape == (1, 3, 24, 24)


def test_siglip_features_are_its_hidden_states_without_a_class_token(parts: Path) -> None:
    encoder = load_encoder(parts / "siglip", [0, 2, 4], False)
    assert "head" not in dict(encoder.tower.named_children())
    tower: Any = encoder.tower
    pixels = torch.randn(2, 3, 24, 24)
    state = tower.embeddings(pixels)
    states = [state]
    for layer in tower.encoder.layers:
        state = layer(state, None)
        states.append(state)
    features = encoder(pixels)
    assert features.shape == (2, 3, 36, 32)
    for number, index in enumerate((0, 2, 4)):
        torch.testing.assert_close(features[:, number], states[index])


def test_weights_that_are_missing_are_not_made_up(parts: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    families.save_llm(tmp_path, "llama3")
    tensors = load_file(tmp_path / "model.safetensors")
    tensors.pop("model.layers.1.mlp.up_proj.weight")
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"layers\.1\.mlp\.up_proj\.weight and 0 more are missing"):
        load_language_model(tmp_path)


def test_families_that_cannot_be_counted_are_refused_before_training(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=20, bos_token_id=0,
                               eos_token_id=0)).save_pretrained(tmp_path)  # fmt: skip
    with pytest.raises(UserError, match="gpt2"):
        load_language_model(tmp_path)
