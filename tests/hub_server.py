"""A stand-in for a hub on the loopback interface, with the parts of its protocol that are used.

Listings (``/api/models/<id>/revision/<rev>`` and ``.../tree/<commit>``), files
(``/<id>/resolve/<commit>/<name>`` with ``ETag``, ``X-Repo-Commit``, and for large files
``X-Linked-Etag``, ``X-Linked-Size`` and a redirect), ranges, and the errors for missing, private and
gated repositories. Faults are set per file name.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".bin", ".model", ".parquet", ".zip")
TOKEN = "hf_secret"  # noqa: S105  # of nothing


@dataclass
class Hub:
    """Repositories (id -> folder) and what is wrong with them."""

    models: dict[str, Path] = field(default_factory=dict)
    datasets: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    #: File -> how many of its bytes are sent before the connection is cut; once, or always.
    cut: dict[str, int] = field(default_factory=dict)
    always: bool = False
    #: File -> content that is sent instead, of the same or another length.
    replaced: dict[str, bytes] = field(default_factory=dict)
    #: File -> seconds between the blocks that it is sent in.
    slow: dict[str, float] = field(default_factory=dict)
    #: File -> ETag and commit that are sent instead.
    etags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    #: File -> content that is sent in pieces without a length (HTTP's chunks).
    chunked: dict[str, bytes] = field(default_factory=dict)
    #: Names that are listed besides those of the files, the commit that is listed (from the second
    #: listing on: another), and headers of all.
    listed: list[str] = field(default_factory=list)
    listed_commit: str | None = None
    later_commit: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: What is done to the content of listings before it is sent.
    spoil: Callable[[Any], Any] = field(default=lambda content: content)
    #: Whether large files are said to be in Xet's storage, too.
    xet: bool = False
    #: Whether all requests are answered with 503.
    down: bool = False
    #: Bytes of content sent, and the requests made: (method, path).
    sent: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[str, str]] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def downloads(self) -> list[str]:
        """The files whose content was asked for."""
        got = [path for method, path in self.requests if method == "GET" and "/api/" not in path]
        return [path.rpartition("/")[2] for path in got]


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324  # git's


def describe(folder: Path, path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    entry: dict[str, Any] = {"size": len(content), "oid": git_blob(content)}
    if path.name.endswith(LARGE):
        pointer = b"version https://git-lfs.github.com/spec/v1\n"
        entry["oid"] = git_blob(pointer)
        oid = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": oid, "sha256": oid, "size": len(content), "pointerSize": 134}
    return {"type": "file", "path": path.relative_to(folder).as_posix(), **entry}


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:  # noqa: PLR0911  # one per outcome
        path = self.path.partition("?")[0]
        self.hub.requests.append((self.command, path))
        if self.hub.down:
            return self._error(503, "", "down")
        blob = re.fullmatch(r"/blobs/(models|datasets)/([^/]+/[^/]+)/(.+)", path)
        if blob:
            repos = self.hub.models if blob[1] == "models" else self.hub.datasets
            return self._content(repos[blob[2]] / blob[3], body, {})
        api = re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/(revision|tree)/([^/]+)", path)
        file = re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if not api and not file:
            return self._error(404, "EntryNotFound", path)
        data = api[1] == "datasets" if api else bool(file and file[1])
        repo = api[2] if api else file[2]  # type: ignore[index]
        revision = api[4] if api else file[3]  # type: ignore[index]
        folder = (self.hub.datasets if data else self.hub.models).get(repo)
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if folder is None or (repo in self.hub.private and not allowed):
            return self._error(401, "RepoNotFound", "Repository not found")
        if unquote(revision) not in ("main", COMMIT, self.hub.later_commit):
            return self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if repo in self.hub.gated and not allowed and not (api and api[3] == "revision"):
            return self._error(403, "GatedRepo", f"Access to {repo} is restricted")
        if api:
            return self._listing(folder, repo, api[3])
        return self._file(folder, file[4], repo, data, body)  # type: ignore[index]

    def _listing(self, folder: Path, repo: str, kind: str) -> None:
        files = [describe(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()]
        if kind == "tree":
            return self._json(files)
        siblings = [
            {"rfilename": f["path"], "size": f["size"], "blobId": f["oid"], "lfs": f.get("lfs")}
            for f in files
        ]
        siblings += [
            {"rfilename": name, "size": 1, "blobId": "0" * 40, "lfs": None} for name in self.hub.listed
        ]
        commit = self.hub.listed_commit or COMMIT
        self.hub.listed_commit = self.hub.later_commit or self.hub.listed_commit
        return self._json(
            {"id": repo, "sha": commit, "siblings": siblings,
             "private": False, "tags": [], "downloads": 0, "likes": 0}
        )  # fmt: skip

    def _file(self, folder: Path, name: str, repo: str, data: bool, body: bool) -> None:
        path = folder / name
        if not path.is_file():
            self._error(404, "EntryNotFound", name)
            return
        entry = describe(folder, path)
        commit = self.hub.commits.get(name, COMMIT)
        headers = {"X-Repo-Commit": commit, "ETag": self.hub.etags.get(name, f'"{entry["oid"]}"')}
        if "lfs" not in entry:
            self._content(path, body, headers)
            return
        headers["X-Linked-Etag"] = self.hub.etags.get(name, f'"{entry["lfs"]["oid"]}"')
        headers["X-Linked-Size"] = str(entry["size"])
        if self.hub.xet:
            headers |= {"X-Xet-Hash": "0" * 64, "X-Xet-Refresh-Route": f"{self.hub.url}/xet"}
        kind = "datasets" if data else "models"
        other = self.hub.url.replace("127.0.0.1", "localhost")  # as a hub sends one to its storage
        headers["Location"] = f"{other}/blobs/{kind}/{repo}/{name}"
        self.send_response(302)
        for key, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(key, value)
        self.end_headers()

    def _content(self, path: Path, body: bool, headers: dict[str, str]) -> None:
        content = self.hub.replaced.get(path.name, path.read_bytes())
        start, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            start, status = int(wanted[1]), 206
            self.hub.ranges.append(f"{path.name} {start}")
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send_response(status)
        length = {"Content-Length": str(len(content) - start)}
        if body and path.name in self.hub.chunked:
            content, length = self.hub.chunked[path.name], {"Transfer-Encoding": "chunked"}
            content = b"%x\r\n%s\r\n" % (len(content), content) * 50 + b"0\r\n\r\n"
            start = 0
        for key, value in {**headers, **length, **self.hub.headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self._send(path.name, content[start:])

    def _send(self, name: str, content: bytes) -> None:
        cut = self.hub.cut.get(name) if self.hub.always else self.hub.cut.pop(name, None)
        part = content if cut is None else content[:cut]
        pause = threading.Event()
        try:
            for at in range(0, len(part), 16384):
                if name in self.hub.slow:
                    pause.wait(self.hub.slow[name])
                self.wfile.write(part[at : at + 16384])
                self.hub.sent[name] += len(part[at : at + 16384])
        except OSError:  # the other side was killed
            self.close_connection = True
        if cut is not None:
            self.close_connection = True
            self.connection.close()

    def _json(self, content: Any) -> None:
        raw = json.dumps(self.hub.spoil(content)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _error(self, status: int, code: str, message: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()


def use(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point `huggingface_hub` of this process at the stand-in, with a cache of the test's own."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve ``hub`` at ``hub.url`` until the block ends."""
    handler = type("BoundHandler", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
