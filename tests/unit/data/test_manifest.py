"""Where a description of training data may put things."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from paretoken.data.manifest import Archive

ARCHIVE = {"path": "a.zip", "url": "https://example.org/a.zip", "licence": "none"}


@pytest.mark.parametrize(
    "folder", ["/etc", "../x", "a/../../x", ".ssh", "a/.git/hooks", "a\\..\\x", "a\nb", "./.config"]
)
def test_folders_outside_and_hidden_ones_are_refused(folder: str) -> None:
    with pytest.raises(ValidationError, match=r"must stay inside its folder|has a hidden part"):
        Archive(**ARCHIVE, folder=folder)


@pytest.mark.parametrize("folder", ["coco/train2017", "./vg/VG_100K", "a.b/c"])
def test_usual_folders_are_accepted(folder: str) -> None:
    assert Archive(**ARCHIVE, folder=folder).folder == folder
