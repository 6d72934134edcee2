"""Rules on fetched backbones: language models and encoders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from paretoken.compressors.specification import specification
from paretoken.costs.shapes import ENCODERS, decoder_shape, require_size
from paretoken.errors import UserError
from paretoken.feasibility.findings import Finding, Kind, Subject, path_of
from paretoken.feasibility.recipes import one_line
from paretoken.io.files import read_object

#: Ids of repositories on a hub: owner and name, or only a name.
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
#: The end of the ids of published encoders: pixels per side of a patch, and of an image.
PATCHES = re.compile(r"patch(\d+)(?:-(\d+))?$")
#: Default pixels per side of an image, those of the first versions of CLIP and SigLIP.
USUAL_PIXELS = 224
#: Assumed layers of an encoder whose config is unknown, those of CLIP ViT-L; only their number is used.
USUAL_DEPTH = 24
#: Types of whole models of which the vision tower is used as the encoder.
WHOLE = ("clip", "siglip")


@dataclass(frozen=True)
class Encoder:
    """An encoder as known before it is fetched: patches per side, kind, channels and layers."""

    side: int | None
    siglip: bool
    width: int | None = None
    depth: int | None = None


def local_folder(source: str | None) -> Path | None:
    """Return the local directory that a source names; None for a hub's id."""
    if not source:
        return None
    path = path_of(source)
    return path if path.is_dir() else None


def source_problem(source: str, revision: str | None) -> tuple[str, Kind] | None:
    """Return the problem with a source to fetch from (a hub's id, or a local directory), if any."""
    if local_folder(source) is not None:
        if revision is not None:
            return (
                f"{source} is a local directory, which has no revision; take revision out",
                Kind.FILE,
            )
        return None
    if source.startswith(("/", ".", "~")) or source.count("/") > 1:
        return f"{source} is not a directory; write an existing one, or a hub's id", Kind.FILE
    if not HUB_ID.fullmatch(source):
        return f"{source!r} is not a hub's id, such as owner/name, and not a directory", Kind.CONFIG
    return None


def local_config(source: str | None) -> dict[str, Any] | None:
    """Return the ``config.json`` of a local directory; None for a hub's id.

    Raises:
        UserError: the directory has no readable ``config.json``.
    """
    folder = local_folder(source)
    return None if folder is None else dict(read_object(folder / "config.json"))


def verified(hub: str, params: int | None, template: str | None = None) -> dict[str, Any] | None:
    """Return the details of a local directory that `paretoken fetch` would record; None for a hub's id.

    On a machine without torch and transformers, which can only plan, nothing is verified (None).

    Args:
        hub: the source of the model.
        params: required number of parameters; None: any.
        template: chat template of a language model; None: it is an encoder.

    Raises:
        UserError: `paretoken fetch` would reject it.
    """
    folder = local_folder(hub)
    if folder is None or not all(map(find_spec, ("torch", "transformers"))):
        return None
    folder = folder.resolve()
    written = tuple(sorted((path.name, path.lstat().st_mtime_ns) for path in folder.iterdir()))
    details = _verified(folder, template, written)
    if isinstance(details, UserError):
        raise UserError(str(details).replace(str(folder), hub))
    require_size(details["parameters"], params, hub, "params")
    return details


@lru_cache
def _verified(
    folder: Path, template: str | None, written: tuple[tuple[str, int], ...]
) -> dict[str, Any] | UserError:
    """Verify a directory once for all studies, and again if ``written``, its files' times, changes."""
    from transformers.utils import logging

    from paretoken.hub.fetch import MAIN, Request, verify_local

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    kind: Literal["llm", "vision"] = "vision" if template is None else "llm"
    try:
        return verify_local(Request(str(folder), MAIN, kind, template=template or "chat"))
    except UserError as error:
        return error


def with_source(hub: str, error: UserError) -> str:
    """Return a message with the source in front, unless it names the source itself."""
    message = one_line(error)
    return message if hub in message else f"{hub}: {message}"


