"""Lengths of a stage's training sequences: typical means, or those of the tokenized set if it exists."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from paretoken.config.settings import read_settings
from paretoken.data.conversations import BadRowError, parse_conversation
from paretoken.data.manifest import read_manifest
from paretoken.data.rows import iter_rows
from paretoken.errors import UserError
from paretoken.io.bounded import require_regular
from paretoken.world.world_settings import MiniatureSettings

#: The largest number of conversations of a tokenized set that are sampled.
SAMPLE = 20_000
#: Number of sampled pieces of the file of labels, and bytes of each.
PIECES, PIECE_BYTES = 64, 65_536
#: Characters per token of English text, and tokens that a chat template adds to a turn.
CHARACTERS, TURN_TOKENS = 4.2, 5
#: The first bytes of a .npy file, and the number of bytes before its header in version 1.
NPY_MAGIC, NPY_FIXED = b"\x93NUMPY", 10


@dataclass(frozen=True)
class Group:
    """Conversations of one kind.

    Attributes:
        count: number of conversations.
        text: mean tokens of each, without visual tokens.
        learned: mean tokens with a loss.
        image: whether each has an image.
    """

    count: int
    text: float
    learned: float
    image: bool


@dataclass(frozen=True)
class TrainingSet:
    """The conversations of one stage, and the origin of their lengths."""

    groups: tuple[Group, ...]
    origin: str

    @property
    def conversations(self) -> int:
        """Number of conversations."""
        return sum(group.count for group in self.groups)

    @property
    def images(self) -> int:
        """Number of conversations with an image."""
        return sum(group.count for group in self.groups if group.image)


#: LLaVA-1.5's data. Counts are exact. Nobody publishes token statistics of both sets, so the means are
#: derived from the sizes of the published files, at 4.2 characters per token:
#: - blip_laion_cc_sbu_558k.json has 181 MB, 324 bytes a record, of which the caption takes about 60
#:   characters; `plain` adds a line end and a stop token.
#: - llava_v1_5_mix665k.json has 1.03 GB; the same rows as Arrow have 768 MB, which leaves about 475 MB
#:   of text in 7.7 million turns. The 40,688 conversations of ShareGPT, cut at 2048 tokens, are about
#:   1300 tokens long; the others have about 12 short turns, boxes of digits among them, and templates.
LLAVA = {
    "pretrain": TrainingSet(
        (Group(558_128, text=17, learned=15, image=True),),
        "stated means of LLaVA-558K (from the size of its file; within about 20 %)",
    ),
    "finetune": TrainingSet(
        (
            Group(624_610, text=215, learned=90, image=True),
            Group(40_688, text=1300, learned=900, image=False),
        ),
        "stated means of the 665K mix (from the sizes of its files; within about 20 %)",
    ),
}


@lru_cache
def described_set(manifest: Path, stage: str) -> TrainingSet:
    """Return the lengths of downloaded conversations: LLaVA-1.5's, with the manifest's numbers of rows.

    Raises:
        UserError: the manifest cannot be read, or does not have the set.
    """
    usual = LLAVA[stage]
    told = read_manifest(manifest).set_named(stage).conversations
    if told.rows is None or told.rows == usual.conversations:
        return usual
    counts = (told.rows - (told.text_only or 0), told.text_only or 0)
    lengths = (usual.groups[0], LLAVA["finetune"].groups[1])
    groups = [replace(g, count=count) for g, count in zip(lengths, counts, strict=True) if count]
    return TrainingSet(tuple(groups), f"{manifest} (numbers), LLaVA-1.5's conversations (lengths)")


def own_set(conversations: Path, captions: bool) -> TrainingSet:
    """Return the lengths of one's own conversations: exact numbers, and tokens by their characters.

    Args:
        conversations: rows in any format of `paretoken.data.rows`.
        captions: whether the template leaves questions out (`plain`).

    Raises:
        UserError: the file is missing or cannot be read, or no row can be used.
    """
    if not conversations.exists():
        raise UserError(
            f"{conversations} does not exist on this machine, so its conversations cannot be counted; "
            "copy it here, or plan where it is"
        )
    return _own(conversations, captions, conversations.stat().st_mtime_ns)


@lru_cache
def _own(path: Path, captions: bool, written: int) -> TrainingSet:
    counts, text, learned = ([0, 0] for _ in range(3))
    for row in iter_rows(path):
        try:
            conversation = parse_conversation(row)
        except BadRowError:  # it is left out, or `paretoken data` refuses it
            continue
        alone = int(conversation.image is None)
        answers = sum(map(len, conversation.turns[1::2]))
        asked = 0 if captions else sum(map(len, conversation.turns[::2]))
        around = TURN_TOKENS * len(conversation.turns) if not captions else 1
        counts[alone] += 1
        learned[alone] += round(answers / CHARACTERS) + len(conversation.turns) // 2
        text[alone] += round((answers + asked) / CHARACTERS) + around
    if not any(counts):
        raise UserError(f"{path}: no row is a conversation; `paretoken data` says what is wrong")
    groups = [
        Group(count, text[i] / count, learned[i] / count, image=not i)
        for i, count in enumerate(counts)
        if count
    ]
    return TrainingSet(tuple(groups), f"{path} (numbers exact, lengths from characters)")


@lru_cache
def miniature_set(world: Path, stage: str) -> TrainingSet:
    """Return the lengths of the generated world's conversations: 4 tokens a turn, 2 of them learned."""
    settings = read_settings(world, MiniatureSettings, "world")
    data = settings.pretrain if stage == "pretrain" else settings.finetune
    groups = [Group(data.conversations, 4 * data.turns, 2 * data.turns, image=True)]
    if data.text_rows:
        groups.append(Group(data.text_rows, text=5, learned=2, image=False))
    return TrainingSet(tuple(groups), "the world's settings (exact)")


