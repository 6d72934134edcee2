"""Tokenizing a file of conversations, in memory that does not grow with the file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from paretoken.data.conversations import BadRowError, Census, Conversation, iter_conversations
from paretoken.data.encoded_writer import EncodedWriter
from paretoken.data.labels import LABEL_RULE, ChatEncoder, EncodedConversation
from paretoken.data.rows import data_files, format_of, iter_rows
from paretoken.data.skips import Skips
from paretoken.data.tokenizers import CAPTIONS_ONLY, vocabulary_hash
from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.io.escape import shown
from paretoken.io.files import sha256
from paretoken.io.folders import replacing_folder
from paretoken.model_files.pretrained import combined_hash

#: Conversations that are tokenized and held in memory at a time.
PART = 2048

#: Files of a tokenizer that determine its result.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
)


@dataclass(frozen=True)
class Tokenized:
    """Statistics of a tokenized data set.

    Attributes:
        census: rows read and kept.
        tokens: number of tokens, an image counted as one.
        learned: number of tokens with a loss.
        repeated: number of conversations that equal an earlier one, image included; they are kept.
    """

    census: Census
    tokens: int
    learned: int
    repeated: int


def tokens_key(data: Path, llm: Path, template: str, skipped: Path | None, max_bad_share: float) -> str:
    """Return a hash of all that determines a tokenized data set."""
    files = [llm / name for name in TOKENIZER_FILES if (llm / name).is_file()]
    hashes = [f"{path.name} {sha256(path)}" for path in [*files, *data_files(data)]]
    left_out = "none" if skipped is None else sha256(skipped)
    # Older data sets named stored pictures by their paths; keys of all others must not change.
    named = ["pictures by content"] if _holds_pictures(data) else []
    rules = [template, left_out, str(max_bad_share), f"labels {LABEL_RULE}", *named]
    return combined_hash([*hashes, *rules])


def _holds_pictures(data: Path) -> bool:
    """Whether rows hold their pictures, judged by the first one with an image."""
    if data.is_file() and format_of(data) != ".parquet":  # JSON holds no bytes
        return False
    images = (row.get("image") for row in iter_rows(data))
    return isinstance(next((image for image in images if image is not None), None), Mapping)


def tokenize_file(
    data: Path,
    out: Path,
    encoder: ChatEncoder,
    skips: Skips,
    skipped: Collection[str],
    key: str,
    progress: ProgressCallback = silent,
) -> Tokenized:
    """Tokenize a file of conversations and write the result atomically.

    The rows are read twice, which takes seconds: malformed rows are thus found before the minutes that
    tokenizing takes, without holding all rows in memory. Rows that cannot be labelled are found while
    tokenizing, which stops as soon as there are too many.

    Args:
        data: conversations, see `iter_rows`.
        out: folder to write.
        encoder: renders and tokenizes conversations.
        skips: collects bad rows.
        skipped: images whose conversations are left out.
        key: hash of the settings, which is stored.
        progress: called with the number of conversations that are done and the number of all.

    Raises:
        UserError: the data are damaged, or more rows are bad than ``skips`` allows.
    """
    census, plain, seen = Census(), encoder.template in CAPTIONS_ONLY, set[int]()
    for conversation in iter_conversations(iter_rows(data), skips, skipped, census, plain):
        seen.add(hash((conversation.image, conversation.turns)))
    skips.check(census.rows)
    repeated, total = census.kept - len(seen), census.kept
    again = _numbered(data, skipped, plain)
    learned = done = 0
    with replacing_folder(out) as folder, EncodedWriter(folder) as writer:
        while part := list(islice(again, PART)):
            kept, encoded = _encode(part, encoder, skips, census)
            skips.check(census.rows)
            writer.add(kept, encoded)
            learned += sum(int(e.learned.sum()) for e in encoded)
            done += len(part)
            progress(done, total)
        writer.finish(encoder.image_id, _record(encoder, census, skips, key))
    return Tokenized(census, writer.tokens, learned, repeated)


def _numbered(data: Path, skipped: Collection[str], plain: bool) -> Iterator[tuple[int, Conversation]]:
    """Yield the valid conversations of a file with the numbers of their rows."""
    census = Census()
    rows = iter_conversations(iter_rows(data), Skips(str(data), 1.0), skipped, census, plain)
    return ((census.rows, conversation) for conversation in rows)


def _encode(
    part: list[tuple[int, Conversation]], encoder: ChatEncoder, skips: Skips, census: Census
) -> tuple[list[Conversation], list[EncodedConversation]]:
    """Return the conversations that can be labelled, and their tokens; the others are bad rows."""
    kept, encoded = [], []
    made = encoder.encode_each([conversation for _, conversation in part])
    for (number, conversation), found in zip(part, made, strict=True):
        if isinstance(found, BadRowError):
            skips.add(f"row {number} (id {shown(conversation.id)})", str(found))
            census.kept -= 1
            census.text_only -= conversation.image is None
        else:
            kept.append(conversation)
            encoded.append(found)
    return kept, encoded


def _record(encoder: ChatEncoder, census: Census, skips: Skips, key: str) -> dict[str, Any]:
    return {
        "key": key,
        "template": encoder.template,
        "vocabulary": vocabulary_hash(encoder.tokenizer),
        "conversations": census.kept,
        "skipped": skips.record(),
        "left_out_for_their_image": census.without_image_file,
    }
