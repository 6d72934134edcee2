"""A Python that starts warm: torch, transformers, pandas and Snakemake are imported once, not per job.

A study of a few kilobytes has a hundred jobs, whose time is that of their imports. What a job does, in a
process of its own, stays the same. Some studies of the tests start cold, as those of a user do: an
import that is missing shows there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
LONGEST_FOLDER = 80


@contextmanager
def warm_python() -> Iterator[str]:
    """Give the path of a ``python``, with ``paretoken`` beside it, in a new folder, for a while."""
    # Not in pytest's folders: the path of a socket has at most 107 bytes.
    short = len(tempfile.gettempdir()) < LONGEST_FOLDER
    with tempfile.TemporaryDirectory(prefix="warm-", dir=None if short else "/tmp") as folder:  # noqa: S108
        yield from _served(Path(folder))


def _served(folder: Path) -> Iterator[str]:
    client = (HERE / "warm_client.py").read_text()
    for name in ("python", "paretoken"):
        script = folder / name
        script.write_text(f"#!{sys.executable} -SE\n{client}\n\nmain({sys.executable!r})\n")
        script.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    line = [sys.executable, HERE / "warm_server.py", folder / "socket"]
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield str(folder / "python")


@contextmanager
def killable() -> Iterator[tuple[dict[str, str], Callable[[], None]]]:
    """Give variables for a warm command's environment, and what kills it at once (kill -9).

    So that it and all that it started warm end, not only those who wait for them.
    """
    with tempfile.TemporaryDirectory() as folder:

        def kill() -> None:
            for path in Path(folder).iterdir():
                os.kill(int(path.name), signal.SIGKILL)

        yield {"WARM_CHILDREN": folder}, kill
