"""Turning errors that libraries raise on untrusted files into user errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError

from paretoken.errors import UserError

#: Most characters of a library's own message.
LONGEST_REASON = 2_000

#: PyTorch's message when the CPU's memory runs out.
NO_MEMORY = "can't allocate memory"


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn whatever the block raises into a `UserError` with ``what`` and the library's reason.

    `MemoryError` and `ModuleNotFoundError` are passed on.

    Args:
        what: start of the message: which file or folder cannot be used for what.

    Raises:
        UserError: the block raised an error, or a library written in Rust panicked in it.
    """
    try:
        yield
    except (UserError, MemoryError, ModuleNotFoundError):
        raise
    except Exception as error:  # readers of several libraries raise anything for damaged files
        raise UserError(f"{what}: {reason_of(error)}") from error
    except BaseException as error:
        # The panic of Rust code. Each library has its own class for it, which cannot be imported, and
        # which `except Exception` does not catch.
        if type(error).__name__ != "PanicException":
            raise
        raise UserError(f"{what}: {reason_of(error)}") from error


@contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Turn a lack of memory, on the CPU or a GPU, into a `UserError`.

    Args:
        what: what needs the memory, and what to do if it runs out.

    Raises:
        UserError: the block ran out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # PyTorch has no class of its own for the CPU's memory
        short = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
        if not short and NO_MEMORY not in str(error):
            raise
        raise UserError(f"there is not enough memory for {what}") from error


def reason_of(error: BaseException) -> str:
    """Return a library's own message, cut at `LONGEST_REASON` characters."""
    if isinstance(error, UnpicklingError):  # torch's own message advises to run the refused code
        return "a file of weights is damaged, or holds objects other than tensors, which are not loaded"
    return str(error)[:LONGEST_REASON] or type(error).__name__
