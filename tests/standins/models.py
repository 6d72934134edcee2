"""Directories as the hub holds Qwen1.5-Chat and CLIP, with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: Qwen1.5's own, as its tokenizer_config.json has it.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
#: How Qwen splits text before it merges bytes.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = [
    "What is the colour of the picture? It is red. It is green. It is blue. It is grey.",
    "Answer the question using a single word or phrase. Please answer yes or no.",
    "Answer with the option's letter from the given choices directly. A. B. C. D. system user",
    "You are a helpful assistant. Describe the picture briefly. a plain picture in one colour",
]


def tokenizer() -> Any:
    """Return a byte-level BPE tokenizer with Qwen's special tokens and its chat template."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.normalizer = normalizers.NFC()
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator(CORPUS, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=END, eos_token=STOP, additional_special_tokens=[START, STOP]
    )
    made.chat_template = CHAT_TEMPLATE
    return made


def save_qwen(folder: Path, hidden: int, layers: int = 2, seed: int = 0) -> int:
    """Write a small Qwen1.5-Chat; return how many parameters it has."""
    import torch
    from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    made = tokenizer()
    ids = {word: made.convert_tokens_to_ids(word) for word in (END, STOP)}
    config = Qwen2Config(
        vocab_size=512,  # more rows than tokens, as Qwen's have
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        bos_token_id=ids[END],
        eos_token_id=ids[STOP],
        pad_token_id=None,
    )
    model = Qwen2ForCausalLM(config)
    # On disk, Qwen1.5-Chat stops at either; max_new_tokens is not set there.
    model.generation_config = GenerationConfig(eos_token_id=[ids[STOP], ids[END]], pad_token_id=ids[END])
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return int(sum(parameter.numel() for parameter in model.parameters()))


def save_clip(folder: Path, seed: int = 0) -> int:
    """Write a small whole CLIP (6 x 6 patches), in .bin format; return its tower's parameters."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(seed)
    half = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4}
    config = CLIPConfig(
        vision_config=half | {"image_size": 24, "patch_size": 4, "projection_dim": 16},
        text_config=half
        | {"vocab_size": 64, "projection_dim": 16, "bos_token_id": 0, "eos_token_id": 1},
        projection_dim=16,
    )
    model = CLIPModel(config)
    folder.mkdir(parents=True)
    config.architectures = ["CLIPModel"]
    config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    content = {
        "crop_size": 24, "do_center_crop": True, "do_normalize": True, "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor", "resample": 3, "size": 24,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
    return int(sum(parameter.numel() for parameter in model.vision_model.parameters()))
