"""A world of a few kilobytes: model directories, images, conversations and questions for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
COLOURS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220), "grey": (90, 90, 90)}
WORDS = ["what", "colour", "is", "it", "?", "user", "assistant", *COLOURS]
STEPS_PER_KILL = 5


def tokenizer(template: str = CHATML, specials: tuple[str, ...] = ("<|im_start|>", "<|im_end|>")) -> Any:
    """Return a fast word tokenizer with a chat template; it does not know ``<image>`` yet."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<pad>", "<unk>", *specials, "\n", *WORDS]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(names)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(" +"), "removed"),
            pre_tokenizers.Split(Regex("\n"), "isolated"),
            pre_tokenizers.Split("?", "isolated"),
        ]
    )
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token=specials[-1],
        additional_special_tokens=list(specials[:-1]),
    )
    made.chat_template = template
    return made


def save_llm(
    folder: Path, kind: str = "qwen2", tied: bool = True, seed: int = 0, std: float = 0.05
) -> None:
    """Write a random causal LM of two layers with its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    made = tokenizer()
    sizes: dict[str, Any] = {
        "vocab_size": len(made), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
        "tie_word_embeddings": tied, "bos_token_id": None, "eos_token_id": made.eos_token_id,
        "pad_token_id": 0, "initializer_range": std,
    }  # fmt: skip
    classes = {"qwen2": (Qwen2Config, Qwen2ForCausalLM), "llama": (LlamaConfig, LlamaForCausalLM)}
    config, model = classes[kind]
    model(config(**sizes)).save_pretrained(folder)
    made.save_pretrained(folder)


def save_vision(folder: Path, seed: int = 0) -> None:
    """Write a random CLIP tower of four layers on a 6 x 6 grid, with its preprocessor."""
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=24,
        patch_size=4,
    )
    CLIPVisionModel(config).save_pretrained(folder)
    content = {"size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24},
               "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 3}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(content))


def save_model(folder: Path) -> None:
    """Write ``folder``/model, of random weights and with the encoder, from its llm and vision.

    Answers differ by image: the language model beside it is replaced by one of larger weights.
    """
    from paretoken.data.tokenizers import load_tokenizer
    from paretoken.models.assemble import Choice, FeatureLayers, assemble, attach_encoder
    from paretoken.models.vision import load_encoder, read_vision_config

    save_llm(folder / "llm", kind="llama", tied=False, std=0.6)
    made = load_tokenizer(folder / "llm")
    image_id = made.convert_tokens_to_ids("<image>")
    choice = Choice("tokenpacker", 4, heads=4, init_std=0.5)
    vision = read_vision_config(folder / "vision")
    model = assemble(folder / "llm", vision, choice, FeatureLayers((2, 3)), image_id, 0)
    attach_encoder(model, load_encoder(folder / "vision", (2, 3), False))
    model.save_pretrained(folder / "model")
    made.save_pretrained(folder / "model")
    preprocessor = (folder / "vision" / "preprocessor_config.json").read_text()
    (folder / "model" / "preprocessor_config.json").write_text(preprocessor)


def save_data(folder: Path, images: int = 24, seed: int = 0) -> None:
    """Write images, ``train.jsonl`` (one or two questions each) and ``questions.jsonl``."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    train, questions = [], []
    for number in range(images):
        colour = list(COLOURS)[rng.integers(len(COLOURS))]
        pixels = np.clip(np.array(COLOURS[colour]) + rng.normal(0, 10, (24, 24, 3)), 0, 255)
        name = f"{number}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / name)
        turns = [("human", "<image>\nwhat colour is it ?"), ("gpt", colour)]
        turns += [("human", "what is it ?"), ("gpt", f"it is {colour}")] * int(number % 3 == 0)
        train.append({"id": str(number), "image": name,
                      "conversations": [{"from": r, "value": v} for r, v in turns]})  # fmt: skip
        questions.append({"question_id": f"q{number}", "image": name,
                          "question": "what colour is it ?", "answer": colour})  # fmt: skip
    for name, rows in (("train", train), ("questions", questions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


RECIPES = {
    "pretrain": {"stage": "pretrain", "learning_rates": {"projector": 5e-3}},
    "finetune": {"stage": "finetune", "learning_rates": {"projector": 5e-3, "llm": 3e-3}},
}


def save_recipes(folder: Path, **changes: Any) -> None:
    """Write ``pretrain.yaml`` and ``finetune.yaml`` of 20 steps of 8 conversations."""
    import yaml

    common = {"global_batch": 8, "micro_batch": 4, "steps": 20, "max_length": 96, "log_every": 5,
              "save_every": STEPS_PER_KILL, "tensorboard": False}  # fmt: skip
    for name, recipe in RECIPES.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe | common | changes))


def save_world(folder: Path) -> Path:
    """Write everything a run needs; return the folder."""
    save_llm(folder / "llm")
    save_vision(folder / "vision")
    save_data(folder)
    save_recipes(folder)
    return folder


def save_prepared_world(folder: Path, *feature_options: str) -> Path:
    """Write a world with its ``features`` and ``tokens``; return its folder."""
    from paretoken.cli import main

    save_world(folder)
    data = str(folder / "train.jsonl")
    assert main(["features", "--vision", str(folder / "vision"), "--data", data,
                 "--images", str(folder / "images"), *feature_options,
                 "--out", str(folder / "features")]) == 0  # fmt: skip
    assert (
        main(["tokenize", "--data", data, "--llm", str(folder / "llm"), "--out", str(folder / "tokens")])
        == 0
    )
    return folder
