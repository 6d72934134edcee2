"""Turning errors of `huggingface_hub` into user errors that say what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from httpx2 import TransportError
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)

from paretoken.errors import UserError


def not_cached(repo: str, revision: str, reason: str) -> UserError:
    """Return the error for files that are neither in the cache nor available from the hub."""
    return UserError(
        f"{repo} at {revision} is not, or not completely, in the cache {constants.HF_HUB_CACHE}, and "
        f"the hub cannot be reached: {reason}; go online once, or give a local directory as --source"
    )


def reason_of(error: Exception) -> str:
    """Return why a hub cannot be reached, in a few words."""
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    if isinstance(error, HfHubHTTPError):
        return f"it answered {error.response.status_code}"
    return str(error) or type(error).__name__


@contextmanager
def explaining(repo: str, revision: str) -> Iterator[None]:
    """Turn errors of `huggingface_hub` into `UserError`s that say what to do."""
    try:
        yield
    except GatedRepoError as error:
        raise UserError(
            f"{repo} is gated: accept its terms on its page, then set HF_TOKEN to that account's token"
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"there is no repository {repo}, or it is private; check the id, and set HF_TOKEN for a "
            "private one (the name of a local directory works, too, if it exists)"
        ) from error
    except RevisionNotFoundError as error:
        raise UserError(f"{repo} has no revision {revision!r}; write a branch, tag or commit") from error
    except (LocalEntryNotFoundError, RevisionResolutionError) as error:
        raise not_cached(repo, revision, str(error.__cause__ or "offline")) from error
    except HFValidationError as error:
        raise UserError(
            f"{repo!r} is neither a directory nor a hub id such as owner/name: {error}"
        ) from error
    except HfHubHTTPError as error:
        status = f"{error.response.status_code} {error.response.reason_phrase}"
        raise UserError(f"{repo}: the hub answered {status}; try again later") from error
    except OSError as error:
        raise UserError(f"{repo} cannot be downloaded: {_os_reason(error)}") from error
    except TransportError as error:
        raise UserError(
            f"{repo}: the connection broke ({reason_of(error)}); run the same command again to resume"
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # for an invalid listing
        raise UserError(
            f"{repo}: huggingface_hub cannot use what the hub or mirror at {constants.ENDPOINT} sent "
            f"({type(error).__name__}: {error}); try another one (HF_ENDPOINT), or a local directory"
        ) from error


def _os_reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"no space is left for {constants.HF_HUB_CACHE}; free some, or set HF_HOME to a larger disk"
        )
    if "Consistency check failed" in str(error):
        first = str(error).partition("\n")[0]
        return f"a file arrived shorter or longer than announced; run the command again ({first})"
    return str(error)
