"""Manifests of training sets, with the sources of their parts: ``workflow/reference/*_data.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from paretoken.config.fields import Count, Name, Record, Size, Text, WholeNumber, problem
from paretoken.config.safe_paths import PathInside, inside
from paretoken.config.settings import read_settings
from paretoken.errors import UserError
from paretoken.io.escape import shown
from paretoken.registry import unknown_name

#: `Archive.inner`: the folder that all files of the archive share, whatever its name.
COMMON = "common"


def _hash(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise problem(
            f"{shown(text)} must have 64 characters of 0-9 and a-f, as `sha256sum` prints them"
        )
    return text


Hash = Annotated[str, AfterValidator(_hash)]
#: A folder in an archive; empty: the archive itself.
Inner = Annotated[str, AfterValidator(inside)]


class Part(Record):
    """A file to download: from a page (``url``) or from a data set's repository (``hub``, ``file``)."""

    path: PathInside = Field(description="Path of the file, relative to --root.")
    url: Text | None = Field(default=None, description="Its URL.")
    hub: Text | None = Field(default=None, description="Or: id of the data set's repository.")
    file: Text | None = Field(default=None, description="With hub: its name there.")
    licence: Text = Field(description="Terms under which it may be used.")
    bytes: Count | None = Field(default=None, description="Exact size, if it is known.")
    about_gb: Size | None = Field(default=None, description="Otherwise the size stated on its page.")
    sha256: Hash | None = Field(default=None, description="SHA-256 of the file, if it is known.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.url is None) == (self.hub is None) or (self.hub is None) != (self.file is None):
            raise problem("give either url, or hub and file, and null for the others")
        return self

    def size(self) -> str:
        """Return the size in words."""
        gigabytes = self.about_gb if self.bytes is None else self.bytes / 1e9
        return "size unknown" if gigabytes is None else f"{gigabytes:.3g} GB"

    def command(self, root: Path) -> str:
        """Return the command that downloads the file to its path."""
        target = root / self.path
        if self.url is not None:
            return f"curl -L -C - --create-dirs -o {quote(str(target))} {quote(self.url)}"
        where = quote(str(target.parent))
        hub, file = quote(str(self.hub)), quote(str(self.file))
        fetch = f"hf download {hub} {file} --repo-type dataset --local-dir {where}"
        got = target.parent / str(self.file)
        return fetch if got == target else f"{fetch} && mv {quote(str(got))} {quote(str(target))}"


class Conversations(Part):
    """The JSON list of conversations."""

    rows: Count | None = Field(default=None, description="Number of conversations.")
    text_only: WholeNumber | None = Field(default=None, description="Number without an image.")
    rows_by_folder: Mapping[str, Count] = Field(
        default={}, description="Number with an image in each folder (the path's first part)."
    )


class Archive(Part):
    """An archive of images and the folder that it fills."""

    folder: PathInside = Field(description="Folder that it fills, relative to --root.")
    inner: Inner = Field(
        default="", description="Folder in the archive that becomes `folder`; common: the shared one."
    )
    files: Count | None = Field(default=None, description="Number of files that `folder` then holds.")


class DataSet(Record):
    """One training set: conversations, and the archives that hold their images."""

    name: Name = Field(description="Its name for --data-set.")
    images: PathInside = Field(description="The image folder of its conversations, under --root.")
    conversations: Conversations
    archives: list[Archive] = Field(description="May be empty: text only.")

    def parts(self) -> list[Part]:
        """Return everything that has to be downloaded."""
        return [self.conversations, *self.archives]


class Manifest(Record):
    """The training sets of one manifest."""

    sets: list[DataSet] = Field(min_length=1, description="The training sets.")

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [data_set.name for data_set in self.sets]
        if len(set(names)) < len(names):
            raise problem("two sets have the same name; give each its own")
        for data_set in self.sets:
            folders = [archive.folder for archive in data_set.archives]
            if len(set(folders)) < len(folders):
                raise problem(
                    f"two archives of set {data_set.name} fill the same folder; give each its own"
                )
        return self

    def set_named(self, name: str) -> DataSet:
        """Return a set (`UserError` with the known names if there is none)."""
        found = {data_set.name: data_set for data_set in self.sets}
        if name not in found:
            raise UserError(unknown_name("set", name, found))
        return found[name]


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest (`UserError` with everything that is wrong with it)."""
    return read_settings(path, Manifest, "description of training data")
