"""Fuzz `data`: a downloaded set with a changed manifest, changed rows or damaged archives."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import yaml
from PIL import Image
from pyarrow import parquet

from fuzzing.cases import Attempt, Outcome
from fuzzing.conversations import name_problem
from fuzzing.hub import damage_file
from fuzzing.mutations import mutate_often
from fuzzing.stored import damage_text, damaged_bytes, read_again, write_rows

#: Names that members of an archive must not have.
BAD_MEMBERS = ("../evil.jpg", "/tmp/evil.jpg", "a/../../evil.jpg", "..\\evil.jpg", "x\\y.jpg")  # noqa: S108


def data(rng: Random, folder: Path, world: Path, changed: bool) -> Attempt:
    """Prepare a set with one changed part; its manifest agrees with the rest."""
    root, out, manifest = folder / "data", folder / "out", folder / "manifest.yaml"
    shutil.copytree(world / "data", root)
    content = yaml.safe_load((world / "manifest.yaml").read_text())
    number = rng.randrange(2) if changed else 0
    chosen, words = content["sets"][number], ""
    rows_file = root / chosen["conversations"]["path"]
    part = rng.choice(["manifest", "rows", "rows", "archive", "picture"]) if changed else "nothing"
    if part == "manifest":
        content["sets"], words = mutate_often(rng, content["sets"])
    elif part == "rows":
        rows, words = mutate_often(rng, json.loads(rows_file.read_text()))
        write_rows(rows_file, rows)
        _state(chosen["conversations"], rows_file, ("rows", "text_only"))
    elif part == "archive":
        archive = root / rng.choice(chosen["archives"])["path"]
        words = f"{archive.name} {damage_file(rng, archive)}"
    elif part == "picture":
        words = _change_member(rng, root, rng.choice(chosen["archives"]))
    text = yaml.safe_dump(content)
    manifest.write_text(text)
    if changed and not words:
        path = rng.choice([manifest, rows_file])
        words = f"{path.name} {damage_text(rng, path)}"
    bad = rng.choice(["0", "0.05", "0.3"]) if changed else "0"
    name = ("pretrain", "finetune")[number]
    line: list[str | Path] = [
        "data",
        "--manifest",
        manifest,
        "--data-set",
        name,
        "--root",
        root,
        "--max-bad-share",
        bad,
        "--workers",
        "1",
        "--out",
        out,
    ]
    return Attempt(line, words, [out], partial(_judge, out, root, rows_file, float(bad)))


def _state(entry: dict[str, Any], path: Path, forget: tuple[str, ...]) -> None:
    """Make a manifest describe a changed file."""
    content = path.read_bytes()
    entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    for key in forget:
        entry.pop(key, None)


def _change_member(rng: Random, root: Path, entry: dict[str, Any]) -> str:
    """Damage or remove one picture of an archive, or add a member that leaves the folder."""
    path = root / entry["path"]
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    what = rng.choice(["damaged", "damaged", "damaged", "taken out", "outside", "as 32-bit integers"])
    if what == "damaged":
        what, members[name] = damaged_bytes(rng, members[name])
    elif what == "taken out":
        del members[name]
    elif what == "outside":
        name = rng.choice(BAD_MEMBERS)
        members[name] = b"evil"
    else:
        stream = io.BytesIO()
        Image.new("I", (8, 8), 200).save(stream, "TIFF")
        members[name] = stream.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    _state(entry, path, ("files",))
    return f"{name} in {path.name}: {what}"


def _judge(out: Path, root: Path, rows_file: Path, share: float, outcome: Outcome) -> list[str]:
    rows = read_again(rows_file)
    if rows is None:
        return ["the rows are not JSON in UTF-8, but were accepted"]
    if list(root.parent.rglob("*evil*")) and any(p.name == "evil.jpg" for p in root.parent.iterdir()):
        return ["a file was written outside of the root"]
    images = [row.get("image") if isinstance(row, dict) else row for row in rows]
    names = {image for image in images if isinstance(image, str) and image}
    index = parquet.read_table(out / "images.parquet").to_pylist()
    skipped = {each["image"] for each in json.loads((out / "skipped.json").read_text())}
    seen = {each["name"] for each in index}
    problems = []
    if seen | skipped != names or seen & skipped:
        problems.append(f"{len(seen)} images and {len(skipped)} skipped of {len(names)} named")
    if len(skipped) > share * max(1, len(names)):
        problems.append(f"{len(skipped)} of {len(names)} images are bad, {share} may be")
    problems += [f"accepted although {p}" for name in names if (p := name_problem(name)) and share == 0]
    problems += [p for each in index if (p := _picture(out / "images" / each["file"], each))]
    return problems


def _picture(path: Path, row: dict[str, Any]) -> str | None:
    try:
        with Image.open(path) as image:
            image.load()
            wrong = image.size != (row["width"], row["height"])
    except Exception as error:
        return f"{row['name']} is listed as good: {type(error).__name__}: {error}"
    return f"{row['name']} has another size than listed" if wrong else None
