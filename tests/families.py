"""Tiny models and tokenizers of several families: real classes, templates and special tokens.

Templates are written from each family's public format. Tokenizers are of the family's kind (byte-level
BPE, or SentencePiece-like with a space in front), trained on a few sentences.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXT = [
    "what colour is it? What is this? it is red. A cat sits on the blue mat, and the dog is grey.",
    "USER: ASSISTANT: user assistant model system You are a helpful assistant. [INST] [/INST]",
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions.",
] * 4

QWEN2_5 = (
    "{%- if messages[0]['role'] == 'system' %}{{- '<|im_start|>system\n' + messages[0]['content'] + "
    "'<|im_end|>\n' }}{%- else %}{{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You "
    "are a helpful assistant.<|im_end|>\n' }}{%- endif %}"
    "{%- for message in messages %}{%- if (message.role == 'user') or (message.role == 'system' and "
    "not loop.first) or (message.role == 'assistant' and not message.tool_calls) %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)

#: Thoughts are written before the last answer only, and dropped from earlier ones.
QWEN3 = (
    "{%- set ns = namespace(last_query_index=messages|length - 1, multi=true) %}"
    "{%- for message in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}"
    "{%- if ns.multi and message.role == 'user' %}{%- set ns.multi = false %}"
    "{%- set ns.last_query_index = index %}{%- endif %}{%- endfor %}"
    "{%- for message in messages %}{%- if message.role == 'user' or message.role == 'system' %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}"
    "{%- elif message.role == 'assistant' %}{%- set content = message.content %}"
    "{%- set reasoning_content = '' %}{%- if '</think>' in content %}"
    "{%- set reasoning_content = content.split('</think>')[0].rstrip('\n').split('<think>')[-1]"
    ".lstrip('\n') %}{%- set content = content.split('</think>')[-1].lstrip('\n') %}{%- endif %}"
    "{%- if loop.index0 > ns.last_query_index and (loop.last or reasoning_content) %}"
    "{{- '<|im_start|>' + message.role + '\n<think>\n' + reasoning_content.strip('\n') + "
    "'\n</think>\n\n' + content.lstrip('\n') }}{%- else %}"
    "{{- '<|im_start|>' + message.role + '\n' + content }}{%- endif %}{{- '<|im_end|>\n' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\n\n</think>\n\n' }}{%- endif %}{%- endif %}"
)

LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + "
    "message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
    "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}"
    "{% endfor %}"
)

LLAMA2 = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + message['content'].strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}"
    "{% endif %}{% endfor %}"
)

GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}"
    "{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """What a tiny member of a family is made of.

    ``listed`` special tokens stand in the tokenizer's lists, ``added`` ones only among its added
    tokens; ``extra`` rows pad the embedding beyond the tokenizer.
    """

    model: str
    byte_level: bool
    template: str | None
    bos: str | None
    eos: str
    listed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    named: str = "chat"
    extra: int = 0
    tied: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    generation: dict[str, Any] = field(default_factory=dict)


_IM = ("<|im_start|>", "<|im_end|>")
FAMILIES = {
    "qwen1.5": Family(
        "qwen2", True, None, None, "<|endoftext|>", listed=_IM, named="qwen_1_5", extra=30, tied=True,
        options={"num_key_value_heads": 4},
        generation={"do_sample": True, "repetition_penalty": 1.1, "top_p": 0.8},
    ),
    "qwen2.5": Family("qwen2", True, QWEN2_5, None, "<|im_end|>", listed=_IM, extra=7, tied=True),
    "qwen3": Family(
        "qwen3", True, QWEN3, None, "<|im_end|>", listed=_IM, plain=("<think>", "</think>"), extra=7,
        options={"head_dim": 16},
    ),
    "llama3": Family(
        "llama", True, LLAMA3, "<|begin_of_text|>", "<|end_of_text|>",
        added=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    ),
    "llama2": Family("llama", False, LLAMA2, "<s>", "</s>"),
    "vicuna": Family(
        "llama", False, None, "<s>", "</s>", named="vicuna_v1",
        generation={"temperature": 0.9, "top_p": 0.6, "max_length": 4096},
    ),
    "mistral": Family(
        "mistral", False, MISTRAL, "<s>", "</s>", options={"sliding_window": 6},
    ),
    "gemma2": Family(
        "gemma2", False, GEMMA, "<bos>", "<eos>", listed=("<start_of_turn>", "<end_of_turn>"),
        tied=True, options={"head_dim": 16, "sliding_window": 6, "query_pre_attn_scalar": 16},
    ),
    "gemma3": Family(
        "gemma3_text", False, GEMMA, "<bos>", "<eos>", listed=("<start_of_turn>", "<end_of_turn>"),
        tied=True, options={"head_dim": 16, "sliding_window": 6, "query_pre_attn_scalar": 16},
    ),
}  # fmt: skip


def tokenizer(family: Family) -> Any:
    """Train a tokenizer of the family's kind; those with a first token put it before every text."""
    from tokenizers import (
        AddedToken,
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        processors,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE(unk_token=None if family.byte_level else "<unk>", byte_fallback=False))
    if family.byte_level:
        raw.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(_splits(), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        raw.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
        alphabet = sorted(set("".join(TEXT)) | {"\n", "▁", "<", ">"})
    first = [token for token in ("<unk>", family.bos, family.eos) if token]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=first, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(TEXT, trainer)
    if not family.byte_level:  # as Llama: no splits in use, but no piece crosses a space
        raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    raw.add_special_tokens([AddedToken(token, special=True) for token in family.listed + family.added])
    raw.add_tokens([AddedToken(token, special=False, normalized=False) for token in family.plain])
    if family.bos:
        number = raw.token_to_id(family.bos)
        raw.post_processor = processors.TemplateProcessing(
            single=f"{family.bos} $A", special_tokens=[(family.bos, number)]
        )
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token=family.bos,
        eos_token=family.eos,
        unk_token="<unk>",
        additional_special_tokens=list(family.listed),
    )
    made.chat_template = family.template
    return made


