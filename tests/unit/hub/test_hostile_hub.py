"""Mirrors and local directories that lie: nothing outside the cache or the directory is touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants, file_download

import hub_server
from paretoken.errors import UserError
from paretoken.hub.download import Snapshot, discard
from paretoken.hub.fetch import Request, fetch

Hub = hub_server.Hub


def get(out: Path, source: str, kind: Any = "llm", **options: Any) -> Any:
    return fetch(Request(source, "main", kind, **options), out, say=lambda line: None)


def refused(out: Path, source: str, message: str, kind: Any = "llm") -> None:
    with pytest.raises(UserError, match=message) as error:
        get(out, source, kind)
    assert str(error.value).isprintable()
    assert not out.exists()


@pytest.fixture
def victim(cache: Path) -> Path:
    """A file beside the cache, where ``../../../victim`` leads from the contents of a repository."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / "victim"
    path.write_text("mine")
    return path


ETAGS = [
    '"../../victim"',
    '"../victim"',
    '"/etc/x"',
    '".hidden"',
    '""',
    '"a/b"',
    '"a\\b"',
    '"%s"' % ("a" * 200),
]


@pytest.mark.parametrize("name", ["model.safetensors", "generation_config.json"])
@pytest.mark.parametrize("etag", ETAGS)
def test_an_etag_that_leads_elsewhere_is_refused(
    hub: Hub, victim: Path, tmp_path: Path, name: str, etag: str
) -> None:
    hub.etags[name] = etag
    refused(tmp_path / "out", "me/llm", "sent an invalid ETag")
    assert victim.read_text() == "mine"
    assert name not in hub.downloads


@pytest.mark.parametrize("etag", ['W/"abc"', '"0123-4"', "plain", '"sha256.abc_d"'])
def test_other_forms_of_etags_are_accepted(hub: Hub, tmp_path: Path, etag: str) -> None:
    hub.etags["generation_config.json"] = etag
    get(tmp_path / "out", "me/llm")


@pytest.mark.parametrize("commit", ["../../../x", "main", "0" * 39, ".", "G" * 40])
def test_an_invalid_commit_is_refused(hub: Hub, tmp_path: Path, commit: str) -> None:
    hub.commits["config.json"] = commit
    refused(tmp_path / "out", "me/llm", "sent an invalid commit")
    hub.commits.clear()
    hub.listed_commit = commit
    refused(tmp_path / "out", "me/llm", "is not a full hash")


@pytest.mark.parametrize("later", ["../../../x", "1" * 40])
def test_a_commit_that_changes_between_two_answers_is_refused(
    hub: Hub, cache: Path, tmp_path: Path, later: str
) -> None:
    hub.later_commit = later
    refused(tmp_path / "out", "me/llm", "moved to .* meanwhile; run the command again")
    assert not hub.downloads
    assert {path.name for path in tmp_path.rglob("*.json")} == set()
    assert {path.name for path in cache.parent.iterdir()} == {"hub"}


