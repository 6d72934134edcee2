"""Whole models with each compressor: generation, storing, any width, questions, elastic tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText

import families
import paretoken.models  # noqa: F401  # teaches transformers the model type
import tiny
from paretoken.compressors.reach import reachable_tokens
from paretoken.compressors.specification import compressors_that, specification
from paretoken.data.collation import pad_left
from paretoken.errors import UserError
from paretoken.evaluate.open import load_model
from paretoken.models.adapter import freeze_all_but, trainable_prefixes
from paretoken.models.assemble import Choice, FeatureLayers, assemble, attach_encoder, feature_layers
from paretoken.models.configuration import ParetokenConfig
from paretoken.models.question_states import shortened
from paretoken.models.vision import encoded_side, load_encoder, read_vision_config
from paretoken.models.vlm import ParetokenModel
from paretoken.registry import COMPRESSORS

IMAGE, V, SIDE = 40, 4, 6
ELASTIC = compressors_that(lambda facts: facts.elastic)
METHODS = [name for name in COMPRESSORS if name != "none"]
OPTIONS: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}


def build(
    parts: Path, compressor: str, tokens: int = V, kind: str = "qwen2", seed: int = 0
) -> ParetokenModel:
    torch.manual_seed(0)
    choice = Choice(compressor, tokens, heads=4, init_std=0.3)
    layers = FeatureLayers(feature_layers([choice], 4))
    model = assemble(parts / kind, read_vision_config(parts / "vision"), choice, layers, IMAGE, seed)
    side = encoded_side(compressor, tokens)
    attach_encoder(model, load_encoder(parts / "vision", layers.layers, False, side))
    return model.eval()


def prompts(tokens: int = V) -> dict[str, torch.Tensor]:
    """Two questions about two images, the first padded on the left by two."""
    torch.manual_seed(3)
    ids = torch.tensor([[0, 0, *[IMAGE] * tokens, 5, 6], [7, 8, *[IMAGE] * tokens, 9, 10]])
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": torch.randn(2, 3, 24, 24)}


def asked(compressor: str, *texts: list[int]) -> dict[str, torch.Tensor]:
    if not specification(compressor).reads_text:
        return {}
    return {
        "question_ids": torch.tensor(texts),
        "question_mask": torch.ones(len(texts), len(texts[0])).long(),
    }


@pytest.mark.parametrize("name", METHODS)
def test_every_compressor_generates_and_is_stored_whole(parts: Path, tmp_path: Path, name: str) -> None:
    most = reachable_tokens(name, SIDE)[-1] if name in ELASTIC else V
    model = build(parts, name, most)
    model.save_pretrained(tmp_path)
    inputs = prompts() | asked(name, [5, 6], [9, 10])
    loaded = load_model(tmp_path, V if name in ELASTIC else None).eval()
    assert loaded.config.visual_tokens == V
    both = loaded.generate(**inputs, **OPTIONS)  # type: ignore[operator]
    assert both.shape == (2, 2 + V + 2 + 6)
    alone = {key: value[1:] for key, value in inputs.items()}
    assert torch.equal(loaded.generate(**alone, **OPTIONS), both[1:])  # type: ignore[operator]
    if name not in ELASTIC:
        again = AutoModelForImageTextToText.from_pretrained(tmp_path).eval()
        assert torch.equal(again.generate(**inputs, **OPTIONS), both)
    logits = loaded(**inputs).logits
    other = loaded(**inputs | {"pixel_values": inputs["pixel_values"].flip(0)}).logits
    assert not torch.allclose(logits[1, -1], other[1, -1])


@pytest.mark.parametrize("name", METHODS)
def test_stage_1_trains_compressor_and_projector_of_any_width(
    parts: Path, tmp_path: Path, name: str
) -> None:
    families.save_llm(tmp_path / "wide", "mistral")
    most = reachable_tokens(name, SIDE)[-1] if name in ELASTIC else V
    model = build(parts, name, most)
    for llm in (parts / "llama", tmp_path / "wide"):
        choice = Choice(name, most, heads=4)
        layers = FeatureLayers(feature_layers([choice], 4))
        made = assemble(llm, read_vision_config(parts / "vision"), choice, layers, IMAGE, 0)
        assert made.projector is not None
        assert made.projector.output.out_features == made.config.text_config.hidden_size
    model.train()
    freeze_all_but(model, trainable_prefixes("pretrain"))
    inputs = prompts(most) | asked(name, [5, 6], [9, 10])
    labels = torch.where(inputs["input_ids"] == 6, 6, -100)
    labels[1, -1] = 10
    model(**inputs, labels=labels).loss.backward()
    learned = [n for n, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 0]
    expected = [n for n, p in model.named_parameters() if p.requires_grad]
    assert learned == expected
    assert any(n.startswith("compressor.") for n in learned) == specification(name).learns


def test_the_question_changes_the_tokens_and_padding_does_not(parts: Path) -> None:
    model, inputs = build(parts, "quecc"), prompts()
    plain = model(**inputs, **asked("quecc", [5, 6], [9, 10])).logits
    other = model(**inputs, **asked("quecc", [5, 6], [9, 3])).logits
    torch.testing.assert_close(plain[0], other[0])
    assert not torch.allclose(plain[1, -1], other[1, -1], atol=1e-5)
    for left, right in (([1], []), ([], [1, 2]), ([3, 3], [1])):
        ids = torch.tensor([[*left, 5, 6, *right], [*left, 9, 10, *right]])
        mask = torch.tensor([[0] * len(left) + [1, 1] + [0] * len(right)] * 2)
        padded = model(**inputs, question_ids=ids, question_mask=mask).logits
        torch.testing.assert_close(padded, plain)
    with pytest.raises(UserError, match="needs the question"):
        model(**inputs)


def test_a_question_is_cut_where_training_cut_it_or_at_the_positions(parts: Path) -> None:
    config = build(parts, "quecc").config
    assert config.question_length is None
    long = [list(range(1000)), [1, 2]]
    assert shortened(long, config) == [long[0][: config.text_config.max_position_embeddings], [1, 2]]
    config.question_length = 7
    assert shortened(long, config) == [long[0][:7], [1, 2]]


def test_a_question_is_read_once_and_may_be_given_as_its_embedding(parts: Path) -> None:
    model, inputs = build(parts, "quecc"), prompts()
    ids = asked("quecc", [5, 6], [9, 10])
    text = model.question_embeddings(ids["question_ids"])
    language: Any = model.language_model
    hidden = language.model(input_ids=torch.tensor([[9, 10]])).last_hidden_state[0, -1]
    torch.testing.assert_close(text[1], hidden)
    expected = model.generate(**inputs, **ids, **OPTIONS)  # type: ignore[operator]
    assert torch.equal(model.generate(**inputs, text=text, **OPTIONS), expected)  # type: ignore[operator]
    passes: list[int] = []
    handle = language.model.register_forward_hook(lambda *_: passes.append(1))
    model.question_cache = {}
    torch.testing.assert_close(model.question_embeddings(ids["question_ids"]), text)
    torch.testing.assert_close(model.question_embeddings(ids["question_ids"].flip(0)), text.flip(0))
    handle.remove()
    assert len(passes) == 1
    assert set(model.question_cache) == {(5, 6), (9, 10)}


def test_one_image_has_other_tokens_for_each_question(parts: Path) -> None:
    model, inputs = build(parts, "quecc"), prompts()
    ids = asked("quecc", [5, 6], [9, 10])
    index = torch.tensor([0, 0])
    shared = model(
        **inputs | {"pixel_values": inputs["pixel_values"][:1]}, image_index=index, **ids
    ).logits
    twice = inputs["pixel_values"][:1].repeat(2, 1, 1, 1)
    torch.testing.assert_close(shared, model(**inputs | {"pixel_values": twice}, **ids).logits)


@pytest.mark.parametrize("name", ELASTIC)
def test_elastic_places_of_different_lengths_equal_models_of_each_length(parts: Path, name: str) -> None:
    model, x = build(parts, name, 36), prompts()["pixel_values"]
    rows, counts = [], [4, 1, 36, 9]
    for count in counts:
        rows.append(torch.tensor([[5, *[IMAGE] * count, 6, *[0] * (36 - count)]]))
    mixed = model(
        input_ids=torch.cat(rows), pixel_values=x, image_index=torch.tensor([0, 1, 0, 1]),
        token_counts=torch.tensor(counts),
    ).logits  # fmt: skip
    for place, count in enumerate(counts):
        model.config.visual_tokens = count
        if name == "matryoshka_query":
            model.compressor.tokens = count  # type: ignore[union-attr, assignment]
        alone = model(input_ids=rows[place][:, : count + 2], pixel_values=x[place % 2][None]).logits
        torch.testing.assert_close(mixed[place, : count + 2], alone[0], rtol=1e-4, atol=1e-5)
        model.compressor.tokens = 36  # type: ignore[union-attr, assignment]


def test_a_model_of_one_length_refuses_another(parts: Path, tmp_path: Path) -> None:
    build(parts, "tokenpacker").save_pretrained(tmp_path / "one")
    build(parts, "matryoshka_query", 36).save_pretrained(tmp_path / "any")
    with pytest.raises(UserError, match="trained with 4 visual tokens of tokenpacker"):
        load_model(tmp_path / "one", 1)
    with pytest.raises(UserError, match="cannot make 37 tokens"):
        load_model(tmp_path / "any", 37)
    assert load_model(tmp_path / "any", 7).config.visual_tokens == 7


def test_smaller_images_are_encoded_whole(parts: Path) -> None:
    model = build(parts, "downsample", 4)
    pixels = prompts()["pixel_values"]
    assert model.vision_encoder is not None
    features = model.vision_encoder(pixels)
    assert features.shape == (2, 1, 4, 32)
    small = torch.nn.functional.interpolate(pixels, size=(8, 8), mode="bicubic", antialias=True)
    tower: Any = model.vision_encoder.tower
    states = tower(pixel_values=small, interpolate_pos_encoding=True, output_hidden_states=True)
    torch.testing.assert_close(features[:, 0], states.hidden_states[3][:, 1:])
    whole = build(parts, "downsample", 36).vision_encoder
    plain = build(parts, "none", 36).vision_encoder
    assert whole is not None
    assert plain is not None
    assert torch.equal(whole(pixels), plain(pixels))


def test_the_encoders_last_attention_is_what_prumerge_reads(parts: Path) -> None:
    encoder = load_encoder(parts / "vision", [2, 5, 6], True)
    made = encoder(prompts()["pixel_values"])
    tower: Any = encoder.tower
    kept: dict[str, torch.Tensor] = {}
    last = tower.encoder.layers[-1].self_attn
    handles = [
        getattr(last, f"{n}_proj").register_forward_hook(lambda m, i, o, n=n: kept.update({n: o}))
        for n in "qk"
    ]
    tower(pixel_values=prompts()["pixel_values"])
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(made[:, 1], kept["k"][:, 1:])
    weights = (kept["q"] @ kept["k"].transpose(1, 2) / 32**0.5).softmax(-1)[:, 0, 1:]
    torch.testing.assert_close(made[:, 2, :, 7], weights)


def test_prumerge_refuses_an_encoder_without_a_class_token(tmp_path: Path) -> None:
    families.save_siglip(tmp_path)
    with pytest.raises(UserError, match="class token"):
        load_encoder(tmp_path, [1, 5, 6], False)


def test_features_hold_what_a_compressor_needs(tmp_path: Path) -> None:
    from paretoken.cli import main
    from paretoken.data.features import FeatureStore

    tiny.save_vision(tmp_path / "vision")
    tiny.save_data(tmp_path, images=3)
    common = ["features", "--vision", str(tmp_path / "vision"), "--data", str(tmp_path / "train.jsonl"),
              "--images", str(tmp_path / "images"), "--layers", "2", "3"]  # fmt: skip
    assert main([*common, "--out", str(tmp_path / "plain")]) == 0
    assert FeatureStore(tmp_path / "plain").layers == (2, 3)
    assert main([*common, "--compressors", "prumerge", "--out", str(tmp_path / "more")]) == 0
    assert FeatureStore(tmp_path / "more").layers == (2, 3, 5, 6)


@pytest.mark.parametrize("name", compressors_that(lambda facts: facts.adaptive))
def test_images_with_their_own_numbers_of_tokens_are_safe_in_a_batch(parts: Path, name: str) -> None:
    model = build(parts, name)
    pixels = torch.randn(3, 3, 24, 24) * torch.tensor([0.2, 1.0, 5.0])[:, None, None, None]
    own = model.adaptive_tokens(pixels)
    counts = [len(tokens) for tokens in own]
    rows = [[5, *[IMAGE] * counts[image], 6 + image] for image in (2, 0, 1)]
    ids, mask = pad_left(rows, 0)
    index = torch.tensor([2, 0, 1])
    together = model.generate(  # type: ignore[operator]
        input_ids=ids, attention_mask=mask, pixel_values=pixels, image_index=index,
        token_counts=torch.tensor(counts)[index], **OPTIONS,
    )[:, ids.shape[1] :]  # fmt: skip
    for place, image in enumerate((2, 0, 1)):
        alone = model.generate(  # type: ignore[operator]
            input_ids=torch.tensor([rows[place]]), pixel_values=pixels[image][None],
            token_counts=torch.tensor([counts[image]]), **OPTIONS,
        )[:, len(rows[place]) :]  # fmt: skip
        assert alone[0].tolist() == together[place].tolist()
    with pytest.raises(UserError, match="only prumerge and prumerge_plus"):
        build(parts, "tokenpacker").adaptive_tokens(pixels)


@pytest.mark.parametrize("name", list(COMPRESSORS))
def test_a_model_has_the_heads_of_its_compressors_authors_or_those_it_was_trained_with(
    name: str,
) -> None:
    own = ParetokenConfig(compressor=name)
    assert own.compressor_heads == specification(name).heads
    assert ParetokenConfig.from_dict(own.to_dict()).compressor_heads == own.compressor_heads
    other = ParetokenConfig(compressor=name, compressor_heads=2)
    assert ParetokenConfig.from_dict(other.to_dict()).compressor_heads == 2
