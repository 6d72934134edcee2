"""What ids spell, and ids that spell a text behind others."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from paretoken.data.tokenizers import decode, encode

#: What a text is tokenized behind where it cannot be tokenized behind its prompt. Tokenizers of the
#: Llama kind write a blank in front of a text, but none behind a line end. Small vocabularies merge line
#: ends, too; letters that no text has are written as bytes, which merge with nothing.
ANCHORS = ("", "\n", ":", "\x1f", "\U00010380")


class Spelling:
    """Texts of ids and ids of texts.

    Args:
        tokenizer: a fast tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of texts, without a token that the tokenizer would put in front."""
        if not texts:
            return []
        found: list[list[int]] = encode(self.tokenizer, list(texts), add_special_tokens=False)[
            "input_ids"
        ]
        return found

    def texts(self, ids: Sequence[list[int]], special: bool = False) -> list[str]:
        """Return what ids spell, special tokens left out unless ``special``."""
        return decode(self.tokenizer, ids, special)

    @staticmethod
    def same(written: str, text: str) -> bool:
        """Whether texts are equal but for what tokenizers change on purpose: blanks, case, form."""
        return written.strip() == text.strip() or _folded(written) == _folded(text)

    def after(self, prompt: list[int], text: str, whole: list[int]) -> list[int] | None:
        """Return ids of ``text`` that spell, behind those of a prompt, the same as ``whole``.

        None if there are none.
        """
        for anchor in ANCHORS:
            start, ids = self.ids([anchor, anchor + text])
            found = ids[len(start) :]
            if ids[: len(start)] == start:
                written, wanted = self.texts([prompt + found, whole], special=True)
                if unicodedata.normalize("NFC", written) == unicodedata.normalize("NFC", wanted):
                    return found
        return None


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
