"""Rules on the conversations and images that a study trains on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from paretoken.data.conversations import BadRowError, parse_conversation
from paretoken.data.manifest import read_manifest
from paretoken.data.rows import FORMATS, READERS, iter_rows
from paretoken.data.survey import absent
from paretoken.errors import UserError
from paretoken.feasibility.findings import Finding, Kind, Subject, path_of
from paretoken.feasibility.generated import world_settings
from paretoken.feasibility.recipes import STAGES, changes, one_line, readable_recipe
from paretoken.train.recipe import Stage

#: Bytes of the largest file whose rows are counted.
SMALL = 32 * 2**20


def training_data_are_described(subject: Subject) -> Iterator[Finding]:
    """Find manifests without the sets of both stages, and roots that are not directories.

    Data that are missing on this machine are only a warning, since the study may run on another one.
    """
    if not subject.fetched or subject.data.manifest is None:
        return
    data, place = subject.data, subject.data_place()
    try:
        manifest = read_manifest(path_of(str(data.manifest)))
        sets = [manifest.set_named(stage) for stage in STAGES]
    except UserError as error:
        yield subject.elsewhere(f"{place}.manifest", one_line(error), Kind.FILE)
        return
    root, key = path_of(str(data.root)), f"{place}.root"
    if root.exists() and not root.is_dir():
        sentence = f"{data.root} is a file; write the folder of the training data"
        yield subject.elsewhere(key, sentence, Kind.FILE)
        return
    if not root.is_dir():
        sentence = f"{data.root} is not a directory on this machine; {_listing(subject, STAGES[0])}"
        yield subject.elsewhere(key, sentence, Kind.WARNING)
        return
    for data_set in sets:
        missing = absent(data_set, root)
        if missing:
            yield subject.elsewhere(
                key,
                f"{data.root} lacks {len(missing)} of {len(data_set.parts())} parts of {data_set.name}, "
                f"such as {missing[0].path}; {_listing(subject, data_set.name)}",
                Kind.WARNING,
            )


def own_data_can_be_read(subject: Subject) -> Iterator[Finding]:
    """Find folders of one's own data whose files have an unknown format, or whose first row is bad.

    Files that are missing on this machine are only a warning, since the study may run on another one.
    """
    own = subject.data.folder if subject.fetched else None
    if own is None:
        return
    place = f"{subject.data_place()}.folder"
    for stage in STAGES:
        path = own.conversations(stage)
        for sentence, kind in _file_problems(path, own.images is None, subject.data.max_bad_share):
            yield subject.elsewhere(f"{place}.{stage}", sentence, kind)
    folder = own.image_folder()
    if folder is not None and not path_of(str(folder)).is_dir():
        sentence = (
            f"{folder} is not a directory on this machine; write the folder of the images, or null if "
            "rows hold their images"
        )
        yield subject.elsewhere(f"{place}.images", sentence, Kind.WARNING)


def _file_problems(path: Path, holds_images: bool, max_bad_share: float) -> Iterator[tuple[str, Kind]]:
    """Yield what is wrong with a file of conversations, and how severe it is."""
    if path.suffix not in (*READERS, ""):
        yield f"{path} has an unknown format; write {FORMATS}", Kind.CONFIG
        return
    if holds_images and path.suffix not in (".parquet", ""):
        sentence = (
            f"{path} cannot hold images, and images is null; write the folder of the images, or store "
            "rows with their images as .parquet"
        )
        yield sentence, Kind.CONFIG
        return
    here = path_of(str(path))
    if not here.exists():
        yield f"{path} does not exist on this machine; expected {FORMATS}", Kind.WARNING
        return
    try:
        parse_conversation(next(iter_rows(here)))
    except UserError as error:
        yield one_line(error), Kind.FILE
    except BadRowError as error:
        sentence = f"row 1 of {path} cannot be used: {error}"
        yield sentence, Kind.WARNING if max_bad_share else Kind.FILE


def recipes_train_a_step(subject: Subject) -> Iterator[Finding]:
    """Find recipes whose epochs are less than one step, where the number of conversations is known."""
    for stage in STAGES if subject.training is not None else ():
        recipe, rows = readable_recipe(subject, stage), _rows(subject, stage)
        if recipe is None or rows is None:
            continue
        try:
            recipe.steps_of(rows)
        except UserError as error:
            changed = any(t.startswith(("epochs=", "global_batch=")) for t in changes(subject, stage))
            key, kind = ("overrides", Kind.CONFIG) if changed else ("recipes", Kind.FILE)
            yield subject.finding(f"training.{key}.{stage}", str(error), kind)


def _rows(subject: Subject, stage: Stage) -> int | None:
    """Return the number of conversations of a stage; None if it is unknown."""
    if subject.generated:
        world = world_settings(subject)
        data = None if world is None else getattr(world, stage)
        return None if data is None else data.conversations + data.text_rows
    if subject.data.folder is not None:
        return _few_rows(path_of(str(subject.data.folder.conversations(stage))))
    try:
        manifest = read_manifest(path_of(str(subject.data.manifest)))
        return manifest.set_named(stage).conversations.rows
    except UserError:  # the rule on manifests reports it
        return None


def _few_rows(path: Path) -> int | None:
    """Return the number of rows of a small file; None for a large one, which has enough of them."""
    if not path.is_file() or path.stat().st_size > SMALL:
        return None
    try:
        return sum(1 for _ in iter_rows(path))
    except UserError:  # the rule on own data reports it
        return None


def _listing(subject: Subject, name: str) -> str:
    """Return a sentence that names the command to list the missing parts of a set."""
    data = subject.data
    return (
        f"`paretoken data --manifest {data.manifest} --data-set {name} --root {data.root} --check` says "
        "what to download"
    )
