"""Converting between texts and token ids, also for a text that follows other ids."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from paretoken.data.tokenizers import decode, encode

#: Texts after which a text is tokenized if it cannot be tokenized after its prompt. Tokenizers like
#: Llama's add a blank in front of a text, but not after a line end. Small vocabularies merge line ends,
#: too; characters that no text has are encoded as bytes, which merge with nothing.
ANCHORS = ("", "\n", ":", "\x1f", "\U00010380")


class Spelling:
    """A tokenizer's conversions between texts and ids.

    Args:
        tokenizer: a fast tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of texts, without a token that the tokenizer would add in front."""
        if not texts:
            return []
        found: list[list[int]] = encode(self.tokenizer, list(texts), add_special_tokens=False)[
            "input_ids"
        ]
        return found

    def texts(self, ids: Sequence[list[int]], special: bool = False) -> list[str]:
        """Return the texts of ids, without special tokens unless ``special``."""
        return decode(self.tokenizer, ids, special)

    @staticmethod
    def same(written: str, text: str) -> bool:
        """Whether texts are equal except for changes by normalizers: blanks, case, Unicode form."""
        return written.strip() == text.strip() or _folded(written) == _folded(text)

    def after(self, prompt: list[int], text: str, whole: list[int]) -> list[int] | None:
        """Return ids of ``text`` that decode, after those of a prompt, to the same as ``whole``.

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
