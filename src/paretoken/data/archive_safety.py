"""What is refused in an archive from elsewhere: paths that lead out of it, and bombs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from paretoken.errors import UserError

#: What macOS adds to archives.
JUNK = ("__MACOSX", ".DS_Store")


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to.

    Attributes:
        total_bytes: all files together.
        files: how many files.
        ratio: all files together, in multiples of the archive's size. Archives of images hardly
            compress; a bomb of zeros reaches 1000.
    """

    total_bytes: int = 500 * 10**9
    files: int = 2_000_000
    ratio: float = 100.0


class Budget:
    """Adds up what an archive unpacks to and refuses what breaks a limit."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits, self.names, self.total = path, limits, set[str](), 0
        self.allowed = min(limits.total_bytes, limits.ratio * path.stat().st_size)

    def add(self, name: str, size: int) -> None:
        """Count one more file (`UserError` if that breaks a limit, or its name stands twice)."""
        self.total += size
        if name in self.names:
            raise UserError(f"{self.path} holds {name!r} twice; it is not unpacked")
        self.names.add(name)
        if len(self.names) > self.limits.files:
            raise UserError(f"{self.path} holds more than {self.limits.files:,} files; not unpacked")
        if self.total > self.allowed:
            raise UserError(
                f"{self.path} would unpack to more than {self.allowed:,.0f} bytes ("
                f"{self.limits.ratio:g} times its size at most): images do not; it is not unpacked"
            )


def safe_name(name: str, archive: Path) -> str | None:
    """Return a member's path in a normal form, None for what is left out.

    Raises:
        UserError: the path leads out of the archive's folder.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise UserError(f"{archive} holds the path {name!r}, which leads elsewhere; it is not unpacked")
    if not path.parts or path.parts[0] in JUNK or path.name in JUNK or path.name.startswith("._"):
        return None
    return str(path)
