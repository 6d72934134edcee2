"""Requests for models and data sets: what to fetch, and what it must be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from paretoken.config.settings import digest

Kind = Literal["llm", "vision", "dataset"]

#: Default revision of a hub repository; a local directory has no other.
MAIN = "main"


@dataclass(frozen=True)
class Request:
    """A request for a model or a data set.

    Attributes:
        source: id of a hub repository, or a local directory (which wins if both exist).
        revision: branch, tag or commit of the repository.
        kind: its kind, which determines the files that are needed and what is verified.
        params: parameters that it must have, within 0.1 %; None: any number.
        template: chat template of a language model: ``chat``, its own, or a named one, which is
            then written into the directory.
        include: patterns of the data set's files; empty: all files.
        grid: patches per side that a vision encoder must have; None: any number.
    """

    source: str
    revision: str
    kind: Kind
    params: int | None = None
    template: str = "chat"
    include: tuple[str, ...] = ()
    grid: int | None = None

    @property
    def local(self) -> Path | None:
        """The local directory; None for a hub repository."""
        path = Path(self.source).expanduser()
        return path.resolve() if self.source and path.is_dir() else None

    def key(self) -> str:
        """Return a hash of all that determines the result (``grid`` is only a condition on it)."""
        source = self.source if self.local is None else str(self.local)
        return digest(source, self.revision, self.kind, self.params, self.template, self.include)
