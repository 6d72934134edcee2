"""Labels token by token, for the templates and special tokens of several families."""

from __future__ import annotations

from pathlib import Path

import pytest

import families
from paretoken.data.conversations import Conversation
from paretoken.data.labels import ChatEncoder
from paretoken.data.tokenizers import load_tokenizer
from paretoken.errors import UserError

QUESTION = "<image>\nWhat is this?"
TURNS = Conversation("a", "a.png", (QUESTION, "A cat.", "what colour is it?", "it is grey"))

#: Family -> the learned text of the two answers, and what the first answer's prompt ends with.
EXPECTED = {
    "qwen1.5": ("A cat.<|im_end|>", "it is grey<|im_end|>", "<|im_start|>assistant\n"),
    "qwen2.5": ("A cat.<|im_end|>", "it is grey<|im_end|>", "<|im_start|>assistant\n"),
    "qwen3": ("A cat.<|im_end|>", "it is grey<|im_end|>",
              "<|im_start|>assistant\n<think>\n\n</think>\n\n"),
    "llama3": ("A cat.<|eot_id|>", "it is grey<|eot_id|>",
               "<|start_header_id|>assistant<|end_header_id|>\n\n"),
    "llama2": ("A cat. </s>", "it is grey </s>", "[/INST]"),
    "vicuna": ("A cat.</s>", "it is grey</s>", "ASSISTANT:"),
    "mistral": ("A cat.</s>", "it is grey</s>", "[/INST]"),
    "gemma2": ("A cat.<end_of_turn>", "it is grey<end_of_turn>", "<start_of_turn>model\n"),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizers")
    for name in EXPECTED:
        families.tokenizer(families.FAMILIES[name]).save_pretrained(folder / name)
    return folder


def encoder(folders: Path, name: str, template: str | None = None) -> ChatEncoder:
    named = families.FAMILIES[name].named if template is None else template
    return ChatEncoder(load_tokenizer(folders / name), named)


def pieces(chat: ChatEncoder, conversation: Conversation) -> list[tuple[bool, str]]:
    """Return the text in runs of learned and other tokens, special tokens included."""
    encoded = chat.encode([conversation])[0]
    runs: list[tuple[bool, list[int]]] = []
    for number, learned in zip(encoded.ids.tolist(), encoded.learned.tolist(), strict=True):
        if not runs or runs[-1][0] != learned:
            runs.append((learned, []))
        runs[-1][1].append(number)
    return [(learned, chat.tokenizer.decode(ids).strip(" ")) for learned, ids in runs]


@pytest.mark.parametrize("name", EXPECTED)
def test_loss_is_on_both_answers_and_their_ends_and_nothing_else(folders: Path, name: str) -> None:
    first, second, _ = EXPECTED[name]
    runs = pieces(encoder(folders, name), TURNS)
    assert [text for learned, text in runs if learned] == [first, second]
    assert [learned for learned, _ in runs] in ([False, True, False, True], [False, True] * 2 + [False])


@pytest.mark.parametrize("name", EXPECTED)
def test_the_prompt_is_the_start_of_the_training_ids(folders: Path, name: str) -> None:
    chat = encoder(folders, name)
    prompt = chat.prompts([QUESTION])[0]
    encoded = chat.encode([Conversation("a", "a.png", (QUESTION, "A cat."))])[0]
    assert encoded.ids[: len(prompt)].tolist() == prompt
    assert encoded.learned.tolist().index(True) == len(prompt)
    assert prompt.count(chat.image_id) == 1
    assert chat.prompt_text(QUESTION).endswith(EXPECTED[name][2])


@pytest.mark.parametrize("name", EXPECTED)
def test_the_first_token_appears_once(folders: Path, name: str) -> None:
    chat, family = encoder(folders, name), families.FAMILIES[name]
    ids = chat.encode([Conversation("a", None, ("What is this?", "A cat."))])[0].ids.tolist()
    bos = chat.tokenizer.bos_token_id
    assert ids.count(bos) == (1 if family.bos else 0)
    plain = encoder(folders, name, "plain").encode([Conversation("a", "a", (QUESTION, "A cat."))])[0]
    start = [bos] if family.bos else []
    assert plain.ids[: len(start) + 1].tolist() == [*start, chat.image_id]
    assert plain.learned.tolist().index(True) == len(start) + 1
    assert encoder(folders, name, "plain").prompts([QUESTION])[0] == [*start, chat.image_id]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_end_of_an_answer_is_known(folders: Path, name: str) -> None:
    chat = encoder(folders, name)
    assert EXPECTED[name][0].endswith(chat.tokenizer.convert_ids_to_tokens(chat.end_id))
    assert encoder(folders, name, "plain").end_id == chat.tokenizer.eos_token_id


def test_vicuna_is_rendered_as_llava_1_5_does(folders: Path) -> None:
    chat = encoder(folders, "vicuna")
    encoded = chat.encode([TURNS])[0]
    assert chat.tokenizer.decode(encoded.ids, skip_special_tokens=False).replace("<s> ", "<s>") == (
        "<s>A chat between a curious user and an artificial intelligence assistant. The assistant gives "
        "helpful, detailed, and polite answers to the user's questions. USER: <image>\nWhat is this? "
        "ASSISTANT: A cat.</s>USER: what colour is it? ASSISTANT: it is grey</s>"
    )


def test_qwen_1_5_is_rendered_as_llava_next_does(folders: Path) -> None:
    chat = encoder(folders, "qwen1.5")
    encoded = chat.encode([Conversation("a", "a", (QUESTION, "A cat."))])[0]
    assert chat.tokenizer.decode(encoded.ids, skip_special_tokens=False) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<image>\n"
        "What is this?<|im_end|>\n<|im_start|>assistant\nA cat.<|im_end|>\n"
    )
    learned = encoded.ids[encoded.learned].tolist()
    # LLaVA-NeXT would learn <|im_start|> and newlines, too; see the module's docstring.
    assert chat.tokenizer.convert_tokens_to_ids("<|im_start|>") not in learned


def test_thoughts_are_not_learned_and_precede_each_answer_as_in_generation(
    folders: Path,
) -> None:
    """The template itself writes them before the last answer only."""
    chat = encoder(folders, "qwen3")
    runs = pieces(chat, TURNS)
    assert runs[0][1] == chat.prompt_text(QUESTION)
    for run in (runs[0][1], runs[2][1]):
        assert run.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")


def test_dates_in_prompts_do_not_pass(folders: Path) -> None:
    chat = encoder(folders, "llama3")
    chat.rendering.text = (
        "{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}"
        "{%- endif %}{{ 'Today Date: ' + date_string }}" + families.LLAMA3
    )
    assert "Today Date: 26 Jul 2024" in chat.prompt_text("What is this?")


def test_templates_without_a_name_or_of_other_models_are_refused(folders: Path) -> None:
    with pytest.raises(UserError, match=r"no chat template; name one: --template qwen_1_5.*vicuna_v1"):
        encoder(folders, "vicuna", "chat")
    with pytest.raises(UserError, match="did you mean 'vicuna_v1'"):
        encoder(folders, "vicuna", "vicuna_v2")
    with pytest.raises(UserError, match="template 'chatml' does not end answers"):
        print(encoder(folders, "mistral", "chatml").end_id)


def test_a_template_that_raises_is_a_clear_error(folders: Path) -> None:
    chat = encoder(folders, "gemma2")
    chat.rendering.text = "{{ raise_exception('never') }}"
    with pytest.raises(UserError, match="cannot render a conversation: never"):
        chat.prompts(["What is this?"])
