"""The miniature's tokenizer: one token per word, with a chat template."""

from __future__ import annotations

from typing import Any

from paretoken.world.vocabulary import END, IMAGE, PAD, SPECIALS, UNKNOWN, USER, Vocabulary

#: There is no tag before the answer, so the last word before it is the question.
CHAT_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<user> ' + m['content'] + ' ' }}"
    "{% else %}{{ m['content'] + ' <end> ' }}{% endif %}{% endfor %}"
)


def make_tokenizer(words: Vocabulary) -> Any:
    """Return a fast tokenizer with one token per word.

    Every word is also an added token: `AutoTokenizer` replaces the splitting rules of the tokenizer of a
    Qwen2 model by Qwen2's own, but added tokens are matched before these rules apply. A word thus has
    the same id however the directory is loaded.
    """
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.WordLevel(words.id, unk_token=UNKNOWN))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ordinary = words.words[len(SPECIALS) :]
    raw.add_tokens([AddedToken(word, normalized=False, single_word=True) for word in ordinary])
    kind: Any = PreTrainedTokenizerFast  # its methods are untyped
    made = kind(
        tokenizer_object=raw,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        additional_special_tokens=[USER, IMAGE],
    )
    made.chat_template = CHAT_TEMPLATE
    return made
