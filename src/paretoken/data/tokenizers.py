"""Loading tokenizers with the image's placeholder, and their chat templates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretoken.data.image_places import IMAGE_TEXT
from paretoken.errors import UserError
from paretoken.model_files.library_errors import explained
from paretoken.model_files.tokenizer_json import require_bounded_tokenizer, require_usual_settings
from paretoken.registry import TEMPLATES, unknown_name

if TYPE_CHECKING:
    from torch import Tensor

#: Stage 1 of LLaVA-1.5: image, caption, end of text; the question is left out.
PLAIN = "plain"
#: The same, token for token as in LLaVA-1.5: a line end instead of the end of text.
PLAIN_LLAVA = "plain_llava"
#: Names without a Jinja template: they take one question, which is left out, and one answer.
CAPTIONS_ONLY = (PLAIN, PLAIN_LLAVA)
#: The tokenizer's own template.
CHAT = "chat"


def template_text(tokenizer: Any, template: str) -> str | None:
    """Return the Jinja text of a template; None for those of `CAPTIONS_ONLY`.

    Raises:
        UserError: there is no such template, or the tokenizer has none of its own.
    """
    if template in CAPTIONS_ONLY:
        return None
    if template == CHAT:
        if isinstance(tokenizer.chat_template, str) and tokenizer.chat_template:
            return tokenizer.chat_template
        raise UserError(
            f"{tokenizer.name_or_path} has no chat template; name one: "
            f"--template {', '.join([*TEMPLATES, *CAPTIONS_ONLY])}"
        )
    if template not in TEMPLATES:
        raise UserError(unknown_name("template", template, [CHAT, *CAPTIONS_ONLY, *TEMPLATES]))
    return str(TEMPLATES.load(template))


def ending_tokens(tokenizer: Any) -> frozenset[int]:
    """Return the ids of the tokens that can end an answer: special ones, except image and unknown."""
    # Some families list their special tokens only among the added ones (Llama 3).
    added = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    never = {tokenizer.convert_tokens_to_ids(IMAGE_TEXT), tokenizer.unk_token_id}
    return frozenset({*tokenizer.all_special_ids, *added} - never | {tokenizer.eos_token_id})


def splitting_tokens(tokenizer: Any) -> frozenset[int]:
    """Return the ids of the tokens at which texts are split before all other processing.

    The unknown token is left out: it also represents letters that the vocabulary lacks.
    """
    added = tokenizer.added_tokens_decoder.items()
    return frozenset(
        number
        for number, token in added
        if token.special and not token.normalized and not token.single_word
    ) - {tokenizer.unk_token_id}


def vocabulary_hash(tokenizer: Any) -> str:
    """Return a hash of the tokens and their ids; tokenizers with equal hashes share token files."""
    tokens = sorted((number, token) for token, number in tokenizer.get_vocab().items())
    return hashlib.sha256(json.dumps(tokens).encode()).hexdigest()


def load_tokenizer(folder: Path) -> Any:
    """Load a tokenizer and ensure that it has ``<image>`` as one token.

    ``tokenizer.json`` is read as it is: `AutoTokenizer` would replace its splitting rules by those
    of the class that belongs to the language model's type, whatever the file contains.

    Raises:
        UserError: the directory holds no (fast) tokenizer, one that cannot be loaded, or one that lets
            texts grow without bounds.
    """
    from transformers import PreTrainedTokenizerFast

    from paretoken.model_files.pretrained import load_pretrained

    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{folder} holds no tokenizer.json (a fast tokenizer is needed)")
    require_bounded_tokenizer(folder / "tokenizer.json")
    require_usual_settings(folder / "tokenizer_config.json")
    tokenizer = load_pretrained(PreTrainedTokenizerFast, folder)
    with explained(f"the tokenizer in {folder} cannot be used"):
        if IMAGE_TEXT not in tokenizer.get_vocab():
            tokenizer.add_tokens([IMAGE_TEXT], special_tokens=True)
        unknown = tokenizer.unk_token
        if unknown is not None and unknown not in tokenizer.get_vocab():  # lookups would never end
            raise UserError(f"the tokenizer in {folder} lacks its own unk_token {unknown!r:.80}")
        ending_tokens(tokenizer), splitting_tokens(tokenizer)  # raise if special tokens are damaged
    return tokenizer


def encode(tokenizer: Any, texts: str | Sequence[str], **options: Any) -> Any:
    """Return a tokenizer's encoding of a text, or of each of several.

    Raises:
        UserError: it lacks the token for unknown text, or its rules take too long or are damaged.
    """
    with explained(f"the tokenizer {tokenizer.name_or_path} cannot tokenize a text"):
        return tokenizer(texts, **options)


def spell_answers(tokenizer: Any, ids: Sequence[list[int]] | Tensor) -> list[str]:
    """Return generated ids decoded as transformers decodes them, without special tokens.

    Raises:
        UserError: the tokenizer's decoder is damaged.
    """
    with explained(f"the tokenizer {tokenizer.name_or_path} cannot decode an answer"):
        found: list[str] = tokenizer.batch_decode(ids, skip_special_tokens=True)
    return found


def decode(tokenizer: Any, ids: Sequence[list[int]], special: bool = False) -> list[str]:
    """Return the texts of lists of ids, without special tokens unless ``special``.

    Raises:
        UserError: the tokenizer's decoder is damaged.
    """
    with explained(f"the tokenizer {tokenizer.name_or_path} cannot decode tokens"):
        found: list[str] = tokenizer.backend_tokenizer.decode_batch(ids, skip_special_tokens=not special)
    return found
