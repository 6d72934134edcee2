"""Labels over real vocabularies: what is given and what has a loss are the whole conversation."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import real_tokenizers
from paretoken.data.conversations import BadRowError, Conversation
from paretoken.data.labels import ChatEncoder
from paretoken.data.rendering import FIXED
from paretoken.errors import UserError
from paretoken.registry import TEMPLATES

pytestmark = pytest.mark.slow

ALL_TEMPLATES = ("chat", "plain", "plain_llava", *TEMPLATES)
PAIRS = [(name, template) for name in real_tokenizers.TEMPLATES for template in ALL_TEMPLATES]
#: ChatML ends an answer with a token that these do not have.
REFUSED = {(name, t) for name in ("llama2", "llama3_1", "gemma3") for t in ("chatml", "qwen_1_5")}
QUESTION = "<image>\nHow many?"

PIECES = st.one_of(
    st.text(alphabet="0123456789.,-", min_size=1, max_size=5),
    st.text(alphabet="你好世界いろは한국어", min_size=1, max_size=4),
    st.sampled_from(
        ["😀", "👩‍👩‍👧", "🇫🇷", "é", "é", "̸", "́x", "नि", "\u200b", "שלום", "a cat", "Yes", "/", "]"]
    ),
    st.sampled_from([" ", "  ", "\n", "\n\n", "\t", "\r\n", " \n", "\u3000"]),
    st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"]),
)
TEXTS = st.lists(PIECES, min_size=1, max_size=5).map("".join).filter(str.strip)


def encoder_of(name: str, template: str) -> ChatEncoder:
    return ChatEncoder(real_tokenizers.loaded(name), template)


def runs(ids: Sequence[int], learned: Sequence[bool]) -> list[tuple[int, int]]:
    """Return where each run of learned tokens starts and stops."""
    edges = [
        i for i in range(len(ids) + 1) if (i < len(ids) and learned[i]) != (i > 0 and learned[i - 1])
    ]
    return list(zip(edges[::2], edges[1::2], strict=True))


def spelled(chat: ChatEncoder, ids: Sequence[int]) -> str:
    text: str = chat.tokenizer.backend_tokenizer.decode(list(ids), skip_special_tokens=False)
    return text


def answers_of(chat: ChatEncoder, turns: Sequence[str]) -> list[str]:
    return [turn for i, turn in enumerate(turns) if i % 2]


def require_invariant(
    chat: ChatEncoder, turns: tuple[str, ...]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Assert what holds for every conversation; return its ids and where they are learned."""
    made = chat.encode([Conversation("a", "a.png", turns)])[0]
    ids, where = made.ids.tolist(), runs(made.ids.tolist(), made.learned.tolist())
    answers = answers_of(chat, turns)
    prompt = chat.prompts([turns[0]])[0]
    assert ids[: where[0][0]] == prompt
    assert len(where) == len(answers)
    for (start, stop), answer in zip(where, answers, strict=True):
        if chat.template == "plain_llava":
            written = spelled(chat, ids[:stop])[len(spelled(chat, ids[:start])) :]
            assert written.endswith("\n")
            written = written[:-1]
        else:
            assert ids[stop - 1] == chat.end_id
            assert not chat.stops & set(ids[start : stop - 1])
            written = spelled(chat, ids[: stop - 1])[len(spelled(chat, ids[:start])) :]
        text = unicodedata.normalize("NFC", answer)
        assert unicodedata.normalize("NFC", written) in {text, f" {text}", f" {text} "}
    if len(answers) == 1 and chat.template.startswith("plain"):
        assert where[0][1] == len(ids)
    return ids, where


