"""Finding the Parquet files of a split of a hub data set, in a local directory or by a download.

Directories have the hub's layout: patterns in the front matter of ``README.md``, or otherwise
``data/SPLIT-00000-of-00002.parquet`` for the default config and ``CONFIG/SPLIT-...`` for a named one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from paretoken.errors import UserError
from paretoken.hub.fetch import MAIN
from paretoken.io.bounded import LARGEST_YAML
from paretoken.io.escape import LONGEST_VALUE, shown
from paretoken.io.text_tables import counted
from paretoken.io.yaml_files import UNREADABLE, parse_yaml

README = "README.md"
DEFAULT = "default"
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.parquet$")
_FRONT_MATTER = re.compile(r"\A---[^\S\n]*\n(.*?)\n---[^\S\n]*(?:\n|\Z)", re.DOTALL)


def fetch_splits(source: str, revision: str | None, splits: Sequence[tuple[str, str]]) -> Path:
    """Return the directory of the splits: ``source`` itself, or a download of that hub id.

    Args:
        source: a local directory or the id of a data set on the hub.
        revision: branch, tag or commit of the hub data set; None: its main branch.
        splits: pairs of config and split; only their files are downloaded.

    Raises:
        UserError: ``source`` is neither a directory nor a hub id, or cannot be downloaded.
    """
    if Path(source).is_dir():
        return Path(source)
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise UserError(f"{source} is neither a directory nor a hub id; give one, such as lmms-lab/MME")
    commit = revision or MAIN
    root = _download(source, commit, [README])
    patterns = [pattern for config, split in splits for pattern in _patterns(root, config, split)]
    return _download(source, commit, [README, *patterns])


def shards(root: Path, config: str, split: str) -> list[Path]:
    """Return the files of a split, in order.

    Raises:
        UserError: there are no files, or some of a numbered set are missing.
    """
    patterns = _patterns(root, config, split)
    for pattern in patterns:
        try:
            if any("**" in part and part != "**" for part in PurePosixPath(pattern).parts):
                raise ValueError("** stands for whole folders")  # from Python 3.13 on it may be a *
            found = sorted(root.glob(pattern))
        except (ValueError, NotImplementedError, OSError, RecursionError) as error:
            raise UserError(
                f"{root / README} has a pattern that cannot be searched, {shown(pattern)}: "
                f"{str(error)[:LONGEST_VALUE]}; correct it"
            ) from error
        if found:
            _require_all(found)
            return found
    raise UserError(
        f"{root} has no files of config {config}, split {split}; expected {' or '.join(patterns)}"
    )


def _patterns(root: Path, config: str, split: str) -> list[str]:
    stated = _stated(root / README, config, split)
    if stated:
        return stated
    folders = ("data/", f"{DEFAULT}/", "") if config == DEFAULT else (f"{config}/",)
    endings = ("-*.parquet", "/*.parquet", ".parquet")
    return [f"{folder}{split}{ending}" for folder in folders for ending in endings]


def _stated(readme: Path, config: str, split: str) -> list[str]:
    """Return the patterns that a data card gives for a split; empty if there are none."""
    found = _FRONT_MATTER.match(_text(readme))
    try:
        card = parse_yaml(found.group(1)) if found else None
    except UNREADABLE:
        return []
    configs = card.get("configs") if isinstance(card, dict) else None
    patterns: list[str] = []
    for entry in configs if isinstance(configs, list) else []:
        if isinstance(entry, dict) and entry.get("config_name") == config:
            patterns += _of_split(entry.get("data_files"), split)
    outside = [p for p in patterns if PurePosixPath(p).is_absolute() or ".." in PurePosixPath(p).parts]
    if outside:
        raise UserError(
            f"{readme} has a pattern that leads out of its directory, {shown(outside[0])}; correct it"
        )
    return patterns


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        return stream.read(LARGEST_YAML).decode(errors="replace")


def _of_split(files: Any, split: str) -> list[str]:
    paths = [
        each.get("path")
        for each in (files if isinstance(files, list) else [])
        if isinstance(each, dict) and each.get("split") == split
    ]
    flat = [p for path in paths for p in (path if isinstance(path, list) else [path])]
    return [path for path in flat if isinstance(path, str) and path.endswith(".parquet")] or [
        f"{path}.parquet" for path in flat if isinstance(path, str) and path.endswith("*")
    ]


def _require_all(files: Sequence[Path]) -> None:
    numbered = [found for file in files if (found := _SHARD.search(file.name))]
    if not numbered:
        return
    total = int(numbered[0].group(2))
    missing = sorted(set(range(total)) - {int(found.group(1)) for found in numbered})
    if missing:
        name = _SHARD.sub(f"-{missing[0]:05}-of-{total:05}.parquet", files[0].name)
        raise UserError(
            f"{files[0].parent} lacks {len(missing)} of {counted(total, 'file')}, for example "
            f"{name}; download them"
        )


def _download(repo: str, revision: str, patterns: Sequence[str]) -> Path:
    """Download the files whose names match one of the patterns, and return their directory."""
    from paretoken.hub.verify import download_whole

    def choose(names: Sequence[str]) -> list[str]:
        return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]

    return download_whole(repo, revision, "dataset", choose)[0].folder
