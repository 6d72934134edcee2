"""`paretoken data` on a small set that has the real one's layout, its archives and its defects."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import zipfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from paretoken.cli import main
from paretoken.data.decoded import remembering
from paretoken.data.image_index import PART, index_images
from paretoken.data.images import ImageSource
from paretoken.data.manifest import Part, read_manifest
from paretoken.data.skips import Skips
from paretoken.errors import UserError
from paretoken.io.files import read_json
from processes import LIMIT_S, line_of, running

REAL = Path(__file__).parents[3] / "workflow" / "reference" / "llava_data.yaml"


def jpeg(path: Path, size: tuple[int, int] = (40, 30), kind: str = "JPEG") -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 30, 30)).save(path, kind)
    return path.read_bytes()


def row(number: int, image: str | None) -> dict[str, Any]:
    turns = [("human", "<image>\nwhat ?" if image else "hello"), ("gpt", "red")]
    named = {} if image is None else {"image": image}
    return {"id": number, **named, "conversations": [{"from": r, "value": v} for r, v in turns]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A downloaded set: two archives, one folder unpacked by hand, one text-only row."""
    root, source = tmp_path / "root", tmp_path / "source"
    images = [f"coco/train2017/{i}.jpg" for i in range(4)] + [f"vg/VG_100K/{i}.jpg" for i in range(3)]
    for name in images:
        jpeg(source / name)
    for name in ("coco/train2017", "vg/VG_100K"):
        path = root / name.replace("/", "-")
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(f"{path}.zip", "w") as archive:
            for file in sorted((source / name).iterdir()):
                archive.write(file, f"{name.split('/')[1]}/{file.name}")
    for i in range(3):
        jpeg(root / f"ocr_vqa/images/{i}.jpg")
    names = [*images, *(f"ocr_vqa/images/{i}.jpg" for i in range(3)), images[0], None]
    (root / "mix.json").write_text(json.dumps([row(i % 5, name) for i, name in enumerate(names)]))
    return root


@pytest.fixture
def manifest(tmp_path: Path, root: Path) -> Path:
    coco = (root / "coco-train2017.zip").read_bytes()
    common = {"licence": "ours", "url": "http://localhost/x"}
    content = {"sets": [{
        "name": "finetune", "images": ".",
        "conversations": {"path": "mix.json", "rows": 12, "text_only": 1, **common,
                          "rows_by_folder": {"coco": 5, "vg": 3, "ocr_vqa": 3}},
        "archives": [
            {"path": "coco-train2017.zip", "folder": "coco/train2017", "inner": "train2017", "files": 4,
             "bytes": len(coco), "sha256": hashlib.sha256(coco).hexdigest(), **common},
            {"path": "vg-VG_100K.zip", "folder": "vg/VG_100K", "inner": "common", "files": 3, **common},
            {"path": "ocr.zip", "folder": "ocr_vqa/images", "about_gb": 9,
             "hub": "someone/covers", "file": "covers.zip", "licence": "ours"},
        ],
    }]}  # fmt: skip
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def change(manifest: Path, **changes: Any) -> None:
    content = yaml.safe_load(manifest.read_text())
    content["sets"][0]["archives"][0] |= changes
    manifest.write_text(yaml.safe_dump(content))


