"""Validating the responses of a hub or a mirror before `huggingface_hub` uses them.

The library names a file in its cache by the ETag that the server sends, whatever that is, and writes as
many bytes as arrive. The package hf_xet would download files with connections of its own to any address
that the hub or mirror names, where responses cannot be validated: it is therefore disabled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

from httpx2 import URL, Request, Response, SyncByteStream
from huggingface_hub import constants, get_session

from paretoken.errors import UserError
from paretoken.hub.contained import is_commit, is_plain_etag

#: Most bytes of a response that is not a file's content, such as the list of a repository's files.
LONGEST_ANSWER = 256 * 2**20

_ETAGS = ("ETag", constants.HUGGINGFACE_HEADER_X_LINKED_ETAG)


@contextmanager
def guarded_answers(repo: str, sizes: Mapping[str, int]) -> Iterator[None]:
    """Validate each response to `huggingface_hub` while the block runs.

    Args:
        repo: what to call the repository in messages.
        sizes: the announced bytes of the files that will be downloaded, by URL.

    Raises:
        UserError: a response has an invalid ETag or commit, announces another size, or is longer than
            announced.
    """
    guard, client = _Guard(repo, sizes), get_session()
    hooks, xet_is_disabled = client.event_hooks, constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = True
    client.event_hooks = {
        "request": [*hooks["request"], guard.request_uncompressed],
        "response": [*hooks["response"], guard.check],
    }
    try:
        yield
    finally:
        client.event_hooks = hooks
        constants.HF_HUB_DISABLE_XET = xet_is_disabled


class _Guard:
    def __init__(self, repo: str, sizes: Mapping[str, int]) -> None:
        self._repo = repo
        self._sizes = {str(URL(address)): size for address, size in sizes.items()}
        self._longest = max([LONGEST_ANSWER, *sizes.values()])

    def request_uncompressed(self, request: Request) -> None:
        """Ask for uncompressed content: a compressed kilobyte may be a megabyte."""
        request.headers["Accept-Encoding"] = "identity"

    def check(self, response: Response) -> None:
        """Reject a response that is not as announced, and limit its body to the announced size."""
        for name in _ETAGS:
            if name in response.headers and not is_plain_etag(response.headers[name]):
                raise self._refusal(f"an invalid ETag, {response.headers[name][:80]!r}")
        commit = response.headers.get(constants.HUGGINGFACE_HEADER_X_REPO_COMMIT)
        if commit is not None and not is_commit(commit):
            raise self._refusal(f"an invalid commit, {commit[:80]!r}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._refusal("compressed content, which was not requested")
        size = self._sizes.get(str(response.request.url))
        if size is not None:
            self._check_size(response, size)
        limit = self._longest if size is None else max(0, size - _offset(response.request))
        body = cast("SyncByteStream", response.stream)
        response.stream = _Limited(body, limit if response.is_success else LONGEST_ANSWER, self)

    def _check_size(self, response: Response, size: int) -> None:
        if response.has_redirect_location:  # the same file elsewhere
            self._sizes[str(response.request.url.join(response.headers["Location"]))] = size
        linked = response.headers.get(constants.HUGGINGFACE_HEADER_X_LINKED_SIZE)
        if linked is not None and linked != str(size):
            raise self._refusal(
                f"a size of {linked[:20]} bytes for a file that was listed with {size:,}"
            )

    def too_long(self, limit: int) -> UserError:
        """Return the error for a response that is longer than announced."""
        return self._refusal(f"more than the {limit:,} bytes that were announced")

    def _refusal(self, what: str) -> UserError:
        return UserError(f"{self._repo}: the hub or mirror at {constants.ENDPOINT} sent {what}")


def _offset(request: Request) -> int:
    """Return the first byte that a request asks for: broken downloads are resumed where they broke."""
    start = request.headers.get("Range", "").removeprefix("bytes=").partition("-")[0]
    return int(start) if start.isdecimal() else 0


class _Limited(SyncByteStream):
    """The body of a response, of which at most ``limit`` bytes can be read."""

    def __init__(self, stream: SyncByteStream, limit: int, guard: _Guard) -> None:
        self._stream, self._limit, self._guard = stream, limit, guard

    def __iter__(self) -> Iterator[bytes]:
        left = self._limit
        for part in self._stream:
            left -= len(part)
            if left < 0:
                raise self._guard.too_long(self._limit)
            yield part

    def close(self) -> None:
        """Release the connection."""
        self._stream.close()