def _splits() -> Any:
    from tokenizers import Regex

    return Regex(r" ?\w+| ?[^\s\w]+|\s*[\r\n]+|\s+(?!\S)|\s+")


def save_llm(folder: Path, name: str, seed: int = 0) -> None:
    """Write a random model of two layers with grouped-query attention, and its tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    family = FAMILIES[name]
    made = tokenizer(family)
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "vocab_size": len(made) + family.extra, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 512, "tie_word_embeddings": family.tied, "initializer_range": 0.1,
        "bos_token_id": made.bos_token_id, "eos_token_id": made.eos_token_id, "pad_token_id": 0,
    }  # fmt: skip
    config = AutoConfig.for_model(family.model, **sizes | family.options)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    made.save_pretrained(folder)
    content = {"eos_token_id": made.eos_token_id, "pad_token_id": 0, **family.generation}
    (folder / "generation_config.json").write_text(json.dumps(content))


def save_siglip(folder: Path, seed: int = 0) -> None:
    """Write a random whole SigLIP model, text tower included, with its preprocessor."""
    import torch
    from transformers import SiglipConfig, SiglipModel

    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    config = SiglipConfig(
        text_config={**sizes, "num_hidden_layers": 1, "vocab_size": 20, "bos_token_id": None,
                     "eos_token_id": None, "pad_token_id": None},
        vision_config={**sizes, "num_hidden_layers": 4, "image_size": 24, "patch_size": 4},
    )  # fmt: skip
    SiglipModel(config).save_pretrained(folder)
    content = {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3,
        "image_processor_type": "SiglipImageProcessor", "image_std": [0.5] * 3, "resample": 3,
        "rescale_factor": 1 / 255, "size": {"height": 24, "width": 24},
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
