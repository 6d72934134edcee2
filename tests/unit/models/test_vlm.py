from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

import paretoken.models
from paretoken.errors import UserError
from paretoken.models.adapter import freeze_all_but, trainable_prefixes
from paretoken.models.assemble import (
    Choice,
    FeatureLayers,
    assemble,
    attach_encoder,
    feature_layers,
    load_adapter,
    save_adapter,
)
from paretoken.models.vision import load_encoder, read_vision_config
from paretoken.models.vlm import ParetokenModel

IMAGE = 40  # not in the vocabulary: the placeholder is never embedded
KINDS = ["qwen2", "llama"]


def build(parts: Path, kind: str, compressor: str, tokens: int, seed: int = 0) -> ParetokenModel:
    choice = Choice(compressor, tokens, heads=4)
    layers = FeatureLayers(feature_layers([choice], 4))
    vision = read_vision_config(parts / "vision")
    model = assemble(parts / kind, vision, choice, layers, IMAGE, seed)
    attach_encoder(model, load_encoder(parts / "vision", layers.layers, False))
    return model.eval()


def batch(tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two rows, the first padded on the left by two."""
    ids = torch.tensor([[0, 0, *[IMAGE] * tokens, 5, 6], [7, 8, *[IMAGE] * tokens, 9, 10]])
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    return ids, mask


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("compressor", "tokens"), [("none", 36), ("tokenpacker", 4), ("average_pool", 1)]
)
def test_a_stored_model_is_the_same_model(
    parts: Path, tmp_path: Path, kind: str, compressor: str, tokens: int
) -> None:
    model = build(parts, kind, compressor, tokens)
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
    }
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert type(loaded) is ParetokenModel
    expected, actual = model.state_dict(), loaded.state_dict()
    assert expected.keys() == actual.keys()
    assert all(torch.equal(expected[name], actual[name]) for name in expected)
    ids, mask = batch(tokens)
    pixels = torch.randn(2, 3, 24, 24)
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "pixel_values": pixels}
    assert torch.equal(model(**inputs).logits, loaded.eval()(**inputs).logits)
    assert type(AutoConfig.from_pretrained(tmp_path)).model_type == "paretoken"
    assert paretoken.models.ParetokenModel is ParetokenModel


@pytest.mark.parametrize("kind", KINDS)
def test_generation_with_padding_features_and_shared_images(parts: Path, kind: str) -> None:
    torch.manual_seed(0)
    model = build(parts, kind, "tokenpacker", 4)
    ids, mask = batch(4)
    pixels = torch.randn(2, 3, 24, 24)
    options: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
    both = model.generate(input_ids=ids, attention_mask=mask, pixel_values=pixels, **options)
    alone = model.generate(input_ids=ids[:1, 2:], pixel_values=pixels[:1], **options)
    assert both.shape == (2, ids.shape[1] + 6)
    assert both[0, ids.shape[1] :].tolist() == alone[0, ids.shape[1] - 2 :].tolist()
    assert model.vision_encoder is not None
    features = model.vision_encoder(pixels)
    stored = model.generate(input_ids=ids, attention_mask=mask, features=features, **options)
    assert torch.equal(both, stored)
    same = torch.stack([pixels[0], pixels[0]])
    twice = model(input_ids=ids, attention_mask=mask, pixel_values=same).logits
    once = model(
        input_ids=ids, attention_mask=mask, features=features[:1], image_index=torch.tensor([0, 0])
    ).logits
    torch.testing.assert_close(once, twice)


def test_the_image_matters_and_only_where_its_row_is(parts: Path) -> None:
    model = build(parts, "qwen2", "average_pool", 4)
    ids, mask = batch(4)
    pixels = torch.randn(2, 3, 24, 24)
    other = torch.stack([pixels[0], torch.randn(3, 24, 24)])
    first = model(input_ids=ids, attention_mask=mask, pixel_values=pixels).logits[:, -1]
    second = model(input_ids=ids, attention_mask=mask, pixel_values=other).logits[:, -1]
    torch.testing.assert_close(first[0], second[0])
    assert not torch.allclose(first[1], second[1])


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_image_it_is_the_language_model(parts: Path, kind: str) -> None:
    model = build(parts, kind, "none", 0)
    language = AutoModelForCausalLM.from_pretrained(parts / kind).eval()
    ids = torch.tensor([[3, 5, 6, 7]])
    torch.testing.assert_close(model(input_ids=ids).logits, language(input_ids=ids).logits)
    assert model.compressor is None
    with pytest.raises(UserError, match="0 visual tokens"):
        model(input_ids=ids, pixel_values=torch.zeros(1, 3, 24, 24))


@pytest.mark.parametrize("kind", KINDS)
def test_training_loss_is_the_mean_over_labelled_tokens(parts: Path, kind: str) -> None:
    model = build(parts, kind, "average_pool", 4)
    ids = torch.tensor([[5, *[IMAGE] * 4, 6, 7, 3], [5, *[IMAGE] * 4, 8, 3, 0]])
    labels = torch.full_like(ids, -100)
    labels[0, 6:8], labels[1, 5:7] = ids[0, 6:8], ids[1, 5:7]
    pixels = torch.randn(2, 3, 24, 24)
    logits = model(input_ids=ids, pixel_values=pixels).logits
    picked = [logits[0, 5], logits[0, 6], logits[1, 4], logits[1, 5]]
    expected = torch.nn.functional.cross_entropy(torch.stack(picked), torch.tensor([7, 3, 8, 3]))
    full = model(input_ids=ids, pixel_values=pixels, labels=labels).loss
    torch.testing.assert_close(full, expected)
    quick = model.train()(input_ids=ids, pixel_values=pixels, labels=labels)
    torch.testing.assert_close(quick.loss, expected)
    parts_of_batch = [
        model(
            input_ids=ids[i : i + 1],
            pixel_values=pixels[i : i + 1],
            labels=labels[i : i + 1],
            num_items_in_batch=4,
        ).loss
        for i in range(2)
    ]
    torch.testing.assert_close(torch.stack(parts_of_batch).sum(), expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("items", [None, 0, torch.tensor(0), 4])
def test_a_batch_without_any_label_has_loss_0_and_gradients_of_0(
    parts: Path, items: Any, training: bool
) -> None:
    model = build(parts, "qwen2", "average_pool", 4).train(training)
    ids = torch.tensor([[5, *[IMAGE] * 4, 6, 7, 3]])
    loss = model(
        input_ids=ids,
        pixel_values=torch.randn(1, 3, 24, 24),
        labels=torch.full_like(ids, -100),
        num_items_in_batch=items,
    ).loss
    loss.backward()
    assert loss.item() == 0
    for part in (model.projector, model.language_model):  # devices wait for each other's gradients
        gradients = [p.grad for p in part.parameters() if p.requires_grad]
        assert all(gradient is not None and not gradient.any() for gradient in gradients)


def test_stages_train_what_they_should(parts: Path) -> None:
    model = build(parts, "qwen2", "tokenpacker", 4)
    for stage, trained in (
        ("pretrain", {"compressor", "projector"}),
        ("finetune", {"compressor", "projector", "language_model"}),
    ):
        freeze_all_but(model, trainable_prefixes(stage))
        learns = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
        assert learns == trained


def test_the_seed_decides_new_weights_and_nothing_else_does(parts: Path) -> None:
    first = build(parts, "qwen2", "tokenpacker", 4, seed=1).state_dict()
    torch.randn(10)
    again = build(parts, "qwen2", "tokenpacker", 4, seed=1).state_dict()
    other = build(parts, "qwen2", "tokenpacker", 4, seed=2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    changed = {name.split(".")[0] for name in first if not torch.equal(first[name], other[name])}
    assert changed == {"compressor", "projector"}


def test_adapters_are_stored_and_checked(parts: Path, tmp_path: Path) -> None:
    model, other = (build(parts, "qwen2", "tokenpacker", 4, seed=seed) for seed in (1, 2))
    save_adapter(model, tmp_path, {})
    load_adapter(other, tmp_path)
    assert torch.equal(model.projector.output.weight, other.projector.output.weight)
    with pytest.raises(UserError, match="does not fit this model"):
        load_adapter(build(parts, "qwen2", "average_pool", 4), tmp_path)
    file = tmp_path / "adapter.safetensors"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        load_adapter(other, tmp_path)


def test_misuse_is_refused(parts: Path, tmp_path: Path) -> None:
    model = build(parts, "qwen2", "average_pool", 4)
    ids, _ = batch(4)
    pixels = torch.zeros(1, 3, 24, 24)
    with pytest.raises(UserError, match="no image is given"):
        model(input_ids=ids)
    with pytest.raises(UserError, match="8 image placeholders, but the images make 1 x 4"):
        model(input_ids=ids, pixel_values=pixels)
    with pytest.raises(UserError, match="not both"):
        model.visual_tokens(pixels, pixels)
    with pytest.raises(UserError, match="no hidden layer 9"):
        build_with_layers(parts, (9,))
    with pytest.raises(UserError, match="cannot make 5 tokens"):
        build(parts, "qwen2", "average_pool", 5)
    with pytest.raises(UserError, match="is not a directory"):
        build(parts, "missing", "average_pool", 4)
    (tmp_path / "broken").mkdir()
    for source in (parts / "qwen2").iterdir():
        content = source.read_bytes()
        cut = content[: len(content) // 2] if source.suffix == ".safetensors" else content
        (tmp_path / "broken" / source.name).write_bytes(cut)
    with pytest.raises(UserError, match="is not a whole safetensors file"):
        assemble(
            tmp_path / "broken",
            read_vision_config(parts / "vision"),
            Choice("average_pool", 4),
            FeatureLayers((3,)),
            IMAGE,
            0,
        )


def build_with_layers(parts: Path, layers: tuple[int, ...]) -> ParetokenModel:
    choice = Choice("average_pool", 4, layers=layers)
    found = FeatureLayers(feature_layers([choice], 4))
    return assemble(parts / "qwen2", read_vision_config(parts / "vision"), choice, found, IMAGE, 0)


def test_the_placeholder_is_never_generated(parts: Path, tmp_path: Path) -> None:
    """A vocabulary with room for the placeholder, and a model that likes it best."""
    inside = 11
    choice = Choice("average_pool", 1)
    layers = FeatureLayers(feature_layers([choice], 4))
    model = assemble(parts / "llama", read_vision_config(parts / "vision"), choice, layers, inside, 0)
    attach_encoder(model, load_encoder(parts / "vision", layers.layers, False))
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        head.zero_()
    ids = torch.tensor([[5, inside, 6]])
    pixels = torch.zeros(1, 3, *[model.config.vision_config.image_size] * 2)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path).eval()
    with torch.no_grad():  # all logits are 0 but that of the placeholder
        hidden = loaded.language_model.get_decoder()(inputs_embeds=loaded.embed(ids, pixels))
        loaded.get_output_embeddings().weight[inside] = hidden.last_hidden_state[0, -1]
    output = loaded.generate(input_ids=ids, pixel_values=pixels, max_new_tokens=3, do_sample=False)
    assert output.shape[1] > 3
    assert inside not in output[0, 3:]
