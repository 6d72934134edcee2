"""Limits on untrusted archives, which may hold paths that lead out of them, or decompression bombs."""

from __future__ import annotations

import shutil
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from paretoken.errors import UserError
from paretoken.io.escape import shown

#: Entries that macOS adds to archives.
JUNK = ("__MACOSX", ".DS_Store")

#: Categories of characters that no name may have, since they forge log lines: controls, line separators.
_UNPRINTABLE = frozenset({"Cc", "Zl", "Zp"})
#: Marks that let a terminal show a name backwards.
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: Most bytes of one part of a path, and of the whole path: Linux can store these below any data root.
PART_BYTES, PATH_BYTES = 255, 2048


@dataclass(frozen=True)
class Limits:
    """The limits of what an archive may unpack to.

    Attributes:
        total_bytes: bytes of all files together.
        files: number of files.
        ratio: bytes of all files together, in multiples of the archive's size, beside ``slack_bytes``.
            Archives of images hardly compress; a bomb of zeros reaches 1000.
        members: number of entries, including folders and entries that are left out.
        folders: number of folders that hold files.
        depth: number of parts of a path.
        header_bytes: bytes of a tar's headers for one member besides the usual 512 (long names, pax
            headers).
        slack_bytes: bytes to which ``ratio`` does not apply: headers and padding of small archives, and
            some images of one colour, such as masks, which compress as zeros do.
    """

    total_bytes: int = 500 * 10**9
    files: int = 2_000_000
    ratio: float = 100.0
    members: int = 2_200_000
    folders: int = 100_000
    depth: int = 32
    header_bytes: int = 65_536
    slack_bytes: int = 64 * 2**20


class Budget:
    """The running totals of what an archive unpacks to; raises when a limit is exceeded.

    Args:
        path: the archive.
        limits: the limits of what it may unpack to.
        folding: whether the target's file system ignores the case of names (macOS), so that one file
            could overwrite another.
    """

    def __init__(self, path: Path, limits: Limits, folding: bool = False) -> None:
        self.path, self.limits, self.folding = path, limits, folding
        self.files, self.folders = set[str](), set[str]()
        self.total = self.members = self.left_out = 0
        self.compressed = path.stat().st_size
        self.allowed = min(limits.total_bytes, limits.ratio * self.compressed + limits.slack_bytes)

    def count_member(self) -> None:
        """Count one more entry of any kind (`UserError` if there are too many)."""
        self.members += 1
        if self.members > self.limits.members:
            raise self.refusal(f"holds more than {self.limits.members:,} entries")

    def leave_out(self) -> None:
        """Count an entry that is not unpacked to a file (`UserError` if they far outnumber the files).

        Each folder has one, and macOS adds one to each file.
        """
        self.left_out += 1
        if self.left_out > self.limits.folders + 2 * (self.members - self.left_out):
            raise self.refusal(f"holds {self.left_out:,} entries that are folders or left out")

    def require_streamed(self, size: int) -> None:
        """Raise `UserError` if a stream was decompressed to too many bytes, headers included."""
        if size > self.allowed:
            raise self._too_large()

    def add(self, name: str, size: int) -> None:
        """Count one more file (`UserError` if that exceeds a limit, or its name is a duplicate)."""
        self.total += size
        if self.total > self.allowed:
            raise self._too_large()
        key = self._key(name)
        if key in self.files:
            raise self.refusal(f"holds {shown(name)} twice")
        if key in self.folders:
            raise self.refusal(f"holds {shown(name)} as a file and as a folder")
        self.files.add(key)
        if len(self.files) > self.limits.files:
            raise self.refusal(f"holds more than {self.limits.files:,} files")
        self._add_parents(key)

    def holds(self, name: str) -> bool:
        """Whether a file with that name was counted."""
        return self._key(name) in self.files

    def _key(self, name: str) -> str:
        return unicodedata.normalize("NFC", name).casefold() if self.folding else name

    def _add_parents(self, key: str) -> None:
        parent = key.rpartition("/")[0]
        while parent and parent not in self.folders:
            if parent in self.files:
                raise self.refusal(f"holds {shown(parent)} as a file and as a folder")
            self.folders.add(parent)
            if len(self.folders) > self.limits.folders:
                raise self.refusal(f"holds more than {self.limits.folders:,} folders")
            parent = parent.rpartition("/")[0]

    def refusal(self, what: str) -> UserError:
        """Return the error for an archive that is not unpacked."""
        return UserError(f"{self.path} {what}; it is not unpacked")

    def _too_large(self) -> UserError:
        return self.refusal(
            f"would unpack to more than {self.allowed:,.0f} bytes, which images do not (at most "
            f"{self.limits.ratio:g} times its size and {self.limits.slack_bytes:,} bytes are allowed)"
        )


def safe_name(name: str, archive: Path, limits: Limits) -> str | None:
    """Return a member's path in a normal form; None for a member that is left out.

    Raises:
        UserError: the path leads out of the archive's folder, is too long or too deep, or has
            characters that no file name should have.
    """
    reason = _unsafe(name, limits)
    if reason is not None:
        raise UserError(f"{archive} holds the path {shown(name)}, which {reason}; it is not unpacked")
    path = PurePosixPath(name)
    if not path.parts or path.parts[0] in JUNK or path.name in JUNK or path.name.startswith("._"):
        return None
    return str(path)


def _unsafe(name: str, limits: Limits) -> str | None:
    if len(name) > PATH_BYTES or len(name.encode("utf-8", "surrogatepass")) > PATH_BYTES:
        return f"is longer than {PATH_BYTES:,} bytes"
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        return "leads elsewhere"
    plain = name.isascii() and name.isprintable()
    strange = None if plain else _strange(name)
    if strange is not None:
        return strange
    if max(len(part if plain else part.encode()) for part in parts) > PART_BYTES:
        return f"has a part of more than {PART_BYTES} bytes"
    if len(parts) > limits.depth + 1:
        return f"is more than {limits.depth} folders deep"
    return None


def _strange(name: str) -> str | None:
    """Return what is wrong with the characters of a name, None if nothing is."""
    if any(unicodedata.category(c) in _UNPRINTABLE or c in _BIDIRECTIONAL for c in name):
        return "has control characters"
    if any(unicodedata.category(c) == "Cs" for c in name):  # represents a byte of another encoding
        return "is not written in UTF-8 (pack the archive again on a system with UTF-8 names)"
    return None


def require_space(folder: Path, needed: int) -> None:
    """Raise `UserError` if a folder's disk has fewer than ``needed`` free bytes."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(f"{folder} has {free:,} bytes free, {needed:,} are needed; free some space")