@pytest.mark.parametrize(("name", "template"), [pair for pair in PAIRS if pair not in REFUSED])
def test_what_is_given_and_what_is_learned_are_the_conversation(name: str, template: str) -> None:
    chat = encoder_of(name, template)
    turns = 1 if template.startswith("plain") else 3

    @settings(max_examples=25)
    @given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=turns))
    @example([("How many?", "2")])
    @example([("What does it say?", "你好")])
    @example([("What?", "\n\nx")])
    @example([("What?", "\u0301x"), ("And?", "\n\n2")])
    def holds(pairs: list[tuple[str, str]]) -> None:
        assume(name not in {"llama2", "gemma3"} or all("▁" not in a for _, a in pairs))
        texts = [text for pair in pairs[:turns] for text in pair]
        require_invariant(chat, (f"<image>\n{texts[0]}", *texts[1:]))

    holds()


@pytest.mark.parametrize(
    ("name", "template"),
    [pair for pair in PAIRS if pair not in REFUSED and not pair[1].startswith("plain")],
)
def test_each_turn_of_rows_as_they_are_read_equals_the_template(name: str, template: str) -> None:
    """Rows are read without surrounding blanks; for those nothing but the template's text is used."""
    chat = encoder_of(name, template)
    text = chat.rendering.text

    def written(turns: Sequence[str], generate: bool) -> list[int]:
        messages = Conversation("", None, tuple(turns)).messages()
        made = chat.tokenizer.apply_chat_template(
            messages, chat_template=text, tokenize=False, add_generation_prompt=generate, **FIXED
        )
        found: list[int] = chat.tokenizer(made, add_special_tokens=False)["input_ids"]
        return found

    @settings(max_examples=15)
    @given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
    def holds(pairs: list[tuple[str, str]]) -> None:
        assume(name not in {"llama2", "gemma3"} or all("▁" not in a for _, a in pairs))
        texts = [text.strip() for pair in pairs for text in pair]
        turns = (f"<image>\n{texts[0]}", *texts[1:])
        ids, where = require_invariant(chat, turns)
        turns_of_template = 1 if (name, template) == ("qwen3", "chat") else len(pairs)
        for number in range(turns_of_template):
            assert ids[: where[number][0]] == written(turns[: 2 * number + 1], True)
        if turns_of_template == len(pairs):
            assert ids == written(turns, False)

    holds()


#: The blank before an answer is given, so no token of the answer may hold it: each is tokenized apart.
BLANK_GIVEN = (
    "{{ bos_token or '' }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ 'USER: ' + m['content'] + ' ASSISTANT: ' }}{% else %}{{ m['content'] + eos_token }}{% endif %}"
    "{% endfor %}"
)


@pytest.mark.parametrize("name", real_tokenizers.TEMPLATES)
def test_a_blank_that_is_given_is_not_learned(name: str) -> None:
    chat = encoder_of(name, "chat")
    chat.rendering.text = BLANK_GIVEN

    @settings(max_examples=25)
    @given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
    @example([("How many?", "red"), ("And?", "blue")])
    def holds(pairs: list[tuple[str, str]]) -> None:
        assume(name not in {"llama2", "gemma3"} or all("▁" not in a for _, a in pairs))
        texts = [text for pair in pairs for text in pair]
        ids, where = require_invariant(chat, (f"<image>\n{texts[0]}", *texts[1:]))
        for number, (start, stop) in enumerate(where):
            given_text, answer = spelled(chat, ids[:start]), texts[2 * number + 1]
            assert given_text.endswith("ASSISTANT: ")
            written = spelled(chat, ids[: stop - 1])[len(given_text) :]
            assert written == unicodedata.normalize("NFC", answer) or written == answer

    holds()


@pytest.mark.parametrize(("name", "template"), sorted(REFUSED))
def test_templates_whose_end_a_tokenizer_does_not_have_are_refused(name: str, template: str) -> None:
    with pytest.raises(UserError, match="does not end answers with a special token"):
        encoder_of(name, template).encode([Conversation("a", "a.png", (QUESTION, "2"))])


