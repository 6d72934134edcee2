"""What archives of data sets hold that looks like an attack is unpacked; attacks like it are not."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from test_hostile_archives import END, FILE, gzip_bomb, header, long_name, pax, refused, refused_apart

from paretoken.data.archive_safety import Budget, Limits
from paretoken.data.archives import unpack
from paretoken.data.tar_reading import BLOCK


def mask(value: int) -> bytes:
    """Return a picture of one colour as a BMP file."""
    out = io.BytesIO()
    Image.new("RGB", (640, 480), (value, 0, 0)).save(out, "BMP")
    return out.getvalue()


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_masks_of_one_colour_are_unpacked(tmp_path: Path, suffix: str) -> None:
    path, masks = tmp_path / f"masks{suffix}", {f"{i}.bmp": mask(i) for i in range(60)}
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in masks.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for name, content in masks.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    assert sum(map(len, masks.values())) > 100 * path.stat().st_size
    assert unpack(path, tmp_path / "out") == 60
    assert (tmp_path / "out" / "7.bmp").read_bytes() == masks["7.bmp"]


def test_files_and_streams_may_have_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(bytes(1000))
    limits = Limits(ratio=2, slack_bytes=500)
    for most, grown in ((2500, limits), (2400, Limits(total_bytes=2400, ratio=2, slack_bytes=500))):
        Budget(path, grown).add("a", most)
        Budget(path, grown).require_streamed(most)
        for refuse in (lambda b, n: b.add("a", n), lambda b, n: b.require_streamed(n)):
            with pytest.raises(Exception, match=f"more than {most:,} bytes"):
                refuse(Budget(path, grown), most + 1)


def test_what_exceeds_the_slack_is_a_bomb_still(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    size = 100 * 2**20
    path.write_bytes(gzip_bomb(header(b"a.bmp", size), size, END))
    slack = Limits(slack_bytes=2**20)
    refused(path, "times its size and 1,048,576 bytes are allowed", slack)


def links(path: Path, kind: str) -> None:
    """Write a tar as GNU tar does of a folder with two names for one file."""
    form = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT, "ustar": tarfile.USTAR_FORMAT}[kind]
    source = path.parent / "source"
    (source / "a").mkdir(parents=True, exist_ok=True)
    first = source / "a" / ("x" * (90 if kind == "ustar" else 120) + ".jpg")
    first.write_bytes(b"picture")
    second = source / "b.jpg"
    if not second.exists():
        os.link(first, second)
    with tarfile.open(path, "w", format=form) as archive:
        for each in (first, second):
            archive.add(each, each.relative_to(source))
        assert archive.getmembers()[1].islnk()


@pytest.mark.parametrize("kind", ["gnu", "pax", "ustar"])
def test_a_hard_link_to_an_earlier_file_becomes_a_copy(tmp_path: Path, kind: str) -> None:
    links(tmp_path / "a.tar", kind)
    assert unpack(tmp_path / "a.tar", tmp_path / "out") == 2
    assert (tmp_path / "out" / "b.jpg").read_bytes() == b"picture"
    assert (tmp_path / "out" / "b.jpg").stat().st_nlink == 1


@pytest.mark.parametrize(
    ("linkname", "message"),
    [
        (b"/etc/passwd", "leads elsewhere"),
        (b"../a.jpg", "leads elsewhere"),
        (b"later.jpg", "which is not an earlier file of it"),
        (b"x", "which is not an earlier file of it"),
        (b"folder", "which is not an earlier file of it"),
        (b"", "which is not an earlier file of it"),
    ],
)
def test_other_hard_links_are_refused(tmp_path: Path, linkname: bytes, message: str) -> None:
    path = tmp_path / "a.tar"
    link = header(b"x", 0, b"1", linkname=linkname)
    folder, later = header(b"folder/", 0, b"5"), header(b"later.jpg", 0)
    path.write_bytes(FILE + folder + link + later + END)
    refused(path, message)
    if linkname:
        long = header(b"././@LongLink", len(linkname), b"K") + linkname.ljust(BLOCK, b"\0")
        path.write_bytes(FILE + long + header(b"x", 0, b"1", linkname=b"a.jpg") + END)
        refused(path, message)
        path.write_bytes(FILE + pax(linkpath=linkname.decode()) + header(b"x", 0, b"1") + END)
        refused(path, message)


def test_links_count_as_the_files_that_they_become(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    content = os.urandom(512 * 1000)
    many = b"".join(header(b"%d.jpg" % i, 0, b"1", linkname=b"a.jpg") for i in range(300))
    path.write_bytes(header(b"a.jpg", len(content)) + content + many + END)
    refused(path, "would unpack to more than", Limits(ratio=100, slack_bytes=0))


def test_long_names_of_links_are_read(tmp_path: Path) -> None:
    name = b"y" * 150
    content = long_name(name) + header(b"y", 3) + b"abc".ljust(BLOCK, b"\0")
    link = header(b"././@LongLink", len(name), b"K") + name.ljust(BLOCK, b"\0") + header(b"z", 0, b"1")
    (tmp_path / "a.tgz").write_bytes(gzip.compress(content + link + END))
    assert unpack(tmp_path / "a.tgz", tmp_path / "out") == 2
    assert (tmp_path / "out" / "z").read_bytes() == b"abc"


@pytest.mark.slow
def test_a_bomb_of_one_colour_takes_little_memory(tmp_path: Path) -> None:
    path, size = tmp_path / "a.tar.gz", 300 * 2**20
    path.write_bytes(gzip_bomb(header(b"a.bmp", size), size, END))
    assert "would unpack to more than" in refused_apart(path)
