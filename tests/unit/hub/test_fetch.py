"""Fetching over the hub's protocol, from a stand-in on the loopback interface."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import hub_server
from paretoken.errors import UserError
from paretoken.hub import fetch as fetch_module
from paretoken.hub.fetch import Request, fetch
from paretoken.io.files import sha256
from paretoken.model_files import known_hashes
from paretoken.model_files.pretrained import weights_hash
from paretoken.models.language import load_language_model
from paretoken.models.vision import load_encoder

Hub = hub_server.Hub


def get(out: Path, source: str, kind: Any = "llm", revision: str = "main", **options: Any) -> Any:
    return fetch(Request(source, revision, kind, **options), out, say=lambda line: None)


def test_a_language_model_is_fetched_verified_and_recorded(
    hub: Hub, sources: Path, tmp_path: Path
) -> None:
    record = get(tmp_path / "out", "me/llm")
    assert record == json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["commit"] == hub_server.COMMIT
    assert (record["source"], record["revision"]) == ("me/llm", "main")
    model = load_language_model(tmp_path / "out")
    assert record["parameters"] == sum(p.numel() for p in model.parameters())
    assert record["end_of_answer"] == "<|im_end|>"
    # Weights once and as safetensors, no program, nothing of other frameworks.
    assert set(record["files"]) == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    }
    assert "modeling_evil.py" not in hub.downloads
    weights = (sources / "llm" / "model.safetensors").read_bytes()
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == weights
    assert record["files"]["model.safetensors"]["size"] == len(weights)


def test_a_second_run_has_nothing_to_do_and_another_request_is_refused(hub: Hub, tmp_path: Path) -> None:
    get(tmp_path / "out", "me/llm")
    hub.requests.clear()
    get(tmp_path / "out", "me/llm")
    assert hub.requests == []
    with pytest.raises(UserError, match="other settings"):
        get(tmp_path / "out", "me/sharded")
    (tmp_path / "out" / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors is missing"):
        get(tmp_path / "out", "me/llm")


def test_weights_share_the_space_of_the_cache_and_outlive_it(cache: Path, tmp_path: Path) -> None:
    get(tmp_path / "out", "me/llm")
    weights = tmp_path / "out" / "model.safetensors"
    assert weights.stat().st_nlink == 2
    assert (tmp_path / "out" / "config.json").stat().st_nlink == 1  # it may be changed
    shutil.rmtree(cache)
    load_language_model(tmp_path / "out")


@pytest.mark.parametrize("source", ["me/sharded", "me/bin"])
def test_shards_and_pickled_tensors(tmp_path: Path, source: str) -> None:
    one = load_language_model(Path(get_source(tmp_path, "me/llm"))).state_dict()
    other = load_language_model(Path(get_source(tmp_path, source))).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def get_source(tmp_path: Path, source: str) -> str:
    out = tmp_path / source.replace("/", "-")
    get(out, source)
    return str(out)


def test_a_vision_tower(tmp_path: Path) -> None:
    record = get(tmp_path / "out", "me/vision", "vision")
    assert (record["grid"], record["image_size"]) == (6, 24)
    encoder = load_encoder(tmp_path / "out", [2], False)
    assert record["parameters"] == sum(p.numel() for p in encoder.parameters())


def test_an_encoder_has_the_grid_that_is_recorded_for_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="me/vision has a grid of 6 x 6 patches, but its record says"):
        get(tmp_path / "out", "me/vision", "vision", grid=7)
    assert not (tmp_path / "out").exists()
    record = get(tmp_path / "out", "me/vision", "vision", grid=6)
    assert get(tmp_path / "out", "me/vision", "vision") == record  # it changes no result
    with pytest.raises(UserError, match="its record says grid: 7"):
        get(tmp_path / "out", "me/vision", "vision", grid=7)
    with pytest.raises(UserError, match="--grid is for --kind vision"):
        get(tmp_path / "llm", "me/llm", grid=7)


def test_a_data_set_without_its_program_and_in_part(hub: Hub, tmp_path: Path) -> None:
    assert set(get(tmp_path / "all", "me/data", "dataset")["files"]) == {"train.json", "images.zip"}
    part = get(tmp_path / "part", "me/data", "dataset", include=("*.json",))
    assert set(part["files"]) == {"train.json"}
    with pytest.raises(UserError, match=r"--include \*\.tar: no file of me/data matches"):
        get(tmp_path / "none", "me/data", "dataset", include=("*.tar",))


def test_a_folder_without_data_is_not_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "load.py").write_text("")
    with pytest.raises(UserError, match="holds no data"):
        get(tmp_path / "out", str(tmp_path / "empty"), kind="dataset")
    assert not (tmp_path / "out").exists()


def test_a_cut_connection_resumes_where_it_broke(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 5_000)
    hub.cut["model.safetensors"] = 20_000
    get(tmp_path / "out", "me/llm")
    assert hub.ranges == ["model.safetensors 20000"]


def test_after_a_failure_whole_files_are_not_downloaded_again(hub: Hub, tmp_path: Path) -> None:
    shards = sorted(hub.models["me/sharded"].glob("model-*.safetensors"))
    last = shards[-1].name
    hub.replaced[last] = shards[-1].read_bytes()[:-10]  # shorter than announced
    with pytest.raises(UserError, match="shorter or longer than announced"):
        get(tmp_path / "out", "me/sharded")
    assert not (tmp_path / "out").exists()
    hub.replaced.clear()
    done = {path.name for path in shards[:-1]}
    hub.requests.clear()
    get(tmp_path / "out", "me/sharded")
    again = set(hub.downloads) & done
    assert last in hub.downloads
    assert len(again) < len(done)  # those that another thread had not finished


def test_a_wrong_hash_is_refused_and_leaves_the_cache(hub: Hub, tmp_path: Path) -> None:
    content = bytearray((hub.models["me/llm"] / "model.safetensors").read_bytes())
    content[-1] ^= 1
    hub.replaced["model.safetensors"] = bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors of me/llm is damaged: its SHA-256 is"):
        get(tmp_path / "out", "me/llm")
    assert not (tmp_path / "out").exists()
    hub.replaced.clear()
    get(tmp_path / "out", "me/llm")


def test_a_wrong_small_file_is_refused_by_its_git_hash(hub: Hub, tmp_path: Path) -> None:
    text = (hub.models["me/llm"] / "generation_config.json").read_text()
    hub.replaced["generation_config.json"] = text.replace("{", " ", 1).encode()
    with pytest.raises(UserError, match=r"generation_config\.json of me/llm is damaged: its git hash"):
        get(tmp_path / "out", "me/llm")


def test_missing_private_and_gated_repositories_and_revisions(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="no repository me/none, or it is private"):
        get(tmp_path / "out", "me/none")
    with pytest.raises(UserError, match="no revision 'v9'"):
        get(tmp_path / "out", "me/llm", revision="v9")
    with pytest.raises(UserError, match="neither a directory nor a hub id"):
        get(tmp_path / "out", "what is this")
    with pytest.raises(UserError, match="is not a directory"):
        get(tmp_path / "out", "./not/there")
    hub.private.add("me/sharded")
    hub.gated.add("me/llm")
    with pytest.raises(UserError, match="private"):
        get(tmp_path / "out", "me/sharded")
    with pytest.raises(UserError, match="is gated: accept its terms"):
        get(tmp_path / "out", "me/llm")
    monkeypatch.setenv("HF_TOKEN", hub_server.TOKEN)
    get(tmp_path / "out", "me/llm")
    assert hub_server.TOKEN not in (tmp_path / "out" / "run.json").read_text()


def test_offline_work_needs_the_cache(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"not completely, in the cache .* HF_HUB_OFFLINE is set"):
        get(tmp_path / "out", "me/llm")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    get(tmp_path / "online", "me/llm")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    record = get(tmp_path / "out", "me/llm")
    assert record["commit"] == hub_server.COMMIT
    assert not [path for _, path in hub.requests if "me/llm" in path]


def test_offline_work_needs_all_files_whole(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    get(tmp_path / "online", "me/data", "dataset")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    link = next(cache.rglob("images.zip"))
    content = link.resolve()
    content.write_bytes(b"y" * 5000)
    with pytest.raises(UserError, match=r"images\.zip of me/data is damaged: its SHA-256 is"):
        get(tmp_path / "out", "me/data", "dataset")
    assert not link.is_symlink()
    assert not content.exists()
    with pytest.raises(UserError, match=r"not completely, in the cache .* HF_HUB_OFFLINE is set"):
        get(tmp_path / "out", "me/data", "dataset")
    get(tmp_path / "part", "me/data", "dataset", include=("*.json",))


def test_offline_work_takes_a_cache_that_another_program_filled(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants, hf_hub_download

    for name in ("train.json", "images.zip"):
        hf_hub_download("me/data", name, repo_type="dataset")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    record = get(tmp_path / "out", "me/data", "dataset")
    assert record["commit"] == hub_server.COMMIT
    assert set(record["files"]) == {"train.json", "images.zip"}


def test_a_hub_that_is_down(hub: Hub, tmp_path: Path) -> None:
    hub.down = True
    with pytest.raises(UserError, match="cannot be reached: it answered 503"):
        get(tmp_path / "out", "me/llm")
    hub.down = False
    get(tmp_path / "first", "me/llm")
    hub.down = True
    get(tmp_path / "out", "me/llm")  # from the cache


def test_a_full_disk_is_reported_before_the_download(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")(10, 9, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"GB more in .* set HF_HOME to a larger disk"):
        get(tmp_path / "out", "me/llm")
    assert hub.downloads == []


def test_a_count_that_is_not_the_wanted_one(tmp_path: Path) -> None:
    found = get(tmp_path / "out", "me/llm")["parameters"]
    get(tmp_path / "near", "me/llm", params=round(found * 1.0005))
    with pytest.raises(UserError, match=r"--params says .*, and 0\.1 % is allowed"):
        get(tmp_path / "far", "me/llm", params=round(found * 1.0025))
    assert not (tmp_path / "far").exists()


def test_a_local_directory_in_place_of_a_repository(hub: Hub, sources: Path, tmp_path: Path) -> None:
    hub.requests.clear()
    record = get(tmp_path / "out", str(sources / "llm"), template="chatml")
    assert hub.requests == []
    assert (record["commit"], record["revision"]) == (None, None)
    assert record["template"] == "chatml"
    before = (sources / "llm" / "chat_template.jinja").read_text()
    assert (tmp_path / "out" / "chat_template.jinja").read_text() != before
    assert (tmp_path / "out" / "model.safetensors").samefile(sources / "llm" / "model.safetensors")
    with pytest.raises(UserError, match="has no revision 'v1'"):
        get(tmp_path / "other", str(sources / "llm"), revision="v1")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: (d / "config.json").unlink(), "holds no config.json"),
        (lambda d: next(d.glob("model-*.safetensors")).unlink(), "is missing"),
        (lambda d: _cut(next(d.glob("model-*.safetensors"))), "not a whole safe"),
        (lambda d: [path.unlink() for path in d.glob("model*")], "no weights"),
        (lambda d: (d / "config.json").write_text("{"), "model/config.json is not valid JSON"),
        (lambda d: (d / "config.json").write_text("null"), "must hold a JSON object"),
        (lambda d: (d / "tokenizer.json").write_text("[" * 100_000), "is not valid JSON"),
        (lambda d: (d / "tokenizer.json").write_text("{}"), "tokenizer.json has no model"),
        (lambda d: (d / "generation_config.json").write_bytes(b"\xff"), "cannot be read as UTF-8"),
        (lambda d: _edit(d / "generation_config.json", eos_token_id="x"), "eos_token_id = 'x'"),
        (lambda d: _edit(d / "generation_config.json", eos_token_id=[2, -1]), "a token id"),
        (lambda d: _edit(d / "config.json", torch_dtype="float99"), "torch_dtype = 'float99'"),
        (lambda d: _edit(d / "config.json", dtype="int8"), "dtype = 'int8'; write float32"),
        (lambda d: _edit(d / "config.json", dtype=3), "dtype = 3"),
        (lambda d: _edit(d / "config.json", quantization_config={"quant_method": "gptq"}), "quantised"),
        (lambda d: _edit(d / "config.json", hidden_size=0), "hidden_size = 0; it must be a whole"),
        (lambda d: _edit(d / "config.json", num_attention_heads=0), "num_attention_heads = 0"),
        (lambda d: _edit(d / "config.json", model_type="phi"), "unsupported language model type"),
        (lambda d: _edit(d / "config.json", intermediate_size=99), "hold .* numbers, its config.json"),
        (lambda d: _edit(d / "config.json", vocab_size=4), "not of the same model"),
        (lambda d: (d / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda d: (d / "chat_template.jinja").unlink(), "no chat template; name one"),
        (lambda d: (d / "chat_template.jinja").write_text("{{ messages[0]['content'] }}"), "drops"),
    ],
)
def test_damaged_models_are_refused(sources: Path, tmp_path: Path, spoil: Any, message: str) -> None:
    shutil.copytree(sources / "sharded", tmp_path / "model")
    spoil(tmp_path / "model")
    with pytest.raises(UserError, match=message):
        get(tmp_path / "out", str(tmp_path / "model"))
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


def test_the_result_never_takes_the_place_of_its_source(sources: Path, tmp_path: Path) -> None:
    model = shutil.copytree(sources / "llm", tmp_path / "models" / "llm")
    for out in (model, tmp_path / "models"):
        with pytest.raises(UserError, match="which would be deleted"):
            get(out, str(model))
    assert (model / "config.json").exists()
    with pytest.raises(UserError, match="is a file; give the name of a folder"):
        get(model / "config.json", str(sources / "llm"))
    with pytest.raises(UserError, match="neither a directory nor a hub id"):
        get(tmp_path / "out", "")


@pytest.mark.parametrize(
    "changes",
    [{"size": 0}, {"image_mean": "x"}, {"image_mean": [0.5]}, {"image_std": [0, 0, 0]},
     {"rescale_factor": "a"}, {"resample": 99}],
)  # fmt: skip
def test_a_preprocessor_that_makes_no_image_is_refused(
    sources: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    shutil.copytree(sources / "vision", tmp_path / "vision")
    _edit(tmp_path / "vision" / "preprocessor_config.json", **changes)
    with pytest.raises(UserError, match=r"vision/preprocessor_config\.json: "):
        get(tmp_path / "out", str(tmp_path / "vision"), kind="vision")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("linked", [True, False])
def test_weights_are_not_hashed_again_after_a_fetch(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    if not linked:
        monkeypatch.setattr(fetch_module.os, "link", _no_links)
    for number, source in enumerate(["me/llm", "me/sharded", str(sources / "llm")]):
        get(tmp_path / str(number), source)
        with monkeypatch.context() as hashing:
            hashing.setattr(known_hashes, "sha256", lambda path: pytest.fail(f"hashed {path}"))
            kept = weights_hash(tmp_path / str(number))
        (tmp_path / str(number) / known_hashes.KNOWN).unlink()
        assert weights_hash(tmp_path / str(number)) == kept


def test_the_hash_of_a_source_that_changed_during_a_fetch_is_not_kept(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, source = fetch_module._place, tmp_path / "source"
    shutil.copytree(sources / "llm", source)

    def change_and_place(real: Path, target: Path, name: str) -> None:
        if name == "model.safetensors":  # of equal size: one number is another
            content = bytearray(real.read_bytes())
            content[-1] ^= 1
            real.write_bytes(content)
        place(real, target, name)

    monkeypatch.setattr(fetch_module, "_place", change_and_place)
    get(tmp_path / "out", str(source))
    assert not (tmp_path / "out" / known_hashes.KNOWN).exists()
    weights = [sha256(source / "model.safetensors")]
    assert known_hashes.file_hashes(tmp_path / "out", ["model.safetensors"]) == weights


def _no_links(*_: object) -> None:
    raise OSError("this file system has no hard links")