@pytest.mark.parametrize(
    ("answer", "pieces"),
    [
        ("2", ["▁", "2"]),
        ("1998", ["▁", "1", "9", "9", "8"]),
        ("你好", ["▁", "你", "好"]),
        ("red", ["▁red"]),
    ],
)
def test_vicuna_learns_the_blank_before_an_answer(answer: str, pieces: list[str]) -> None:
    """As LLaVA-1.5 does, whose prompt ends with ``ASSISTANT:``."""
    chat = encoder_of("llama2", "vicuna_v1")
    made = chat.encode([Conversation("a", "a.png", (QUESTION, answer))])[0]
    words = chat.tokenizer.convert_ids_to_tokens(made.ids[made.learned].tolist())
    assert words == [*pieces, "</s>"]


def special_texts(chat: ChatEncoder) -> list[str]:
    end = chat.tokenizer.convert_ids_to_tokens(chat.end_id)
    return [end, f"a {end} b", f"{end}x", f"x{end}", "<image>", f"\n{end}\n"]


@pytest.mark.parametrize(
    ("name", "template"),
    [("llama2", "vicuna_v1"), ("llama2", "plain"), ("llama3_1", "chat"), ("qwen3", "chat"),
     ("qwen3", "chatml"), ("gemma3", "chat")],
)  # fmt: skip
def test_text_of_special_tokens_is_refused_in_answers_and_kept_in_questions(
    name: str, template: str
) -> None:
    chat = encoder_of(name, template)
    talks = [(QUESTION, "Yes", "And?", "No")] if template != "plain" else [(QUESTION, "Yes")]
    for special in special_texts(chat):
        for talk in talks:
            for place in range(len(talk)):
                turns = tuple(special if i == place else text for i, text in enumerate(talk))
                good, bad = chat.encode_each(
                    [Conversation("a", "a.png", talk), Conversation("b", "a.png", turns)]
                )
                assert not isinstance(good, BadRowError)
                assert isinstance(bad, BadRowError) == bool(place % 2)
                if place % 2 == 0 and special != "<image>":
                    require_invariant(chat, turns)


def llava_plain(tokenizer: Any, caption: str, image: int) -> tuple[list[int], list[bool]]:
    """Restate `preprocess_plain` and `tokenizer_image_token`: chunks around the image."""
    empty, chunk = tokenizer("").input_ids, tokenizer(caption + "\n").input_ids
    first = 1 if empty and empty[0] == tokenizer.bos_token_id else 0
    ids = [*empty[:first], image, *chunk[first:]]
    return ids, [False] * (first + 1) + [True] * (len(ids) - first - 1)


@pytest.mark.parametrize("name", real_tokenizers.TEMPLATES)
def test_plain_llava_is_llavas_stage_1_token_for_token(name: str) -> None:
    chat = encoder_of(name, "plain_llava")

    @settings(max_examples=60)
    @given(TEXTS)
    @example("a plain picture.")
    @example("2 dogs")
    def holds(caption: str) -> None:
        assume(name not in {"llama2", "gemma3"} or "▁" not in caption)
        made = chat.encode([Conversation("a", "a.png", (QUESTION, caption))])[0]
        expected = llava_plain(chat.tokenizer, caption, chat.image_id)
        assert (made.ids.tolist(), made.learned.tolist()) == expected

    holds()


def test_the_two_forms_of_stage_1_differ_in_their_end_only_with_llama_2() -> None:
    talk = Conversation("a", "a.png", (QUESTION, "2 dogs."))
    own, llava = (encoder_of("llama2", t).encode([talk])[0].ids for t in ("plain", "plain_llava"))
    assert own[:-1].tolist() == llava[:-1].tolist()
    words = real_tokenizers.loaded("llama2").convert_ids_to_tokens([own[2], own[-1], llava[-1]])
    assert words == ["▁", "</s>", "<0x0A>"]


def test_what_a_vocabulary_cannot_spell_is_refused_by_row() -> None:
    """SentencePiece writes ▁ for a blank: an answer that holds one would be learned as another."""
    chat = encoder_of("llama2", "vicuna_v1")
    bad, good = chat.encode_each(
        [Conversation("a", None, ("What?", "a▁b")), Conversation("b", None, ("What?", "a b"))]
    )
    assert isinstance(bad, BadRowError)
    assert "cannot represent an answer" in str(bad)
    assert not isinstance(good, BadRowError)