def language_models_can_be_fetched(subject: Subject) -> Iterator[Finding]:
    """Find sources of language models that do not exist, or are something else."""
    for name in subject.study.llms if subject.fetched else ():
        record, place = subject.frozen.llm(name), f"{subject.llm_place(name)}.hub"
        if record.hub is None:
            continue
        problem = source_problem(record.hub, record.revision)
        if problem is not None:
            yield subject.elsewhere(place, *problem)
            continue
        try:
            config = local_config(record.hub)
            if config is not None:
                total = decoder_shape(config).parameters()["total"]
                require_size(total, record.params, record.hub, "params")
            verified(record.hub, record.params, record.template)
        except UserError as error:
            yield subject.elsewhere(place, with_source(record.hub, error), Kind.FILE)


def encoder_can_be_fetched(subject: Subject) -> Iterator[Finding]:
    """Find encoders that do not exist, have another grid, or lack something that a compressor reads."""
    record = subject.frozen.vision
    if not subject.fetched or record.hub is None:
        return
    place, problem = subject.vision_place(), source_problem(record.hub, record.revision)
    if problem is not None:
        yield subject.elsewhere(f"{place}.hub", *problem)
        return
    try:
        config = local_config(record.hub)
        found = _from_id(record.hub) if config is None else _from_config(config)
    except UserError as error:
        yield subject.elsewhere(f"{place}.hub", with_source(record.hub, error), Kind.FILE)
        return
    side = found.side
    try:
        details = verified(record.hub, record.params)
        side = side if details is None else details["grid"]
    except UserError as error:
        yield subject.elsewhere(f"{place}.hub", with_source(record.hub, error), Kind.FILE)
    kind = Kind.CONFIG if config is None else Kind.FILE
    if side is not None and side != record.grid:
        yield subject.elsewhere(
            f"{place}.grid",
            f"is {record.grid}, but {record.hub} has {side} patches per side; write {side}",
            kind,
        )
    for where, what in _lacking(subject, record.hub, found):
        yield subject.finding(where, what, kind)


def _lacking(subject: Subject, hub: str, found: Encoder) -> Iterator[tuple[str, str]]:
    """Yield the key and a sentence for everything that a study reads and the encoder lacks."""
    guided = [name for name in subject.compressors if specification(name).reads_attention]
    if found.siglip and guided:
        yield (
            "compressors",
            f"{' and '.join(guided)} need the encoder's class token, but {hub} is a SigLIP, "
            f"which has none; take {' and '.join(guided)} out, or name a CLIP under vision",
        )
    for heads, names in _undivided(subject, found.width).items() if found.width else ():
        yield (
            "compressors",
            f"{' and '.join(names)} need a number of channels that {heads} divides, but {hub} has "
            f"{found.width}; take them out, or name another encoder under vision",
        )
    wrong = [layer for layer in subject.training.layers or () if found.depth and layer > found.depth]
    if wrong:
        yield (
            "training.layers",
            f"{', '.join(map(str, wrong))} cannot be read: {hub} has layers 0 (the embeddings) to "
            f"{found.depth}; write some of these, or take layers out",
        )


def _undivided(subject: Subject, width: int) -> dict[int, list[str]]:
    """Return the compressors whose channels their attention heads do not divide, by those heads."""
    found: dict[int, list[str]] = {}
    for name in subject.compressors:
        facts = specification(name)
        if facts.undivided(width, len(subject.training.layers or facts.layers(USUAL_DEPTH))):
            found.setdefault(facts.heads, []).append(name)
    return found


def _from_id(hub: str) -> Encoder:
    """Return an encoder as its id describes it; width and depth are unknown."""
    found = PATCHES.search(hub.lower())
    side = None if found is None or not int(found[1]) else int(found[2] or USUAL_PIXELS) // int(found[1])
    return Encoder(side, "siglip" in hub.lower())


def _from_config(config: dict[str, Any]) -> Encoder:
    """Return an encoder as its ``config.json`` describes it, that of a whole model or of its tower."""
    whole, family = config.get("vision_config"), config.get("model_type")
    tower = whole if isinstance(whole, dict) else config
    if family not in (ENCODERS if tower is config else (*ENCODERS, *WHOLE)):
        raise UserError(f"has a model of type {family!r}; a vision encoder must be a CLIP or a SigLIP")
    names = ("image_size", "patch_size", "hidden_size", "num_hidden_layers")
    sizes = [tower.get(name) for name in names]
    pixels, patch, width, depth = (
        size if isinstance(size, int) and size > 0 else None for size in sizes
    )
    side = pixels // patch if pixels and patch else None
    return Encoder(side, str(family).startswith("siglip"), width, depth)
