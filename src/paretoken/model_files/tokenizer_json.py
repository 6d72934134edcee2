"""Validating that a tokenizer.json makes texts grow within bounds, in bounded time.

A normalizer may replace each letter by a thousand, and the next one each of those again. The largest
growth of a text is computed from the rules alone, without a text.

Format: https://huggingface.co/docs/tokenizers (the ``type`` of each rule).
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoken.errors import UserError
from paretoken.model_files.model_json import LARGEST, read_model_json

#: Largest growth of a text, in multiples of its length. A table of Unicode's compatibility forms has
#: single characters that become 18; SentencePiece's rules together come to some 40.
LARGEST_GROWTH = 100
#: Most rules in each part, most levels of nesting, and most characters or tokens that a rule inserts.
MOST_RULES, DEEPEST, MOST_ADDED = 200, 10, 1_000

#: Most characters of a word that WordPiece splits (mostly 100), in a time that grows as their cube, and
#: of a token of Unigram (mostly 16), whose prefixes are looked up at each position of a text.
LONGEST_WORD, LONGEST_TOKEN = 1_000, 1_000
#: Most characters of the affix that BPE and WordPiece add to each part of a word (mostly two).
LONGEST_AFFIX = 100
_AFFIXES = ("continuing_subword_prefix", "end_of_word_suffix")
#: Largest dropout of BPE's merges, mostly none; near 1 it searches for hours.
LARGEST_DROPOUT = 0.9

#: Expressions of which each part matches at least one character: classes and characters, with repeats.
_TAKES_TEXT = re.compile(
    r"((\\[sSdDwW]|\\[^A-Za-z0-9]|\\[pP]\{\^?\w+\}|[^\^$.|?*+()\[\]{}\\]|\."
    r"|\[\^?([^\[\]\\&^]|\\[sSdDwWtrn]|\\[^A-Za-z0-9])+\])(\+|\{[1-9][0-9]{0,3},?\})?)+"
)
#: Most characters of an expression that is checked for that.
LONGEST_EXPRESSION = 1_000

PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
_ADDED = ("content", "prepend", "str_rep", "replacement")


def require_bounded_tokenizer(path: Path) -> None:
    """Require that the rules of a tokenizer.json let no text grow without bounds.

    Raises:
        UserError: they do, or the file is not a tokenizer's.
    """
    content = read_model_json(path)
    _require_usual_ids(path, content)
    _require_fast_model(path, content["model"])
    for part in PARTS:
        rules = list(_rules(content.get(part), path, 0))
        if len(rules) > MOST_RULES:
            raise _refusal(path, f"has {len(rules):,} rules in its {part}, more than {MOST_RULES}")
        growth = 1.0
        for rule in rules:
            growth *= _growth(rule, path)
            if growth > LARGEST_GROWTH:
                raise _refusal(
                    path, f"lets its {part} make texts more than {LARGEST_GROWTH} times as long"
                )
    padding = content.get("padding")
    if padding is not None and _largest_number(padding) > 10**6:
        raise _refusal(path, "pads each text to more than a million tokens")


def require_usual_settings(path: Path) -> None:
    """Validate the settings in a tokenizer_config.json that transformers trusts, if the file exists.

    Raises:
        UserError: ``model_max_length`` is not a number.
    """
    length = read_model_json(path).get("model_max_length") if path.exists() else None
    if length is not None and (isinstance(length, bool) or not isinstance(length, int | float)):
        raise UserError(f"{path} has model_max_length = {str(length)[:60]!r}; write a number")


def _require_usual_ids(path: Path, content: Mapping[str, Any]) -> None:
    """Require that tokens have ids that a model's embedding could have."""
    model, added = content.get("model"), content.get("added_tokens") or []
    if not isinstance(model, Mapping) or not isinstance(added, list):
        raise _refusal(path, "has no model, or added_tokens that are not a list")
    vocabulary = model.get("vocab")
    listed = list(vocabulary.values()) if isinstance(vocabulary, Mapping) else []
    listed += [token.get("id") for token in added if isinstance(token, Mapping)]
    for number in listed:
        if type(number) is not int or not 0 <= number < LARGEST["vocab_size"]:
            raise _refusal(path, f"has a token with the id {str(number)[:20]}")


def _require_fast_model(path: Path, model: Mapping[str, Any]) -> None:
    """Require that splitting a text into tokens takes time in proportion to its length."""
    length, dropout = model.get("max_input_chars_per_word"), model.get("dropout")
    if isinstance(length, int | float) and length > LONGEST_WORD:
        raise _refusal(path, f"splits words of more than {LONGEST_WORD:,} characters")
    if isinstance(dropout, int | float) and dropout > LARGEST_DROPOUT:
        raise _refusal(path, f"drops more than {LARGEST_DROPOUT:.0%} of its merges (dropout)")
    for name in _AFFIXES:
        if len(str(model.get(name))) > LONGEST_AFFIX:
            raise _refusal(path, f"has a {name} of more than {LONGEST_AFFIX} characters")
    listed = model.get("vocab")
    for row in listed if isinstance(listed, list) else ():
        if isinstance(row, list) and row and len(str(row[0])) > LONGEST_TOKEN:
            raise _refusal(path, f"has a token of more than {LONGEST_TOKEN:,} characters")


