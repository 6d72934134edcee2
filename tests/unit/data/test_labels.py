"""Labels token by token, for two chat templates."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from paretoken.data.conversations import BadRowError, Conversation
from paretoken.data.labels import ChatEncoder, EncodedConversation
from paretoken.data.tokenizers import load_tokenizer
from paretoken.errors import UserError

TWO_TURNS = Conversation("a", "a.png", ("<image>\nwhat is it ?", "red", "what colour ?", "it is blue"))

LLAMA = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST] ' }}"
    "{% else %}{{ m['content'] + ' </s>' }}{% endif %}{% endfor %}"
)


def encoder(folder: Path, template: str, specials: tuple[str, ...], kind: str = "chat") -> ChatEncoder:
    tiny.tokenizer(template, specials).save_pretrained(folder)
    return ChatEncoder(load_tokenizer(folder), kind)


def labelled(chat: ChatEncoder, conversation: Conversation) -> list[tuple[str, bool]]:
    encoded = chat.encode([conversation])[0]
    words = chat.tokenizer.convert_ids_to_tokens(encoded.ids.tolist())
    return list(zip(words, encoded.learned.tolist(), strict=True))


def test_chatml_learns_answers_and_their_end_only(tmp_path: Path) -> None:
    chat = encoder(tmp_path, tiny.CHATML, ("<|im_start|>", "<|im_end|>"))
    no, yes = False, True
    assert labelled(chat, TWO_TURNS) == [
        ("<|im_start|>", no), ("user", no), ("\n", no), ("<image>", no), ("\n", no),
        ("what", no), ("is", no), ("it", no), ("?", no), ("<|im_end|>", no), ("\n", no),
        ("<|im_start|>", no), ("assistant", no), ("\n", no),
        ("red", yes), ("<|im_end|>", yes), ("\n", no),
        ("<|im_start|>", no), ("user", no), ("\n", no),
        ("what", no), ("colour", no), ("?", no), ("<|im_end|>", no), ("\n", no),
        ("<|im_start|>", no), ("assistant", no), ("\n", no),
        ("it", yes), ("is", yes), ("blue", yes), ("<|im_end|>", yes), ("\n", no),
    ]  # fmt: skip


def test_instruction_template_learns_answers_and_their_end_only(tmp_path: Path) -> None:
    chat = encoder(tmp_path, LLAMA, ("[INST]", "[/INST]", "</s>"))
    no, yes = False, True
    assert labelled(chat, TWO_TURNS) == [
        ("[INST]", no), ("<image>", no), ("\n", no), ("what", no), ("is", no), ("it", no), ("?", no),
        ("[/INST]", no), ("red", yes), ("</s>", yes),
        ("[INST]", no), ("what", no), ("colour", no), ("?", no), ("[/INST]", no),
        ("it", yes), ("is", yes), ("blue", yes), ("</s>", yes),
    ]  # fmt: skip


def test_plain_template_is_image_caption_end(tmp_path: Path) -> None:
    chat = encoder(tmp_path, tiny.CHATML, ("<|im_start|>", "<|im_end|>"), "plain")
    caption = Conversation("a", "a.png", ("<image>\nwhat is it ?", "it is red"))
    assert labelled(chat, caption) == [
        ("<image>", False),
        ("it", True),
        ("is", True),
        ("red", True),
        ("<|im_end|>", True),
    ]
    assert chat.prompts(["<image>\nwhat is it ?"]) == [[chat.image_id]]


@pytest.mark.parametrize("answer", ["user", "assistant", "what is it ?"])
def test_an_answer_that_repeats_the_prompt_is_found_at_its_own_place(
    tmp_path: Path, answer: str
) -> None:
    chat = encoder(tmp_path, tiny.CHATML, ("<|im_start|>", "<|im_end|>"))
    pairs = labelled(chat, Conversation("a", None, ("what is it ?", answer)))
    assert (
        " ".join(word for word, learned in pairs if learned) == answer.replace("?", "?") + " <|im_end|>"
    )
    assert not any(learned for _, learned in pairs[:11])


def test_the_prompt_of_a_question_is_the_start_of_its_training_ids(tmp_path: Path) -> None:
    chat = encoder(tmp_path, tiny.CHATML, ("<|im_start|>", "<|im_end|>"))
    question = "<image>\nwhat is it ?"
    prompt = chat.prompts([question])[0]
    encoded = chat.encode([Conversation("a", "a.png", (question, "red"))])[0]
    assert encoded.ids[: len(prompt)].tolist() == prompt
    assert encoded.learned.tolist().index(True) == len(prompt)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (tiny.CHATML.replace("m['content']", "m['content'].upper()"), "rewrites or drops"),
        (tiny.CHATML.replace("<|im_end|>", ""), "does not end answers"),
        (tiny.CHATML.replace("'<|im_end|>\n'", "('<|im_end|>\n' if loop.last else '\n')"), "after each"),
    ],
)
def test_templates_that_cannot_be_labelled_are_refused(
    tmp_path: Path, template: str, message: str
) -> None:
    chat = encoder(tmp_path, template, ("<|im_start|>", "<|im_end|>"))
    with pytest.raises(UserError, match=message):
        chat.encode([TWO_TURNS])


def test_a_conversation_that_cannot_be_labelled_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    chat = encoder(tmp_path, tiny.CHATML, ("<|im_start|>", "<|im_end|>"))
    turns = ("what is it ?", "red <|im_end|> blue", "what ?", "it")
    made = chat.encode_each([TWO_TURNS, Conversation("b", None, turns), TWO_TURNS])
    assert isinstance(made[1], BadRowError)
    alone = chat.encode([TWO_TURNS])[0]
    for found in (made[0], made[2]):
        assert isinstance(found, EncodedConversation)
        assert found.ids.tolist() == alone.ids.tolist()
        assert found.learned.tolist() == alone.learned.tolist()
    with pytest.raises(BadRowError, match="contains a special token"):
        chat.encode([TWO_TURNS, Conversation("b", None, turns)])


@pytest.mark.parametrize("question", ["what <|im_end|> ?", "<|im_start|>assistant\nred<|im_end|>\n"])
def test_a_question_may_look_like_an_answer(tmp_path: Path, question: str) -> None:
    chat = encoder(tmp_path, tiny.CHATML, ("<|im_start|>", "<|im_end|>"))
    for turns in ((question, "blue"), ("what ?", "red", question, "blue")):
        pairs = labelled(chat, Conversation("a", None, turns))
        words = [word for word, learned in pairs if learned]
        assert words == [w for turn in turns[1::2] for w in (turn, "<|im_end|>")]


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no tokenizer\.json"):
        load_tokenizer(tmp_path)
