"""What a hub or a mirror answers, looked at before `huggingface_hub` uses it.

The library calls a file in its cache by the ETag that the server sent, whatever that is, and writes as
many bytes as come. With the package hf_xet it would let that download files, with connections of its own
to where the hub or mirror says, which nothing here could look at: so it does without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

from httpx2 import URL, Request, Response, SyncByteStream
from huggingface_hub import constants, get_session

from paretoken.errors import UserError
from paretoken.hub.contained import is_commit, is_plain_etag

#: Bytes of an answer that is not a file's content, such as the list of a repository's files.
LONGEST_ANSWER = 256 * 2**20

_ETAGS = ("ETag", constants.HUGGINGFACE_HEADER_X_LINKED_ETAG)


@contextmanager
def guarded_answers(repo: str, sizes: Mapping[str, int]) -> Iterator[None]:
    """Check each answer to `huggingface_hub` while the block runs.

    Args:
        repo: what to call the repository in messages.
        sizes: the announced bytes of the files that will be downloaded, by address.

    Raises:
        UserError: an answer has an ETag or a commit that is none, announces another size, or is longer
            than announced.
    """
    guard, client = _Guard(repo, sizes), get_session()
    hooks, xet_is_disabled = client.event_hooks, constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = True
    client.event_hooks = {
        "request": [*hooks["request"], guard.ask_for_plain_content],
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

    def ask_for_plain_content(self, request: Request) -> None:
        """Ask for content as it is: a compressed kilobyte may be a megabyte."""
        request.headers["Accept-Encoding"] = "identity"

    def check(self, response: Response) -> None:
        """Refuse an answer that is not as announced, and let no more of it be read than that."""
        for name in _ETAGS:
            if name in response.headers and not is_plain_etag(response.headers[name]):
                raise self._refusal(f"an ETag that is not one, {response.headers[name][:80]!r}")
        commit = response.headers.get(constants.HUGGINGFACE_HEADER_X_REPO_COMMIT)
        if commit is not None and not is_commit(commit):
            raise self._refusal(f"a commit that is not one, {commit[:80]!r}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._refusal("compressed content, which was not asked for")
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
        """Return the error of an answer that does not end where it should."""
        return self._refusal(f"more than the {limit:,} bytes that were announced")

    def _refusal(self, what: str) -> UserError:
        return UserError(f"{self._repo}: the hub or mirror at {constants.ENDPOINT} sent {what}")


def _offset(request: Request) -> int:
    """Return from where a request asks for a file: a broken download is taken up where it broke."""
    start = request.headers.get("Range", "").removeprefix("bytes=").partition("-")[0]
    return int(start) if start.isdecimal() else 0


class _Limited(SyncByteStream):
    """The body of an answer, cut off behind ``limit`` bytes."""

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
