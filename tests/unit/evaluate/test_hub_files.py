"""`paretoken questions` from a hub: over HTTP on the loopback interface, with its errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hub_data
import hub_server
from paretoken.cli import main
from paretoken.data.rows import read_rows

SHARDS = [f"test-{number:05}-of-00002.parquet" for number in range(2)]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    """MME in two shards, beside a split that nobody asked for; its card says where the first is."""
    folder = tmp_path / "MME"
    hub_data.write_mme(folder, images=40, shards=2)
    hub_data.write_split(folder / "data", "train", [{"image": hub_data.picture((1, 2, 3))}])
    (folder / "load.py").write_text("raise SystemExit('ran')")
    files = "    data_files:\n    - {split: test, path: data/test-*}\n"
    (folder / "README.md").write_text(f"---\nconfigs:\n  - config_name: default\n{files}---\n")
    with hub_server.serving(hub_server.Hub(datasets={"me/MME": folder})) as made:
        hub_server.use(made, tmp_path / "cache", monkeypatch)
        yield made


def ask(out: Path, *more: str) -> int:
    return main(["questions", "--benchmark", "mme", "--source", "me/MME", "--out", str(out), *more])


def test_only_the_files_of_the_split_are_downloaded_and_recorded(
    hub: hub_server.Hub, tmp_path: Path
) -> None:
    assert ask(tmp_path / "out") == 0
    assert sorted(set(hub.downloads)) == ["README.md", *SHARDS]
    assert len(read_rows(tmp_path / "out" / "questions.parquet")) == 80
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["snapshot"] == hub_server.COMMIT
    assert [Path(file["name"]).name for file in record["files"]] == SHARDS


def test_a_data_set_without_a_card_is_found_by_its_layout(hub: hub_server.Hub, tmp_path: Path) -> None:
    (hub.datasets["me/MME"] / "README.md").unlink()
    assert ask(tmp_path / "out") == 0
    assert sorted(set(hub.downloads)) == SHARDS


def test_a_card_with_an_invalid_pattern_is_refused(
    hub: hub_server.Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = hub.datasets["me/MME"] / "README.md"
    card.write_text(card.read_text().replace("data/test-*", "data/test**"))
    assert main(["questions", "--benchmark", "mme", "--source", str(card.parent), "--out",
                 str(tmp_path / "out")]) == 2  # fmt: skip
    assert "has a pattern that cannot be searched" in capsys.readouterr().err


def test_a_broken_connection_is_taken_up_and_the_cache_serves_offline(
    hub: hub_server.Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    hub.cut[SHARDS[1]] = 500
    assert ask(tmp_path / "out") == 0
    assert hub.downloads.count(SHARDS[1]) > hub.downloads.count(SHARDS[0])
    hub.down = True
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert ask(tmp_path / "again") == 0


def test_a_damaged_shard_is_refused_and_leaves_the_cache(
    hub: hub_server.Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (hub.datasets["me/MME"] / "data" / SHARDS[0]).read_bytes()
    middle = len(whole) // 2
    other = bytes([whole[middle] ^ 1])
    hub.replaced[SHARDS[0]] = whole[:middle] + other + whole[middle + 1 :]
    assert ask(tmp_path / "out") == 2
    assert "is damaged: its SHA-256 is" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    hub.replaced.clear()
    assert ask(tmp_path / "out") == 0


def change(hub: hub_server.Hub, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(hub, name, value)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"gated": {"me/MME"}}, (), "me/MME is gated: accept its terms"),
        ({"datasets": {}}, (), "there is no repository me/MME, or it is private"),
        ({"down": True}, (), "the hub cannot be reached: it answered 503"),
        ({}, ("--revision", "v9"), "me/MME has no revision 'v9'"),
    ],
)
def test_refusals_of_the_hub_are_reported(
    hub: hub_server.Hub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: Any,
    options: tuple[str, ...],
    message: str,
) -> None:
    change(hub, **changes)
    assert ask(tmp_path / "out", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