def _rules(rule: Any, path: Path, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield a rule and the rules nested in it: ``Sequence`` has a list of them, under several names."""
    if depth > DEEPEST:
        raise _refusal(path, f"has rules nested more than {DEEPEST} deep")
    if isinstance(rule, Mapping):
        yield rule
        for value in rule.values():
            yield from _rules(value, path, depth + 1) if isinstance(value, Mapping | list) else ()
    elif isinstance(rule, list):
        for each in rule:
            yield from _rules(each, path, depth + 1) if isinstance(each, Mapping | list) else ()


def _growth(rule: Mapping[str, Any], path: Path) -> float:
    kind = rule.get("type")
    added = max((len(rule[name]) for name in _ADDED if isinstance(rule.get(name), str)), default=0)
    if added > MOST_ADDED:
        raise _refusal(path, f"has a rule ({kind}) that inserts {added:,} characters")
    if kind == "Replace":
        pattern = rule.get("pattern")
        text = pattern.get("String") if isinstance(pattern, Mapping) else None
        if isinstance(text, str) and text:
            return max(1.0, added / len(text))
        expression = pattern.get("Regex") if isinstance(pattern, Mapping) else None
        if isinstance(expression, str) and _takes_text(expression):
            return max(1.0, added)
        return 1.0 + added  # it may match the empty text between all letters
    if kind == "Precompiled":
        return max(1.0, _longest_replacement(rule.get("precompiled_charsmap"), path))
    if kind == "TemplateProcessing":
        return max(1.0, *(_repeats(rule.get(name)) for name in ("single", "pair")))
    if any(isinstance(value, list) and len(value) > MOST_ADDED for value in rule.values()):
        raise _refusal(path, f"has a rule that inserts more than {MOST_ADDED:,} tokens")
    return 1.0


def _takes_text(expression: str) -> bool:
    """Whether each match of a regular expression certainly has at least one character."""
    return len(expression) <= LONGEST_EXPRESSION and _TAKES_TEXT.fullmatch(expression) is not None


def _repeats(pieces: Any) -> int:
    """Return how often a template inserts the same text."""
    if not isinstance(pieces, list):  # nothing, or written as one text: `$A:0 </s>`
        return str(pieces).count("$")
    named = Counter(str(each.get("Sequence")) for each in pieces if isinstance(each, Mapping))
    del named[str(None)]
    return max(named.values(), default=0)


def _longest_replacement(charsmap: Any, path: Path) -> int:
    """Return the most characters that one becomes by SentencePiece's compiled table.

    The table holds the size of a trie in four bytes, the trie, and the replacements, each of which ends
    with a zero byte.
    """
    if not charsmap:
        return 1
    try:
        raw = base64.b64decode(charsmap, validate=True)
        size = struct.unpack_from("<L", raw)[0]
        texts = raw[4 + size :]
        _require_inside(np.frombuffer(raw[4 : 4 + size], "<u4"), len(texts))
    except (TypeError, ValueError, binascii.Error, struct.error) as error:
        raise _refusal(path, "has a damaged table of characters") from error
    return max(len(text.decode("utf-8", "replace")) for text in texts.split(b"\0"))


def _require_inside(units: NDArray[np.uint32], texts: int) -> None:
    """Raise `ValueError` if a trie leads outside of itself or of the replacements.

    A unit with the highest bit holds the offset of a replacement. Any other unit holds, relative to its
    own position, the block of 256 units with its children, of which a character selects one. Source:
    Darts-clone.
    """
    leaves = units >> 31 == 1
    if (units[leaves] & 0x7FFFFFFF).max(initial=0) > texts:
        raise ValueError("a replacement outside of the table")
    nodes = np.flatnonzero(~leaves)
    block = (nodes ^ (units[nodes] >> 10 << ((units[nodes] & 0x200) >> 6))) | 0xFF
    if block.max(initial=0) >= len(units):
        raise ValueError("a character outside of the trie")


def _largest_number(value: Any) -> float:
    if isinstance(value, Mapping):
        return max(map(_largest_number, value.values()), default=0)
    return abs(value) if isinstance(value, int | float) else 0


def _refusal(path: Path, what: str) -> UserError:
    return UserError(f"{path} {what}: not a usual tokenizer; take the file from its original source")
