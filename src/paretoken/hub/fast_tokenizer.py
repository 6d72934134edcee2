"""Converting a directory's tokenizer to a fast one, and giving it a named chat template."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from paretoken.errors import UserError
from paretoken.model_files.pretrained import load_pretrained
from paretoken.registry import TEMPLATES

FAST, SENTENCEPIECE = "tokenizer.json", "tokenizer.model"


def make_fast(folder: Path) -> bool:
    """Convert a tokenizer that is stored as a SentencePiece model only (Vicuna-1.5) to a fast one.

    Returns:
        Whether it was converted: False for a tokenizer that is fast already.

    Raises:
        UserError: the folder holds no tokenizer, or it cannot be converted.
    """
    if (folder / FAST).is_file():
        return False
    if not (folder / SENTENCEPIECE).is_file():
        raise UserError(f"{folder} holds no tokenizer: neither {FAST} nor {SENTENCEPIECE}")
    if find_spec("sentencepiece") is None:
        raise UserError(
            f"{folder} has a tokenizer in SentencePiece's format only; to convert it, install "
            "sentencepiece and protobuf (both are in the `train` extra)"
        )
    from transformers import AutoTokenizer

    load_pretrained(AutoTokenizer, folder).save_pretrained(folder)
    if not (folder / FAST).is_file():
        raise UserError(f"the tokenizer in {folder} cannot be converted to a fast one")
    return True


def write_template(folder: Path, template: str) -> None:
    """Replace the tokenizer's chat template by a named one, stored as by `save_pretrained`."""
    for path in folder.glob("chat_template*"):
        path.unlink()
    (folder / "chat_template.jinja").write_text(TEMPLATES.load(template), encoding="utf-8")
