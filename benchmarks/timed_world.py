"""Make models and data large enough to time: two million parameters and varied lengths."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import numpy as np

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SIZES: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
}


def make_world(folder: Path, conversations: int = 512, vocabulary: int = 4096) -> Path:
    """Write an encoder, a language model, images, conversations and questions; return the folder."""
    rng = np.random.default_rng(0)
    words = sorted({"".join(rng.choice(list(string.ascii_lowercase), 5)) for _ in range(vocabulary)})
    words = words[: vocabulary - 16]
    _write_models(folder, words, vocabulary)
    _write_images(folder / "images", conversations // 4, rng)
    rows, questions = [], []
    for number in range(conversations):
        # Lengths of instruction data vary over two orders of magnitude.
        length = int(np.clip(rng.lognormal(3.5, 0.8), 4, 300))
        question, answer, short = (
            " ".join(rng.choice(words, count)) for count in (length // 2, length // 2, 4 + number % 5)
        )
        turns = [("human", f"<image>\n{question}"), ("gpt", answer)]
        image = f"{number // 4}.png"
        rows.append(
            {
                "id": str(number),
                "image": image,
                "conversations": [{"from": r, "value": v} for r, v in turns],
            }
        )
        questions.append({"question_id": str(number), "image": image, "question": short, "answer": "x"})
    for name, content in (("train", rows), ("questions", questions)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, content)))
    return folder


def _write_models(folder: Path, words: list[str], vocabulary: int) -> None:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPVisionConfig,
        CLIPVisionModel,
        PreTrainedTokenizerFast,
        Qwen2Config,
        Qwen2ForCausalLM,
    )

    torch.manual_seed(0)
    names = ["<pad>", "<unk>", "<|im_start|>", "<|im_end|>", *words]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(names)}, unk_token=names[1]))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast: Any = PreTrainedTokenizerFast  # its constructor is untyped
    tokenizer = fast(
        tokenizer_object=raw,
        unk_token=names[1],
        pad_token=names[0],
        eos_token=names[3],
        additional_special_tokens=[names[2]],
    )
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder / "llm")
    text = Qwen2Config(
        **SIZES,
        num_key_value_heads=4,
        vocab_size=vocabulary,
        eos_token_id=3,
        bos_token_id=None,
        pad_token_id=0,
    )
    Qwen2ForCausalLM(text).save_pretrained(folder / "llm")
    vision = CLIPVisionConfig(**SIZES, image_size=48, patch_size=8)
    CLIPVisionModel(vision).save_pretrained(folder / "vision")
    content = {
        "size": {"shortest_edge": 48},
        "crop_size": {"height": 48, "width": 48},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    (folder / "vision" / "preprocessor_config.json").write_text(json.dumps(content))


def _write_images(folder: Path, count: int, rng: np.random.Generator) -> None:
    from PIL import Image

    folder.mkdir()
    for number in range(count):
        pixels = rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
