"""Archives that were made to do harm: refused early, in little memory, with nothing left behind."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretoken.data import archives
from paretoken.data.archive_safety import Budget, Limits, safe_name
from paretoken.data.archives import unpack
from paretoken.data.tar_reading import GzipStream, TarReader
from paretoken.errors import UserError

#: Unpacks its first argument into its second within an address space of so many bytes, or says why not.
UNPACK = """
import resource, sys
from pathlib import Path
from paretoken.data.archives import unpack
from paretoken.errors import UserError
limit = int(sys.argv[3])
used = int(next(l for l in open("/proc/self/status") if l.startswith("VmSize")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + limit, used + limit))
try:
    unpack(Path(sys.argv[1]), Path(sys.argv[2]), workers=1)
except UserError as error:
    print(error)
    sys.exit(2)
"""

MEMORY = 64 * 2**20
SECONDS = 120


def header(name: bytes, size: int = 0, kind: bytes = b"0", **fields: bytes) -> bytes:
    """Return one 512-byte header of a tar."""
    linkname, prefix = fields.get("linkname", b""), fields.get("prefix", b"")
    block = bytearray(
        struct.pack("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x", name, b"0000644\0", b"0\0", b"0\0",
                    b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big"),
                    b"0\0", b" " * 8, kind, linkname, b"ustar\00000", b"", b"", b"", b"", prefix)
    )  # fmt: skip
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def pax(**records: str) -> bytes:
    """Return a pax header with these records, for the member that follows."""
    body = b""
    for key, value in records.items():
        line = f" {key}={value}\n".encode()
        length = len(line) + len(str(len(line) + 3))
        body += b"%d" % length + line
    return header(b"pax", len(body), b"x") + padded(body)


def long_name(name: bytes) -> bytes:
    return header(b"././@LongLink", len(name), b"L") + padded(name)


FILE = header(b"a.jpg", 3) + padded(b"abc")
END = bytes(1024)


def zeros(total: int) -> Iterator[bytes]:
    for _ in range(total // 2**20):
        yield bytes(2**20)


def compressed(make: Callable[[], object], parts: Iterator[bytes]) -> bytes:
    compressor: object = make()
    return b"".join(compressor.compress(part) for part in parts) + compressor.flush()  # type: ignore[attr-defined]


def gzip_bomb(start: bytes, total: int, end: bytes = b"") -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as stream:
        stream.write(start)
        for part in zeros(total):
            stream.write(part)
        stream.write(end)
    return out.getvalue()


def refused(path: Path, message: str, limits: Limits | None = None) -> None:
    folder = path.parent / "out" / "images"
    with pytest.raises(UserError, match=message) as error:
        unpack(path, folder, limits=limits or Limits())
    assert len(str(error.value)) < 600
    assert str(error.value).isprintable()
    assert [p.name for p in path.parent.iterdir() if p != path] in ([], ["out"])
    assert not list(path.parent.glob("out/*"))


def refused_apart(path: Path, memory: int = MEMORY) -> str:
    """Unpack in a process of little memory, which must say why not; return what it says."""
    done = subprocess.run(
        [sys.executable, "-c", UNPACK, path, path.parent / "out" / "images", str(memory)],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr[-500:]
    assert not list(path.parent.glob("out/*"))
    return done.stdout


def tar_gz(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content, mtime=0))
    return path


BOMBS = {
    "bz2.tar": lambda: compressed(bz2.BZ2Compressor, zeros(80 * 2**20)),
    "xz.tar": lambda: compressed(lzma.LZMACompressor, zeros(80 * 2**20)),
    "gz.tar": lambda: gzip_bomb(b"", 150 * 2**20),
    "bz2.tar.gz": lambda: compressed(bz2.BZ2Compressor, zeros(80 * 2**20)),
    # A member of zeros; a member that is left out; a long name; what follows the end.
    "member.tar.gz": lambda: gzip_bomb(header(b"a.jpg", 150 * 2**20), 150 * 2**20, END),
    "junk.tar.gz": lambda: gzip_bomb(header(b"__MACOSX/x", 150 * 2**20), 150 * 2**20, END),
    "name.tar.gz": lambda: gzip_bomb(header(b"././@LongLink", 150 * 2**20, b"L"), 150 * 2**20, FILE),
    "pax.tgz": lambda: gzip_bomb(header(b"pax", 150 * 2**20, b"x"), 150 * 2**20, FILE),
    "global.tgz": lambda: gzip_bomb(header(b"pax", 150 * 2**20, b"g"), 150 * 2**20, FILE),
    "link.tgz": lambda: gzip_bomb(header(b"././@LongLink", 150 * 2**20, b"K"), 150 * 2**20, FILE),
    "tail.tar.gz": lambda: gzip_bomb(FILE + END, 150 * 2**20),
    "twice.tar.gz": lambda: gzip_bomb(FILE, 0) + gzip_bomb(b"", 150 * 2**20),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_no_decompressor_runs_ahead(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 2**20
    said = refused_apart(path)
    assert "it is not unpacked" in said or "is damaged" in said


def test_a_long_name_in_an_uncompressed_tar_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with path.open("wb") as stream:
        stream.write(header(b"././@LongLink", 3 * 10**9, b"L"))
        stream.truncate(3 * 10**9 + 2048)  # a hole, which takes no disk
    assert "headers of more than 65,536 bytes" in refused_apart(path)


@pytest.mark.parametrize(
    "content",
    [
        b"".join(pax(comment="x") for _ in range(3000)) + FILE,
        b"".join(long_name(b"x") for _ in range(3000)) + FILE,
        b"".join(header(b"pax", 0, b"g") for _ in range(3000)) + FILE,
        header(b"pax", 60_000, b"x") + padded(b"1" * 60_000) + FILE,  # digits without an end
    ],
)
def test_headers_of_headers_are_refused_without_recursion(tmp_path: Path, content: bytes) -> None:
    refused(tar_gz(tmp_path / "a.tar.gz", content + END), r"headers of more|bad pax header")


@pytest.mark.slow
def test_many_folders_and_junk_members_are_refused_soon(tmp_path: Path) -> None:
    folder = header(b"x/", 0, b"5")
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for _ in range(30):
            stream.write(folder * 10_000)
    assert "holds 100,001 entries that are folders or left out" in refused_apart(path)
    refused(path, "more than 1,000 entries", Limits(members=1000))
    junk = header(b"._x", 0)
    refused(tar_gz(path, junk * 1001), "more than 1,000 entries", Limits(members=1000))


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_too_many_folders_and_too_deep_ones_are_refused(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path / f"a{suffix}", [f"{i}/a.jpg" for i in range(11)])
    refused(path, "more than 10 folders", Limits(folders=10))
    refused(make(path, ["x/" * 1500 + "a.jpg"]), "longer than|folders deep")
    refused(make(path, ["x/" * 33 + "a.jpg"]), "more than 32 folders deep")
    refused(make(path, ["x/" * 1000]), "folders deep")
    refused(make(path, ["x" * 256]), "more than 255 bytes")
    refused(make(path, ["ü" * 128]), "more than 255 bytes")
    refused(make(path, ["x" * 60_000]), "longer than")


def make(path: Path, names: list[str]) -> Path:
    """Write an archive with a file of each name, as it is (`zipfile` would correct some)."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                info = zipfile.ZipInfo("x")
                info.filename = info.orig_filename = name
                archive.writestr(info, b"x")
        return path
    content = b"".join(
        (long_name(raw) if len(raw) > 99 else b"") + header(raw[:100], 1) + padded(b"x")
        for raw in (name.encode("utf-8", "surrogateescape") for name in names)
    )
    path.write_bytes(content + END if path.suffix == ".tar" else gzip.compress(content + END))
    return path


