"""Names under ``run:``: a study, or ``measured/STUDY`` for the tables of one that are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

#: What stands before the name of a study whose tables are recorded, under ``run:`` and in ``results``.
PREFIX = "measured/"
RunName = Annotated[
    str, Field(pattern=rf"^({PREFIX})?[a-z0-9]([a-z0-9._-]*[a-z0-9_-])?$", max_length=100)
]


def is_recorded(run: str) -> bool:
    """Whether a name means the recorded tables of a study."""
    return run.startswith(PREFIX)


def study_name(run: str) -> str:
    """Return the study that a name means."""
    return run.removeprefix(PREFIX)
