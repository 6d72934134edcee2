"""Quoting the arguments of the Snakemake that a job runs for a shell."""

from __future__ import annotations

import shlex
from typing import Any

from snakemake_interface_executor_plugins import utils


def quote_for_shells() -> None:
    """Make Snakemake quote strings for a shell where it quotes them for Python.

    snakemake-interface-executor-plugins 9.x writes `repr` of paths and config values into a job's
    command. A text with an apostrophe is then put in double quotes, in which a shell expands `$HOME` and
    runs commands in backticks.
    """
    utils.repr = _quoted  # found before the built-in function


def _quoted(value: Any) -> str:
    return shlex.quote(value) if isinstance(value, str) else repr(value)