NAMES = ["a\nb.jpg", "a\rb", "\x1b[31mred.jpg", "a\x7f", "a\x9bb", "a\u2028b", "gpj.\u202ea", "a\tb"]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
@pytest.mark.parametrize("name", NAMES)
def test_names_with_control_characters_are_refused(tmp_path: Path, suffix: str, name: str) -> None:
    refused(make(tmp_path / f"a{suffix}", [name]), "has control characters")


def test_names_with_a_zero_byte_and_in_no_encoding_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", ["a.jpgXevil"])
    path.write_bytes(path.read_bytes().replace(b"a.jpgXevil", b"a.jpg\0evil"))
    refused(path, "leads elsewhere")
    refused(make(tmp_path / "a.zip", ["ok"]).rename(tmp_path / "b.tar"), "damaged")
    (tmp_path / "b.tar").unlink()
    (tmp_path / "c.tar").write_bytes(pax(path="a\0b") + FILE + END)
    refused(tmp_path / "c.tar", "leads elsewhere")
    (tmp_path / "c.tar").write_bytes(header("café.jpg".encode("latin-1"), 1) + padded(b"x") + END)
    refused(tmp_path / "c.tar", r"the path 'caf\\udce9.jpg', which is not written in UTF-8")


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a/..", "..", "//x", "C:\\x"])
@pytest.mark.parametrize("where", ["header", "prefix", "long", "pax"])
def test_no_header_leads_out(tmp_path: Path, name: str, where: str) -> None:
    raw = name.encode()
    before = {"long": long_name(raw), "pax": pax(path=name)}.get(where, b"")
    plain = header(raw, 1) if where == "header" else header(b"ok", 1)
    if where == "prefix":
        plain = header(b"x", 1, prefix=raw)
    path = tmp_path / "a.tar"
    path.write_bytes(before + plain + padded(b"x") + END)
    refused(path, "leads elsewhere")


