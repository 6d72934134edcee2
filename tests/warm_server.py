"""``warm_server.py SOCKET``: a process that has imported what takes seconds, and forks for each command.

Only packages of others are imported: every fork imports the project's own code itself, from where its
environment says. ``warm.py`` starts this, ``warm_client.py`` asks.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

#: What jobs of the workflow import, and Snakemake itself.
PACKAGES = (
    "snakemake.cli", "pydantic", "pandas", "scipy.optimize", "matplotlib.pyplot", "altair", "jinja2",
    "pyarrow.parquet", "datasets", "PIL.Image", "safetensors.torch", "accelerate",
    "transformers.trainer", "transformers.models.clip.modeling_clip",
    "transformers.models.qwen2.modeling_qwen2", "torch.distributed.run",
)  # fmt: skip
#: What the names of this project's own packages start with.
OWN = ("paretoken", "snakemake_executor_plugin_paretoken")
#: Variable of the environment: the folder in which each command leaves its number as the name of a file.
CHILDREN = "WARM_CHILDREN"


class Server:
    """Forks; knows who asked for which, tells them how it ended, and kills what nobody waits for."""

    def __init__(self, path: str) -> None:
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        self.listening.listen(64)
        self.waiting = selectors.DefaultSelector()
        self.waiting.register(self.listening, selectors.EVENT_READ)
        self.waiting.register(0, selectors.EVENT_READ)

    def serve(self) -> tuple[dict[str, Any], list[int]] | None:
        """Return what is asked for, in a fork for it; in this process nothing, when its input ends."""
        while True:
            for key, _ in self.waiting.select():
                if key.fileobj == 0:
                    return None
                if key.fileobj is self.listening:
                    asked = self.fork(self.listening.accept()[0])
                    if asked is not None:
                        return asked
                elif key.fd in self.waiting.get_map():  # not the other one of a pair that is done
                    self.end(*key.data)

    def fork(self, asking: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
        """Return what is asked for, in a fork; nothing in this process."""
        text, files, _, _ = socket.recv_fds(asking, 1 << 20, 3)
        while not text.endswith(b"\n"):
            text += asking.recv(1 << 20)
        child = os.fork()
        if not child:
            self.waiting.close()
            self.listening.close()
            asking.close()
            return json.loads(text), files
        for file in files:
            os.close(file)
        pair = (child, os.pidfd_open(child), asking)
        self.waiting.register(pair[1], selectors.EVENT_READ, pair)
        self.waiting.register(asking, selectors.EVENT_READ, pair)
        return None

    def end(self, child: int, ending: int, asking: socket.socket) -> None:
        """Tell how a fork ended. If it has not, who asked for it is gone, and it has to go, too."""
        self.waiting.unregister(ending)
        self.waiting.unregister(asking)
        signal.pidfd_send_signal(ending, signal.SIGKILL)  # what has ended does not mind
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with asking, suppress(BrokenPipeError):
            asking.sendall(f"{code}\n".encode())
        os.close(ending)


def become(asked: dict[str, Any], files: list[int]) -> int:
    """Be the command, `python -m module ...` or `python script ...`; return its exit code."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    if CHILDREN in os.environ:
        Path(os.environ[CHILDREN], str(os.getpid())).touch()
    # What starts `python`, or `paretoken` beside it, starts it warm, too.
    sys.executable = asked["python"]
    first, *rest = asked["words"]
    module = first == "-m"
    sys.argv = [rest.pop(0) if module else first, *rest]
    start = asked["folder"] if module else str(Path(first).resolve().parent)
    sys.path[:1] = [start, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    try:
        if module:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(first, run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def forget_own() -> None:
    """Leave the project's own code, which Snakemake looked for as a plugin, to every fork."""
    registry = importlib.import_module("snakemake_interface_executor_plugins.registry")
    registry.ExecutorPluginRegistry._instance = None
    for name in [name for name in sys.modules if name.startswith(OWN)]:
        del sys.modules[name]


def main() -> None:
    for name in PACKAGES:
        with suppress(ModuleNotFoundError):  # without the training stack, only what there is starts warm
            importlib.import_module(name)
    forget_own()
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()
    server = Server(sys.argv[1])
    print("ready", flush=True)
    asked = server.serve()
    code = 0 if asked is None else become(*asked)
    # As at the end of an interpreter, but without taking all that was imported to pieces, a second.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
