"""A tiny Llama with the real vocabulary of Llama 2 learns its own training rows, numbers too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

import real_tokenizers
from paretoken.data.conversations import Conversation
from paretoken.data.labels import ChatEncoder, EncodedConversation
from paretoken.models.language import IGNORED, answer_loss

WORDS = ["red", "a cat", "Yes", "two dogs"]
NUMBERS = ["2", "17", "1998", "3.5"]
OTHERS = ["你好", "😀", "(b)", "日本"]
STEPS = 150


def model_of(vocabulary: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=256, bos_token_id=1, eos_token_id=2,
        pad_token_id=None,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def train(model: Any, rows: Sequence[EncodedConversation], steps: int) -> None:
    """Learn all rows at each step."""
    length = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    labels = torch.full_like(ids, IGNORED)
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = torch.from_numpy(row.ids)
        labels[number, np.flatnonzero(row.learned)] = torch.from_numpy(row.ids[row.learned]).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):  # padding follows what is learned, so a causal model needs no mask
        optimizer.zero_grad()
        answer_loss(model, model.model(ids).last_hidden_state, labels, None).backward()
        optimizer.step()


@pytest.mark.slow
def test_numbers_are_learned_as_words_are() -> None:
    chat = ChatEncoder(real_tokenizers.loaded("llama2"), "vicuna_v1")
    answers = [*WORDS, *NUMBERS, *OTHERS]
    questions = [f"What is in picture {chr(ord('a') + number)}?" for number in range(len(answers))]
    talks = [Conversation("", None, pair) for pair in zip(questions, answers, strict=True)]
    model = model_of(len(chat.tokenizer))
    train(model, chat.encode(talks), STEPS)
    found = []
    for prompt in chat.prompts(questions):
        made = model.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False, pad_token_id=0)
        found.append(chat.tokenizer.decode(made[0, len(prompt) :], skip_special_tokens=True).strip())
    assert found == answers