@pytest.fixture
def run(manifest: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def command(*extra: str) -> tuple[int, str, str]:
        code = main(["data", "--manifest", str(manifest), "--data-set", "finetune", "--root", str(root),
                     "--out", str(tmp_path / "out"), "--workers", "1", *extra])  # fmt: skip
        return code, *capsys.readouterr()

    return command


def test_the_downloads_are_never_replaced_by_what_is_made_of_them(run, root: Path) -> None:
    before = sorted(root.rglob("*"))
    code, _, complaint = run("--out", str(root))
    assert code == 2
    assert "which would be deleted; write another folder" in complaint
    assert sorted(root.rglob("*")) == before


def test_check_says_what_is_there(run, root: Path) -> None:
    code, printed, _ = run("--check")
    assert code == 0
    assert "packed   coco-train2017.zip: will be unpacked into coco/train2017" in printed
    assert "present  ocr.zip: ocr_vqa/images holds 3 files" in printed
    assert not (root / "coco").exists()


def test_check_says_what_is_missing_and_how_to_get_it(run, root: Path, tmp_path: Path) -> None:
    (root / "mix.json").unlink()
    for i in range(3):
        (root / f"ocr_vqa/images/{i}.jpg").unlink()
    (root / "coco-train2017.zip").write_bytes(b"half")
    code, printed, complaint = run("--check")
    assert code == 2
    assert "missing  mix.json" in printed
    assert "3 of 4 parts are missing" in complaint
    assert f"curl -L -C - --create-dirs -o {root}/mix.json http://localhost/x" in complaint
    assert "hf download someone/covers covers.zip --repo-type dataset" in complaint
    assert f"&& mv {root}/covers.zip {root}/ocr.zip" in complaint
    assert "9 GB, ours" in complaint
    assert "has 4 bytes instead of" in complaint
    assert run()[0] == 2
    assert not (tmp_path / "out").exists()


def test_a_command_to_copy_is_safe_to_copy() -> None:
    part = Part(path="a b/c.zip", hub="o/n", file="$(x) y.zip", licence="any")
    assert shlex.split(part.command(Path("r"))) == [
        "hf", "download", "o/n", "$(x) y.zip", "--repo-type", "dataset", "--local-dir", "r/a b",
        "&&", "mv", "r/a b/$(x) y.zip", "r/a b/c.zip",
    ]  # fmt: skip
    assert "'$(x) y.zip'" in part.command(Path("r"))


def test_a_set_is_unpacked_indexed_and_linked(run, root: Path, tmp_path: Path) -> None:
    code, printed, _ = run()
    out = tmp_path / "out"
    assert code == 0
    assert "12 conversations (1 without an image), 10 images, 0 of them left out" in printed
    assert (out / "conversations").resolve() == root / "mix.json"
    assert (out / "images" / "vg/VG_100K/2.jpg").is_file()
    assert json.loads((out / "skipped.json").read_text()) == []
    record = json.loads((out / "run.json").read_text())
    assert record["rows_by_folder"] == {"coco": 5, "vg": 3, "ocr_vqa": 3}
    import pyarrow.parquet as pq

    table = pq.read_table(out / "images.parquet").to_pylist()
    size = (root / "coco/train2017/0.jpg").stat().st_size
    assert table[0] == {"name": "coco/train2017/0.jpg", "file": "coco/train2017/0.jpg",
                        "width": 40, "height": 30, "bytes": size}  # fmt: skip
    assert len(table) == 10


def test_a_second_run_has_nothing_to_do_and_other_settings_are_refused(run, root: Path) -> None:
    assert run()[0] == 0
    (root / "coco-train2017.zip").unlink()  # unpacked archives may go
    code, printed, _ = run()
    assert (code, "nothing to do" in printed) == (0, True)
    assert "were not checked again; to do so, delete" in printed
    code, _, complaint = run("--max-bad-share", "0.5")
    assert (code, "other settings" in complaint) == (2, True)


def damage(root: Path) -> dict[str, str]:
    """Break images in the ways that downloads break them; return what should be said of each."""
    folder = root / "ocr_vqa/images"
    (folder / "0.jpg").write_bytes(b"")
    (folder / "1.jpg").write_text("\n<!DOCTYPE html><html>gone</html>")
    whole = jpeg(folder / "2.jpg", (300, 300))
    (folder / "2.jpg").write_bytes(whole[: len(whole) // 2])
    return {
        "ocr_vqa/images/0.jpg": "is empty",
        "ocr_vqa/images/1.jpg": "is a web page",
        "ocr_vqa/images/2.jpg": "is truncated",
        "vg/VG_100K/9.jpg": "missing",
    }


def test_bad_images_are_bounded_and_listed_and_tokenize_leaves_them_out(
    run, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import tiny

    reasons = damage(root)
    rows = json.loads((root / "mix.json").read_text())
    rows[6]["image"] = "vg/VG_100K/9.jpg"
    (root / "mix.json").write_text(json.dumps(rows))
    code, _, complaint = run()
    assert code == 2
    assert "4 of 10 rows are bad" in complaint
    assert not (tmp_path / "out").exists()
    assert run("--max-bad-share", "0.4")[0] == 0
    skipped = json.loads((tmp_path / "out" / "skipped.json").read_text())
    assert {entry["image"] for entry in skipped} == set(reasons)
    for entry in skipped:
        assert reasons[entry["image"]] in entry["reason"]
        assert entry["rows"] == 1

    tiny.tokenizer().save_pretrained(tmp_path / "llm")
    arguments = ["tokenize", "--data", str(tmp_path / "out/conversations"), "--llm",
                 str(tmp_path / "llm"), "--out", str(tmp_path / "tokens")]  # fmt: skip
    assert main([*arguments, "--skipped", str(tmp_path / "out" / "skipped.json")]) == 0
    assert "8 conversations, 1 of them without an image" in capsys.readouterr().out
    from paretoken.data.encoded import read_encoded

    assert not set(read_encoded(tmp_path / "tokens").image_names) & set(reasons)


def test_images_under_another_suffix_are_used_as_they_are(run, root: Path, tmp_path: Path) -> None:
    for number, (suffix, kind) in enumerate([("gif", "GIF"), ("png", "PNG")]):
        (root / f"ocr_vqa/images/{number}.jpg").unlink()
        jpeg(root / f"ocr_vqa/images/{number}.{suffix}", kind=kind)
    code, printed, _ = run()
    assert code == 0
    assert "ocr_vqa/images: images that have another suffix than in conversations" in printed
    assert "used unchanged: 2\n" in printed
    source = ImageSource(tmp_path / "out" / "images")
    names = [f"ocr_vqa/images/{i}.jpg" for i in range(3)]
    assert source.missing([*names, "ocr_vqa/images/3.jpg"]) == ["ocr_vqa/images/3.jpg"]
    assert source.open(names[0]).size == (40, 30)


def test_damage_in_the_middle_is_found_unless_it_is_not_looked_for(run, root: Path) -> None:
    path = root / "ocr_vqa/images/0.jpg"
    data = bytearray(jpeg(path, (300, 300), "PNG"))
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    code, _, complaint = run()
    assert code == 2
    assert "ocr_vqa/images/0.jpg: image 0.jpg is truncated or not an image" in complaint
    assert run("--no-decode")[0] == 0  # its end looks whole


def test_misspelt_rows_are_refused_before_anything_is_unpacked(run, root: Path) -> None:
    rows = json.loads((root / "mix.json").read_text())
    rows[2]["images"] = [rows[2].pop("image")]
    rows[3]["image"] = "coco\\train2017\\3.jpg"
    (root / "mix.json").write_text(json.dumps(rows))
    code, _, complaint = run()
    assert code == 2
    assert "2 of 12 rows are bad" in complaint
    assert "row 3 (id 2): it has the unknown key 'images'; write 'image'" in complaint
    assert "row 4 (id 3): its image 'coco\\\\train2017\\\\3.jpg' has backslashes" in complaint
    assert not (root / "coco").exists()


@pytest.mark.parametrize("decode", [True, False])
def test_several_processes_see_the_same(root: Path, tmp_path: Path, decode: bool) -> None:
    names = [f"many/{i}.png" for i in range(PART + 5)]
    whole = jpeg(root / names[0], (5, 7), "PNG")
    for name in names[1:]:
        (root / name).write_bytes(whole)
    (root / names[-1]).write_bytes(b"x")
    results = []
    for workers in (1, 2):
        skips = Skips("images", 1.0)
        with remembering(tmp_path / f"{workers}", root) if decode else nullcontext() as decoded:
            results.append((index_images(root, names, skips, workers, decoded), skips.rows))
    assert results[0] == results[1]
    assert len(results[0][0]) == PART + 4


#: `paretoken data` that stops before it writes the first file, until a file `go` is there.
HELD_UP = """
import sys, time
from pathlib import Path
import paretoken.data.archives as archives
from paretoken.cli import command_line
write = archives._write
def held_up(source, target):
    print("held up")
    while not Path("go").exists():
        time.sleep(0.01)
    write(source, target)
archives._write = held_up
sys.exit(command_line())
"""


@pytest.mark.parametrize("killed", [False, True])
def test_of_two_at_once_one_unpacks_and_the_other_waits(
    root: Path, manifest: Path, tmp_path: Path, killed: bool
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

    def start(out: str) -> AbstractContextManager[subprocess.Popen[str]]:
        command = ["data", "--manifest", str(manifest), "--data-set", "finetune", "--root", str(root),
                   "--out", str(tmp_path / out), "--workers", "1"]  # fmt: skip
        return running([sys.executable, "-c", HELD_UP, *command], cwd=tmp_path, env=environment)

    with start("first") as first:
        assert [line_of(first) for _ in range(2)][1] == "held up\n"
        with start("second") as second:
            assert "waiting" in line_of(second)
            if killed:
                first.kill()
                first.wait()
            (tmp_path / "go").touch()
            said = second.communicate(timeout=LIMIT_S)[0]
        assert second.returncode == 0
        assert ("coco/train2017: another process has unpacked" in said) != killed
        first.communicate(timeout=LIMIT_S)
    assert first.returncode == (-signal.SIGKILL if killed else 0)
    made = ["second"] if killed else ["first", "second"]
    for out in made:
        assert read_json(tmp_path / out / "run.json")["images"] == 10
    assert not list(root.rglob(".*"))


def test_wrong_content_is_refused(run, root: Path, manifest: Path, tmp_path: Path) -> None:
    change(manifest, sha256="0" * 64)
    code, _, complaint = run()
    assert (code, "SHA-256 differs" in complaint) == (2, True)
    assert not (root / "coco" / "train2017").exists()
    right = hashlib.sha256((root / "coco-train2017.zip").read_bytes()).hexdigest()
    change(manifest, sha256=right, files=5)
    assert "held 4 files instead of 5" in run()[2]
    assert "holds 4 of 5 files; delete it, its archive exists" in run("--check")[2]
    change(manifest, files=4)
    (root / "mix.json").write_text(json.dumps([row(0, None)]))
    assert "rows: 1 instead of 12; rows in coco: 0 instead of 5" in run()[2]
    assert not (tmp_path / "out").exists()


def test_an_image_folder_may_be_a_link(run, root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "shared" / "covers"
    elsewhere.parent.mkdir()
    (root / "ocr_vqa" / "images").rename(elsewhere)
    (root / "ocr_vqa" / "images").symlink_to(elsewhere)
    assert run()[0] == 0


def test_names_that_lead_out_of_the_folder_are_refused(run, root: Path, tmp_path: Path) -> None:
    jpeg(tmp_path / "secret.jpg")
    rows = json.loads((root / "mix.json").read_text())
    rows[9]["image"], rows[7]["image"] = "ocr_vqa/../../secret.jpg", str(tmp_path / "secret.jpg")
    (root / "mix.json").write_text(json.dumps(rows))
    complaint = run()[2]
    assert f"row 8 (id 2): its image '{tmp_path}/secret.jpg' is an absolute path" in complaint
    assert "row 10 (id 4): its image 'ocr_vqa/../../secret.jpg' leads out of its folder" in complaint
    assert "rows in ocr_vqa: 1 instead of 3" in run("--max-bad-share", "0.5")[2]
    source = ImageSource(root)
    outside = ["ocr_vqa/../../secret.jpg", str(tmp_path / "secret.jpg")]
    assert source.missing(outside) == outside
    for name in outside:
        with pytest.raises(UserError, match="forward slashes"):
            source.open(name)


def test_the_real_manifest_is_what_the_paper_trained_on() -> None:
    manifest = read_manifest(REAL)
    rows = {s.name: s.conversations.rows for s in manifest.sets}
    assert rows == {"pretrain": 558128, "finetune": 665298}
    mix = manifest.set_named("finetune").conversations
    assert mix.text_only is not None
    assert sum(mix.rows_by_folder.values()) + mix.text_only == mix.rows
    folders = {a.folder for a in manifest.set_named("finetune").archives}
    assert folders == {"coco/train2017", "gqa/images", "ocr_vqa/images", "textvqa/train_images",
                       "vg/VG_100K", "vg/VG_100K_2"}  # fmt: skip
    assert len({a.path for s in manifest.sets for a in s.parts()}) == 9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folder": "../elsewhere"}, "must stay inside its folder"),
        ({"url": None}, "give either url, or hub and file"),
        ({"sha256": "abc"}, "sha256"),
        ({"folder": "vg/VG_100K"}, "two archives of set finetune fill the same folder"),
        ({"flies": 3}, "did you mean 'files'"),
    ],
)
def test_a_wrong_manifest_says_why(manifest: Path, changes: dict[str, Any], message: str) -> None:
    change(manifest, **changes)
    with pytest.raises(UserError, match=message):
        read_manifest(manifest)


def test_an_unknown_set_and_a_missing_out_are_refused(
    manifest: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["data", "--manifest", str(manifest), "--root", str(root), "--data-set"]
    assert main([*given, "pretrain"]) == 2
    assert "write one of: finetune" in capsys.readouterr().err
    assert main([*given, "finetune"]) == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["../elsewhere", "coco/.hidden", "../elsewhere/.ssh", "/"])
def test_nothing_is_unpacked_through_a_link_that_leads_out(
    run, root: Path, manifest: Path, tmp_path: Path, target: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "coco" / ".hidden").mkdir(parents=True)
    (root / "link").symlink_to(target)
    change(manifest, folder="link/train2017")
    before = sorted(tmp_path.rglob("*"))
    code, _, complaint = run()
    assert (code, f"{root}/link/train2017 leads through a link to /" in complaint) == (2, True)
    assert sorted(tmp_path.rglob("*")) == before


def test_archives_are_unpacked_through_a_link_that_stays_inside(run, root: Path, manifest: Path) -> None:
    (root / "disk").mkdir()
    (root / "coco").symlink_to("disk")
    assert run()[0] == 0
    assert len(list((root / "disk" / "train2017").iterdir())) == 4
