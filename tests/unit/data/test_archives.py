"""Archives from elsewhere: what is refused, and that nothing half-unpacked has a final name."""

from __future__ import annotations

import io
import os
import signal
import stat
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from paretoken.config.settings import digest
from paretoken.data.archive_safety import Limits
from paretoken.data.archives import UNPACKING, unpack
from paretoken.data.manifest import COMMON
from paretoken.errors import UserError
from processes import line_of, running

FILES = {"train/a.jpg": b"a" * 10, "train/deep/b.jpg": b"", "train/c.jpg": os.urandom(5000)}


def make(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz" if path.suffix in {".gz", ".tgz"} else "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(path: Path, message: str, **options) -> None:
    folder = path.parent / "out" / "images"
    with pytest.raises(UserError, match=message):
        unpack(path, folder, **options)
    assert not folder.exists()
    assert set(path.parent.iterdir()) <= {path, path.parent / "out"}
    assert not list(path.parent.glob("out/*"))


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz"])
@pytest.mark.parametrize("inner", ["train", COMMON])
def test_the_inner_folder_becomes_the_target(tmp_path: Path, name: str, inner: str) -> None:
    junk = {"__MACOSX/train/._a.jpg": b"x", "train/.DS_Store": b"x"}
    path = make(tmp_path / name, {**FILES, **junk})
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "coco" / "train2017"
    assert unpack(path, folder, inner, progress=lambda *step: seen.append(step)) == 3
    assert content(folder) == {k.removeprefix("train/"): v for k, v in FILES.items()}
    assert [p.name for p in folder.parent.iterdir()] == ["train2017"]
    assert seen


def test_without_inner_folder_all_is_unpacked_and_an_empty_target_may_exist(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"00001/1.jpg": b"1", "00002/2.jpg": b"2"})
    (tmp_path / "images").mkdir()
    assert unpack(path, tmp_path / "images") == 2
    assert content(tmp_path / "images") == {"00001/1.jpg": b"1", "00002/2.jpg": b"2"}


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "a\\..\\..\\evil"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, suffix: str, name: str) -> None:
    refused(make(tmp_path / f"a{suffix}", {"ok": b"x", name: b"x"}), "leads elsewhere")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    refused(tmp_path / "a.tar", "link or a device")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", "link or a device")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_bombs_are_refused(tmp_path: Path, suffix: str) -> None:
    bomb = {"a.jpg": bytes(80_000_000)}
    refused(make(tmp_path / f"a{suffix}", bomb), "100 times its size")
    large = make(tmp_path / f"a{suffix}", FILES)
    refused(large, "more than 100 bytes", limits=Limits(total_bytes=100))
    refused(large, "more than 2 files", limits=Limits(files=2))


def test_a_duplicate_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", "1")
        archive.writestr("./a.jpg", "2")
    refused(path, "twice")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_truncated_and_damaged_archives_are_refused(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path / f"a{suffix}", FILES)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "damaged")
    path.write_bytes(b"<html>not found</html>")
    refused(path, "damaged")


def test_a_flipped_bit_in_a_zip_is_noticed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", b"abcdefgh" * 100)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[200] ^= 1
    (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip", "CRC")


def test_unknown_formats_and_missing_inner_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.rar").write_bytes(b"x")
    refused(tmp_path / "a.rar", r"expected \.zip")
    (tmp_path / "a.rar").unlink()
    refused(make(tmp_path / "a.zip", FILES), "no files in val", inner="val")


def test_a_full_target_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mine.jpg").write_text("x")
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(make(tmp_path / "a.zip", FILES), tmp_path / "images")
    assert content(tmp_path / "images") == {"mine.jpg": b"x"}


#: Unpacks files, and stops for ever with a part of the 21st one written.
HALF_UNPACKED = """
import sys
from pathlib import Path
import paretoken.data.archives as archives
write, started = archives._write, []
def halting(parts, target):
    started.append(target)
    if len(started) == 21:
        target.write_bytes(b"cut")
        print(target.name, flush=True)
        sys.stdin.read()
    write(parts, target)
archives._write = halting
archives.unpack(Path(sys.argv[1]), Path(sys.argv[2]), workers=1)
"""


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, suffix: str) -> None:
    files = {f"{i}.jpg": os.urandom(50) for i in range(40)}
    path, folder = make(tmp_path / f"a{suffix}", files), tmp_path / "images"
    with running([sys.executable, "-c", HALF_UNPACKED, path, folder]) as process:
        unfinished = line_of(process).strip()
    assert process.returncode == -signal.SIGKILL
    assert not folder.exists()
    (staging,) = tmp_path.glob(f"{UNPACKING}*")
    assert stat.S_IMODE(staging.stat().st_mode) == 0o700
    done = [file for file in (staging / "files").iterdir() if file.name != unfinished]
    assert len(done) == 20
    before = {p.name: p.stat().st_mtime_ns for p in done}
    assert unpack(path, folder) == 40
    assert content(folder) == files
    assert {n: (folder / n).stat().st_mtime_ns for n in before} == before
    assert not list(tmp_path.glob(f"{UNPACKING}*"))


def test_what_another_version_of_the_archive_left_is_not_used(tmp_path: Path) -> None:
    version = digest("a.zip", 1, 2)
    names = (f"{UNPACKING}{name}-{version}-abcdefgh" for name in ("images", "images-2"))
    stale, other = (tmp_path / name for name in names)
    for folder in (stale, other):
        folder.mkdir(mode=0o700)
        (folder / "old.jpg").write_text("x")
    unpack(make(tmp_path / "a.zip", {"a.jpg": b"x"}), tmp_path / "images")
    assert sorted(p.name for p in tmp_path.iterdir()) == [other.name, "a.zip", "images"]
    assert not stale.exists()


def test_a_prepared_staging_folder_is_not_used(tmp_path: Path) -> None:
    """Neither a link, nor a folder that others may write to; both stay as they are."""
    path, victim = make(tmp_path / "a.zip", {"a.jpg": b"x"}), tmp_path / "victim"
    victim.mkdir()
    (victim / "files").mkdir()
    status = path.stat()
    prefix = f"{UNPACKING}images-{digest('a.zip', status.st_size, status.st_mtime_ns)}-"
    (tmp_path / f"{prefix}abcdefgh").symlink_to(victim)
    (tmp_path / f"{prefix}open5678").mkdir()
    (tmp_path / f"{prefix}open5678").chmod(0o777)
    (tmp_path / f"{prefix}open5678" / "files").symlink_to(victim)
    unpack(path, tmp_path / "images")
    assert content(tmp_path / "images") == {"a.jpg": b"x"}
    assert content(victim) == {}
    assert (tmp_path / f"{prefix}abcdefgh").is_symlink()
    assert (tmp_path / f"{prefix}open5678" / "files").is_symlink()


def test_the_result_has_the_usual_permissions_and_no_link_is_replaced(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"a.jpg": b"x"})
    unpack(path, tmp_path / "images")
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "images").stat().st_mode == (tmp_path / "usual").stat().st_mode
    (tmp_path / "link").symlink_to(tmp_path / "usual")
    with pytest.raises(UserError, match="exists and is not an empty folder"):
        unpack(path, tmp_path / "link")
    assert not list((tmp_path / "usual").iterdir())