@pytest.mark.parametrize("kind", [b"2", b"3", b"4", b"6", b"S", b"V", b"D", b"M", b"z"])
def test_other_kinds_of_members_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(header(b"x", 0, kind, linkname=b"/etc/passwd") + END)
    refused(path, "a link or a device")


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(pax(**{"GNU.sparse.major": "1", "GNU.sparse.realsize": str(10**15)}) + FILE + END)
    refused(path, "a sparse file")


@pytest.mark.parametrize("size", ["-1", "x", "9" * 5000, "", "1e9"])
def test_invalid_sizes_are_refused(tmp_path: Path, size: str) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(pax(size=size) + FILE + END)
    refused(path, "bad pax header")


def test_false_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    for size in (4, 600):
        path.write_bytes(header(b"a.jpg", size + 1024) + padded(b"abc"))
        refused(path, "damaged")
    path.write_bytes(header(b"a.jpg", 2**60) + padded(b"abc") + END)
    refused(path, "times its size")


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_two_members_of_one_name_are_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a{suffix}"
    refused(make(path, ["a.jpg", "b.jpg", "./a.jpg"]), "twice")
    refused(make(path, ["a", "a/b"]), "as a file and as a folder")
    refused(make(path, ["a/b/c", "a/b"]), "as a file and as a folder")
    same = ["straße.JPG", "STRASSE.jpg"], ["é.jpg", "e\u0301.jpg"], ["A/x", "a/X"]
    for names in same:
        assert unpack(make(path, names), tmp_path / names[0]) == 2
    monkeypatch.setattr(archives, "_folds_names", lambda folder: True)
    for names in same:
        with pytest.raises(UserError, match="twice"):
            unpack(make(path, names), tmp_path / "folded")
        assert not (tmp_path / "folded").exists()