def test_a_commit_that_the_cache_remembers_wrongly_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(tmp_path / "online", "me/llm")
    (cache / "models--me--llm" / "refs" / "main").write_text(f"../snapshots/{hub_server.COMMIT}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refused(tmp_path / "out", "me/llm", "is not a full hash")


@pytest.mark.parametrize(
    "name", ["../x.json", "/etc/x.json", "a/../../x.json", "a\\x.json", "a\nb.json", "a//b.json"]
)
def test_a_listed_name_that_leads_elsewhere_is_refused(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.listed.append(name)
    refused(tmp_path / "out", "me/data", "leads elsewhere", "dataset")


@pytest.mark.parametrize("name", ["model.safetensors", "generation_config.json"])
def test_a_body_longer_than_announced_is_cut_off(
    hub: Hub, cache: Path, tmp_path: Path, name: str
) -> None:
    hub.chunked[name] = bytes(10**6)
    size = (hub.models["me/llm"] / name).stat().st_size
    refused(tmp_path / "out", "me/llm", f"more than the {size:,} bytes that were announced")
    assert hub.sent[name] < 20 * 10**6  # of 50; what lies in buffers
    assert sum(p.stat().st_size for p in cache.rglob("*") if p.is_file()) < 10**6


def test_compressed_content_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.headers["Content-Encoding"] = "gzip"
    refused(tmp_path / "out", "me/llm", "compressed content")


def test_only_files_of_the_cache_are_discarded(cache: Path, victim: Path) -> None:
    folder = cache / "models--me--llm" / "snapshots" / hub_server.COMMIT
    folder.mkdir(parents=True)
    outside = cache.parent / "outside"
    outside.write_text("mine")
    inside = cache / "models--me--llm" / "blobs" / "abc"
    inside.parent.mkdir()
    inside.write_text("cached")
    for name, target in (("a", outside), ("b", inside)):
        (folder / name).symlink_to(target)
        discard(Snapshot(folder, hub_server.COMMIT, {}), name)
        assert not (folder / name).is_symlink()
    assert outside.read_text() == "mine"
    assert not inside.exists()
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("target", ["../secret.json", "/etc/hostname", "loop"])
def test_links_out_of_a_local_directory_are_refused(sources: Path, tmp_path: Path, target: str) -> None:
    model = shutil.copytree(sources / "llm", tmp_path / "model")
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "loop").symlink_to("secret.json")
    (model / "extra.json").symlink_to("../loop" if target == "loop" else target)
    refused(tmp_path / "out", str(model), "is a link to .* outside")
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.json").symlink_to(target if target != "loop" else "../loop")
    refused(tmp_path / "out", str(data), "is a link to .* outside", "dataset")


def test_links_inside_a_local_directory_and_a_cache_are_followed(
    hub: Hub, sources: Path, cache: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(sources / "llm", tmp_path / "model")
    (model / "weights").mkdir()
    (model / "model.safetensors").rename(model / "weights" / "1")
    (model / "model.safetensors").symlink_to("weights/1")
    get(tmp_path / "out", str(model))
    assert not (tmp_path / "out" / "model.safetensors").is_symlink()
    get(tmp_path / "hub", "me/llm")
    snapshot = cache / "models--me--llm" / "snapshots" / hub_server.COMMIT
    assert (snapshot / "model.safetensors").is_symlink()
    get(tmp_path / "snapshot", str(snapshot))
    os.link(model / "weights" / "1", tmp_path / "elsewhere")
    (snapshot / "model.safetensors").unlink()
    (snapshot / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    refused(tmp_path / "no", str(snapshot), "outside")


def test_no_file_is_downloaded_past_the_guard(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With hf_xet, the library would let that package connect to wherever the hub says."""
    hub.xet = True
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    asked: list[Any] = []
    monkeypatch.setattr(file_download, "xet_get", lambda **options: asked.append(options))
    get(tmp_path / "out", "me/llm")
    assert not asked
    assert "model.safetensors" in hub.downloads
    assert constants.HF_HUB_DISABLE_XET is False


def spoilt(content: Any) -> Iterator[Any]:
    """Yield an answer with each of its parts replaced by things of other types, or left out."""
    yield from (None, 5, "x", [], {}, [[]], {"siblings": None}, True)
    if not isinstance(content, dict):
        return
    for key in ("sha", "siblings", "id"):
        yield {name: value for name, value in content.items() if name != key}
        yield from (content | {key: value} for value in (None, 5, "x", [5], {"a": 1}, [[]], True))
    for key in ("rfilename", "size", "blobId", "lfs"):
        first, *others = content["siblings"]
        without = {name: value for name, value in first.items() if name != key}
        yield content | {"siblings": [without, *others]}
        for value in (None, -1, 2.5, "x", [], {}, {"size": "x"}, True, 10**30):
            yield content | {"siblings": [first | {key: value}, *others]}


def test_a_listing_of_any_form_is_used_or_refused(hub: Hub, tmp_path: Path) -> None:
    seen: list[Any] = []
    hub.spoil = lambda content: seen.append(content) or content  # type: ignore[func-returns-value]
    get(tmp_path / "good", "me/llm")
    made = list(spoilt(seen[0]))
    assert len(made) > 60
    for number, content in enumerate(made):
        shutil.rmtree(constants.HF_HUB_CACHE, ignore_errors=True)
        hub.spoil = lambda _, content=content: content  # type: ignore[misc]
        out, complaint = tmp_path / str(number), None
        try:
            get(out, "me/llm")
        except UserError as error:
            complaint = str(error)
        assert out.exists() == (complaint is None), content
        assert complaint is None or complaint.isprintable(), content
