"""What stands for ``python`` and ``paretoken`` where commands start warm: it asks ``warm_server.py``.

``python -m module ...`` and ``python script ...`` become forks of it; anything else runs as ever.
"""

import json
import os
import signal
import socket
import sys


def main(python: str) -> None:
    folder, name = os.path.split(sys.argv[0])
    words = sys.argv[1:]
    if name == "paretoken":
        words = ["-m", "paretoken", *words]
    elif words[:1] == ["-u"]:  # as torchrun starts its processes
        words = words[1:]
    elif not words or (words[0].startswith("-") and words[0] != "-m"):
        os.execv(python, [python, *words])  # noqa: S606
    asked = {
        "words": words,
        "folder": os.getcwd(),  # noqa: PTH109
        "environment": dict(os.environ),
        "python": f"{folder}/python",
    }
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(f"{folder}/socket")
        socket.send_fds(server, [b" "], [0, 1, 2])
        server.sendall(json.dumps(asked).encode() + b"\n")
        code = int(server.recv(16) or 1)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
