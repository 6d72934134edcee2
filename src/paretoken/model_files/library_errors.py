"""What libraries raise on files from elsewhere, as errors of the user's that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError

from paretoken.errors import UserError

#: Characters of a library's own message.
LONGEST_REASON = 2_000

#: What PyTorch says where the CPU's memory is short.
NO_MEMORY = "can't allocate memory"


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn whatever the block raises into a `UserError`: ``what``, and the library's reason.

    A lack of memory or of a package stays what it is.

    Args:
        what: which file or folder cannot be used for what.

    Raises:
        UserError: the block raised an error, or a library written in Rust gave up inside it.
    """
    try:
        yield
    except (UserError, MemoryError, ModuleNotFoundError):
        raise
    except Exception as error:  # readers of several libraries, which raise anything on damaged files
        raise UserError(f"{what}: {_reason(error)}") from error
    except BaseException as error:
        # What Rust code raises when it gives up. Each library has a class of its own, which cannot be
        # imported, and which `except Exception` does not catch.
        if type(error).__name__ != "PanicException":
            raise
        raise UserError(f"{what}: {_reason(error)}") from error


@contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Turn a lack of memory, on the CPU or a GPU, into a `UserError`.

    Args:
        what: what it was too short for, and what to do.

    Raises:
        UserError: the block ran out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # PyTorch has no class of its own for the CPU's memory
        short = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
        if not short and NO_MEMORY not in str(error):
            raise
        raise UserError(f"memory is too short for {what}") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, UnpicklingError):  # torch advises to run what it has refused to run
        return "a file of weights is damaged, or holds more than tensors, which is never run"
    return str(error)[:LONGEST_REASON] or type(error).__name__
