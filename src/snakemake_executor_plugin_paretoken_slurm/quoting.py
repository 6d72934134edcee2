"""Arguments of the Snakemake that a job runs, quoted for a shell."""

from __future__ import annotations

import shlex
from typing import Any

from snakemake_interface_executor_plugins import utils


def quote_for_shells() -> None:
    """Let Snakemake quote strings for a shell where it quotes them for Python.

    snakemake-interface-executor-plugins 9.x writes `repr` of paths and config values into a job's
    command: a text with an apostrophe comes out in double quotes, in which a shell replaces `$HOME` and
    runs what stands between backticks.
    """
    utils.repr = _quoted  # found before the built-in function


def _quoted(value: Any) -> str:
    return shlex.quote(value) if isinstance(value, str) else repr(value)