def tokenized_set(folder: Path) -> TrainingSet | None:
    """Return the means of a set that `paretoken tokenize` wrote; None if it cannot be read.

    Lengths are those of at most `SAMPLE` evenly spaced conversations. The files are read without numpy,
    whose import would take longer.
    """
    try:
        return _tokenized(folder, (folder / "offsets.npy").stat().st_mtime_ns)
    except (OSError, ValueError, UserError):
        return None


@lru_cache
def _tokenized(folder: Path, written: int) -> TrainingSet | None:
    for name in ("offsets.npy", "images.npy", "learned.npy"):
        require_regular(folder / name)
    offsets = _integers(folder / "offsets.npy", "q")
    images = _integers(folder / "images.npy", "i")
    learned = _share_learned(folder / "learned.npy")
    if not images or len(offsets) != len(images) + 1:
        return None
    step = max(1, len(images) // SAMPLE)
    sample = range(0, len(images), step)
    pictured = [offsets[i + 1] - offsets[i] - 1 for i in sample if images[i] >= 0]
    plain = [offsets[i + 1] - offsets[i] for i in sample if images[i] < 0]
    groups = []
    for lengths, image in ((pictured, True), (plain, False)):
        if lengths:
            count = round(len(images) * len(lengths) / len(sample))
            mean = sum(lengths) / len(lengths)
            groups.append(Group(count, mean, learned * (mean + image), image))
    return TrainingSet(tuple(groups), f"measured in {folder}")


def _integers(path: Path, code: str) -> array[int]:
    """Return a one-dimensional integer array of a .npy file in the machine's byte order."""
    content = path.read_bytes()
    start = _data_start(content)
    values = array(code)
    values.frombytes(content[start:])
    return values


def _data_start(content: bytes) -> int:
    if content[: len(NPY_MAGIC)] != NPY_MAGIC or content[len(NPY_MAGIC)] != 1:
        raise ValueError("not a .npy file of version 1")
    return NPY_FIXED + int.from_bytes(content[NPY_FIXED - 2 : NPY_FIXED], "little")


def _share_learned(path: Path) -> float:
    """Return the share of True in a file of booleans, estimated from evenly spaced pieces of it."""
    size, ones, seen = path.stat().st_size, 0, 0
    with path.open("rb") as stream:
        start = _data_start(stream.read(512))
        for piece in range(PIECES):
            stream.seek(start + max(0, size - start - PIECE_BYTES) * piece // (PIECES - 1))
            content = stream.read(PIECE_BYTES)
            ones, seen = ones + content.count(1), seen + len(content)
    return ones / seen if seen else 0.0
