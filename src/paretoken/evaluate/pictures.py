"""Checking the pictures of all questions before the first question is answered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from paretoken.data.collation import VisualStore
from paretoken.data.features import FeatureStore, PixelStore
from paretoken.data.images import ImageSource
from paretoken.errors import UserError
from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.io.escape import shown

#: Most threads that decode pictures; more would wait for the disk.
MOST_THREADS = 8


def unusable(
    visual: VisualStore | None,
    names: Sequence[str],
    progress: ProgressCallback = silent,
) -> dict[str, str]:
    """Return the problems of unusable pictures by name.

    Args:
        visual: store of the pictures; image files are decoded, features are looked up.
        names: names of the pictures, without duplicates.
        progress: called with the pictures decoded and the number of all pictures.
    """
    if isinstance(visual, FeatureStore):
        reasons = {row["row"]: row["reason"] for row in visual.index.get("skipped", [])}
        return {
            name: reasons.get(name, f"{visual.path} has no features of its image {shown(name)}")
            for name in names
            if visual.row(name) < 0
        }
    return _undecodable(visual.source, names, progress) if isinstance(visual, PixelStore) else {}


def _undecodable(
    source: ImageSource, names: Sequence[str], progress: ProgressCallback
) -> dict[str, str]:
    missing = source.missing(names)
    found = {name: f"its image {shown(name)} {source.problem(name)}" for name in missing}
    left = [name for name in names if name not in found]
    with ThreadPoolExecutor(min(MOST_THREADS, len(os.sched_getaffinity(0)))) as pool:
        problems = pool.map(lambda name: _problem(source, name), left)
        for number, (name, problem) in enumerate(zip(left, problems, strict=True), start=1):
            if problem is not None:
                found[name] = problem
            progress(number, len(left))
    return found


def _problem(source: ImageSource, name: str) -> str | None:
    try:
        source.open(name)
    except (UserError, OSError) as error:
        return str(error)
    return None