def overlapping(path: Path, count: int) -> Path:
    """A zip whose entries all name the same bytes, in the manner of Fifield's."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(10_000))
        first = archive.infolist()[0]
        for i in range(count):
            info = zipfile.ZipInfo(f"{i}.jpg")
            info.compress_type, info.CRC = first.compress_type, first.CRC
            info.file_size, info.compress_size = first.file_size, first.compress_size
            info.header_offset = first.header_offset
            archive.filelist.append(info)
    return path


def test_overlapping_members_of_a_zip_are_refused(tmp_path: Path) -> None:
    refused(overlapping(tmp_path / "a.zip", 3), "overlaps another member")


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_of_zip_are_refused(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("a.jpg", b"x" * 100)
    refused(path, "not stored and deflated")


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", ["a.jpg"])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    refused(path, "is encrypted")


@pytest.mark.parametrize("size", [1, 99, 101, 1000, 2**32 - 2])
def test_a_zip_with_false_sizes_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(100))
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.index(b"PK\1\2") + 24, size)
    path.write_bytes(data)
    refused(path, "times its size|damaged", Limits(ratio=1e6) if size < 2**20 else None)


def test_a_table_of_contents_is_counted_before_it_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", [f"{i}.jpg" for i in range(200)])
    refused(path, "more than 100 entries", Limits(members=100))
    path.write_bytes(
        b"PK\1\2" * 4_000_000 + b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 1, 1, 16_000_000, 0, 0)
    )
    assert "more than 2,200,000 entries" in refused_apart(path)
    path.write_bytes(b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 1, 1, 2**32 - 2, 0, 0))
    refused(path, "damaged")


def test_empty_streams_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(FILE, mtime=0) + gzip.compress(b"", mtime=0) * 100_000)
    refused(path, "too many gzip streams")


@given(st.binary(max_size=300_000), st.integers(1, 5), st.integers(1, 200_000))
@settings(max_examples=40, deadline=None)
def test_a_gzip_stream_gives_the_same_bytes_as_gzip(content: bytes, streams: int, step: int) -> None:
    part = len(content) // streams + 1
    raw = b"".join(gzip.compress(content[i : i + part]) for i in range(0, len(content), part))
    raw = raw or gzip.compress(b"")
    budget = Budget(Path(__file__), Limits(ratio=1e9))
    stream = GzipStream(io.BytesIO(raw + bytes(100)), budget)
    parts = list(iter(lambda: stream.read(step), b""))
    assert b"".join(parts) == content
    assert all(len(p) == step for p in parts[:-1])
    cut = GzipStream(io.BytesIO(raw[:-1]), budget)
    with pytest.raises(EOFError):
        list(iter(lambda: cut.read(step), b""))


NAME = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=120)


@given(
    st.dictionaries(
        st.lists(NAME, min_size=1, max_size=3).map("/".join), st.binary(max_size=2000), max_size=8
    ),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
@settings(max_examples=60, deadline=None)
def test_a_tar_is_read_as_tarfile_reads_it(files: dict[str, bytes], form: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 0.5 if form == tarfile.PAX_FORMAT else 0
            try:
                archive.addfile(info, io.BytesIO(content))
            except ValueError:  # a name that is too long for ustar
                return
    out.seek(0)
    reader = TarReader(out.read, Budget(Path(__file__), Limits()))
    found = [(m.name, b"".join(reader.content())) for m in reader]
    out.seek(0)
    with tarfile.open(fileobj=out) as archive:
        wanted = [(m.name, archive.extractfile(m).read()) for m in archive]  # type: ignore[union-attr]
    assert found == wanted == list(files.items())


@given(st.binary(max_size=3000), st.integers(0, 3000), st.sampled_from([".tar", ".tar.gz", ".zip"]))
@settings(max_examples=80, deadline=None)
def test_whatever_bytes_are_a_clear_error_or_files(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, suffix: str
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    whole = make(folder / f"a{suffix}", ["a/b.jpg", "ü.jpg", "x" * 150]).read_bytes()
    (folder / f"a{suffix}").write_bytes(whole[:at] + noise + whole[at + len(noise) :])
    try:
        unpack(folder / f"a{suffix}", folder / "out")
    except UserError:
        assert [p.name for p in folder.iterdir()] == [f"a{suffix}"]
    else:
        assert sorted(p.name for p in folder.iterdir()) == [f"a{suffix}", "out"]


@given(st.text(max_size=60))
def test_a_safe_name_stays_below_and_is_printable(name: str) -> None:
    safe = None
    with suppress(UserError):
        safe = safe_name(name, Path("a.zip"), Limits())
    if safe is not None:
        target = Path("/data/x") / safe
        assert target.resolve().is_relative_to("/data/x")
        assert "\n" not in safe
        assert "\x1b" not in safe
