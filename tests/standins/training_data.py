"""LLaVA-1.5's training data in its own layout: two JSON files and archives of images."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from standins.pictures import colour, picture

PRETRAIN = "LLaVA-Pretrain/blip_laion_cc_sbu_558k.json"
FINETUNE = "llava_v1_5_mix665k.json"
#: Archive -> the folder that it fills, and the folder in it that becomes this one.
ARCHIVES = {
    "coco/train2017.zip": ("coco/train2017", "train2017"),
    "gqa/images.zip": ("gqa/images", "images"),
    "ocr_vqa/images.zip": ("ocr_vqa/images", "common"),
    "textvqa/train_val_images.zip": ("textvqa/train_images", "train_images"),
    "vg/images.zip": ("vg/VG_100K", "VG_100K"),
    "vg/images2.zip": ("vg/VG_100K_2", "VG_100K_2"),
}
COMMON = "llava/images"  # what the OCR-VQA archive happens to call its folder
#: One picture of stage 2 is cut off: folder and name.
BROKEN = ("vg/VG_100K_2", "000000000003.jpg")
PER_FOLDER, TEXT_ONLY, CAPTIONS = 4, 4, 16


def save_training_data(root: Path, manifest: Path) -> None:
    """Write both sets under ``root``, and the manifest that describes them."""
    sets = [_pretrain(root), _finetune(root)]
    manifest.write_text(yaml.safe_dump({"sets": sets}))


def _pretrain(root: Path) -> dict[str, Any]:
    names = [f"{n % 3:05d}/{n % 3:05d}{n:04d}.jpg" for n in range(CAPTIONS)]
    prompts = ("Describe the picture briefly.\n<image>", "<image>\nWhat is this?")
    rows = [
        {"id": Path(name).stem, "image": name, "conversations": [
            {"from": "human", "value": prompts[n % 2]},
            {"from": "gpt", "value": f"a plain picture in {colour(n)}"}]}
        for n, name in enumerate(names)
    ]  # fmt: skip
    _write_json(root / PRETRAIN, rows)
    archive = root / "LLaVA-Pretrain" / "images.zip"
    _write_zip(archive, {name: picture(n) for n, name in enumerate(names)})
    entry = _archive(root, "LLaVA-Pretrain/images.zip", "LLaVA-Pretrain/images", "", len(names))
    conversations = _part(root, PRETRAIN) | {"rows": len(rows), "text_only": 0}
    return {
        "name": "pretrain",
        "images": "LLaVA-Pretrain/images",
        "conversations": conversations,
        "archives": [entry],
    }


def _finetune(root: Path) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    entries = []
    for path, (folder, inner) in ARCHIVES.items():
        names = [f"{n:012d}.jpg" for n in range(PER_FOLDER)]
        prefix = COMMON if inner == "common" else inner
        pictures = {f"{prefix}/{name}": picture(n) for n, name in enumerate(names)}
        if folder == BROKEN[0]:
            pictures[f"{prefix}/{BROKEN[1]}"] = picture(0)[:40]
        _write_zip(root / path, pictures)
        entries.append(_archive(root, path, folder, inner, len(names)))
        rows += [_asked(n, f"{folder}/{name}", name) for n, name in enumerate(names)]
    # In the real mix, rows about one image share its id; some rows have no image, and other ids.
    rows.append(_asked(0, "coco/train2017/000000000000.jpg", "000000000000.jpg"))
    rows += [
        {"id": f"wgByO4Y_{n}", "conversations": [
            {"from": "human", "value": f"What is the colour of number {n}?"},
            {"from": "gpt", "value": colour(n)}], "model": ""}
        for n in range(TEXT_ONLY)
    ]  # fmt: skip
    _write_json(root / FINETUNE, rows)
    conversations = _part(root, FINETUNE) | {"rows": len(rows), "text_only": TEXT_ONLY}
    return {"name": "finetune", "images": ".", "conversations": conversations, "archives": entries}


def _asked(number: int, image: str, name: str) -> dict[str, Any]:
    turns = [
        ("human", "<image>\nWhat is the colour of the picture?"),
        ("gpt", f"It is {colour(number)}."),
        ("human", "Is it red?\nAnswer the question using a single word or phrase."),
        ("gpt", "Yes" if colour(number) == "red" else "No"),
    ][: 2 + 2 * (number % 2)]
    conversations = [{"from": role, "value": text} for role, text in turns]
    return {"id": Path(name).stem, "image": image, "conversations": conversations}


def _write_json(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))


def _write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def _part(root: Path, path: str) -> dict[str, Any]:
    content = (root / path).read_bytes()
    return {"path": path, "url": f"https://data.invalid/{path}", "licence": "none: made for tests",
            "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}  # fmt: skip


def _archive(root: Path, path: str, folder: str, inner: str, files: int) -> dict[str, Any]:
    return _part(root, path) | {"folder": folder, "inner": inner, "files": files}
