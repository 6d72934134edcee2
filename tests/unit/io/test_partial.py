"""What a killed process had half written goes; what a living one writes stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paretoken.io.files import write_text
from paretoken.io.folders import replacing_folder
from paretoken.io.partial import PARTIAL
from processes import LIMIT_S, line_of, running

#: Starts to write a file or a folder, says so, and waits to be told to go on.
WRITER = """
import sys
from pathlib import Path
from paretoken.io.files import replacing
from paretoken.io.folders import replacing_folder
path = Path(sys.argv[1])
with replacing(path) if path.suffix else replacing_folder(path) as new:
    (new if path.suffix else new / "a.txt").write_text("from the other process")
    print("half way", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process write for the length of the block, unless it is told to go on."""
    with running([sys.executable, "-c", WRITER, path]) as process:
        assert line_of(process) == "half way\n"
        yield process


def write(path: Path) -> None:
    if path.suffix:
        write_text(path, "from this process")
    else:
        with replacing_folder(path) as folder:
            (folder / "a.txt").write_text("from this process")


def content(path: Path) -> str:
    return (path if path.suffix else path / "a.txt").read_text()


@pytest.mark.parametrize("name", ["fit [all].json", "model"])
def test_what_a_killed_process_left_is_removed_by_the_next_writer(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with writing(path):
        pass
    assert not path.exists()
    assert len(list(tmp_path.glob(f"{PARTIAL}*"))) == 1
    write(tmp_path / f"other {name}")  # another result has nothing to do with it
    assert len(list(tmp_path.glob(f"{PARTIAL}*"))) == 1
    write(path)
    assert content(path) == "from this process"
    assert sorted(tmp_path.iterdir()) == sorted([path, tmp_path / f"other {name}"])


@pytest.mark.parametrize("name", ["fit.json", "model"])
def test_results_that_another_process_writes_are_not_removed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with writing(path) as process:
        write(path)
        assert content(path) == "from this process"
        process.communicate("go on\n", timeout=LIMIT_S)
    assert process.returncode == 0
    assert content(path) == "from the other process"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_that_somebody_else_prepared_are_never_followed(tmp_path: Path) -> None:
    """A link to a folder with a lock, a lock that is a link, and a folder that others may write to."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "lock").write_text("mine")
    names = [f"{PARTIAL}a.txt-{random}" for random in ("link5678", "lock5678", "open5678")]
    link, lock, shared = (tmp_path / name for name in names)
    link.symlink_to(victim)
    lock.mkdir(mode=0o700)
    (lock / "lock").symlink_to(victim / "lock")
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "lock").write_text("")
    write(tmp_path / "a.txt")
    assert (victim / "lock").read_text() == "mine"
    assert link.is_symlink()
    assert (lock / "lock").is_symlink()
    assert shared.is_dir()


def test_a_hidden_folder_is_private_and_what_comes_of_it_is_not(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "model") as folder:
        assert folder.parent.stat().st_mode & 0o777 == 0o700
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "usual").stat().st_mode
