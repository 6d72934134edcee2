"""Tokenizers that know the image's placeholder, and the chat templates that they can be used with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paretoken.data.conversations import IMAGE_TEXT
from paretoken.errors import UserError
from paretoken.registry import TEMPLATES, unknown_name
from paretoken.tokenizer_json import require_bounded_tokenizer

#: Stage 1 of LLaVA-1.5: image, caption, end; the question is left out.
PLAIN = "plain"
#: The tokenizer's own template.
CHAT = "chat"


def template_text(tokenizer: Any, template: str) -> str | None:
    """Return the Jinja text of a template; None for ``plain``, which is none.

    Raises:
        UserError: there is no such template, or the tokenizer has none of its own.
    """
    if template == PLAIN:
        return None
    if template == CHAT:
        if isinstance(tokenizer.chat_template, str) and tokenizer.chat_template:
            return tokenizer.chat_template
        raise UserError(
            f"{tokenizer.name_or_path} has no chat template; name one: "
            f"--template {', '.join([*TEMPLATES, PLAIN])}"
        )
    if template not in TEMPLATES:
        raise UserError(unknown_name("template", template, [CHAT, PLAIN, *TEMPLATES]))
    return str(TEMPLATES.load(template))


def load_tokenizer(folder: Path) -> Any:
    """Load a tokenizer and make sure that it knows ``<image>`` as one token.

    ``tokenizer.json`` is read as it is: `AutoTokenizer` would replace its splitting rules by those
    of the class that belongs to the language model's type, whatever the file says.

    Raises:
        UserError: the directory holds no (fast) tokenizer, or one that lets texts grow without bounds.
    """
    from transformers import PreTrainedTokenizerFast

    from paretoken.pretrained import load_pretrained

    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{folder} holds no tokenizer.json (a fast tokenizer is needed)")
    require_bounded_tokenizer(folder / "tokenizer.json")
    tokenizer = load_pretrained(PreTrainedTokenizerFast, folder)
    if IMAGE_TEXT not in tokenizer.get_vocab():
        tokenizer.add_tokens([IMAGE_TEXT], special_tokens=True)
    return tokenizer
