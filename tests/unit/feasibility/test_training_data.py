"""Where the training data are: a folder, and what it lacks of each set is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feasible_studies import ROOT, alone, data_of, found, shipped
from paretoken.data.manifest import Archive, DataSet, read_manifest
from paretoken.feasibility.findings import Kind

MANIFEST = "workflow/reference/llava_data.yaml"
SETS = {data_set.name: data_set for data_set in read_manifest(ROOT / MANIFEST).sets}


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def told(root: Path, *kinds: Kind) -> list[str]:
    raw = shipped()
    data_of(raw, "paper").update(root=str(root))
    config = alone("paper", raw=raw)
    return [f.sentence for f in found(config, *kinds) if f.place == "data[0].root"]


def put(data_set: DataSet, root: Path, unpacked: bool) -> None:
    """Put something in the place of every part of a set: files, or the folders of its archives."""
    for part in data_set.parts():
        if unpacked and isinstance(part, Archive):
            (root / part.folder).mkdir(parents=True, exist_ok=True)
        else:
            (root / part.path).parent.mkdir(parents=True, exist_ok=True)
            (root / part.path).touch()


def test_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "root").touch()
    (line,) = told(tmp_path / "root")
    assert "is a file; write the folder" in line
    (tmp_path / "link").symlink_to(tmp_path / "root")
    assert told(tmp_path / "link")


def test_a_folder_without_any_of_the_data_is_a_warning(tmp_path: Path) -> None:
    assert told(tmp_path) == []
    lines = told(tmp_path, Kind.WARNING)
    assert len(lines) == len(SETS)
    for line, (name, data_set) in zip(lines, SETS.items(), strict=True):
        parts = len(data_set.parts())
        assert f"lacks {parts} of {parts} parts of {name}" in line
        assert f"--data-set {name} --root {tmp_path} --check` says what to download" in line


@pytest.mark.parametrize("unpacked", [False, True])
def test_what_is_there_is_not_told(tmp_path: Path, unpacked: bool) -> None:
    put(SETS["pretrain"], tmp_path, unpacked)
    (line,) = told(tmp_path, Kind.WARNING)
    assert "parts of finetune" in line
    put(SETS["finetune"], tmp_path, unpacked)
    assert told(tmp_path, Kind.WARNING) == []


def test_a_root_of_another_machine_is_a_warning(tmp_path: Path) -> None:
    (line,) = told(tmp_path / "none", Kind.WARNING)
    assert "is not a directory on this machine" in line


def steps_told(name: str, **overrides: list[str]) -> list[str]:
    config = alone(name, lambda study: study["training"].update(overrides=overrides))
    return [str(f) for f in found(config) if "conversations are fewer than" in f.sentence]


@pytest.mark.parametrize("stage", SETS)
@pytest.mark.parametrize("epochs", ["1e-9", "1e-6", "0.0001"])
def test_less_than_a_step_of_the_data_is_a_problem(stage: str, epochs: str) -> None:
    rows = SETS[stage].conversations.rows
    (line,) = steps_told("paper", **{stage: [f"epochs={epochs}"]})
    assert line.startswith(
        f"studies[0].training.overrides.{stage}: epochs = {float(epochs):g} of {rows:,}"
    )
    for enough in ("0.01", "1", "3"):
        assert steps_told("paper", **{stage: [f"epochs={enough}"]}) == []
    assert steps_told("paper", **{stage: ["epochs=null", "steps=1"]}) == []


def test_less_than_a_step_of_a_miniature_is_a_problem(tmp_path: Path) -> None:
    recipe = (ROOT / "workflow/recipes/miniature_pretrain.yaml").read_text()
    path = tmp_path / "pretrain.yaml"

    def change(study: dict) -> None:
        study["training"]["recipes"]["pretrain"] = str(path)

    for epochs, right in (("1e-9", False), ("0.5", True), ("2", True)):
        path.write_text(recipe.replace("steps: 250", f"epochs: {epochs}"))
        lines = [f.sentence for f in found(alone("miniature", change)) if "of one step" in f.sentence]
        assert bool(lines) != right


def test_rows_that_are_not_known_are_left_to_training(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.yaml"
    lines = (ROOT / MANIFEST).read_text().splitlines()
    manifest.write_text("\n".join(line for line in lines if not line.strip().startswith("rows:")))

    def change(study: dict) -> None:
        study["training"]["overrides"] = {"pretrain": ["epochs=1e-9"]}

    raw = shipped()
    data_of(raw, "paper")["manifest"] = str(manifest)
    assert [f for f in found(alone("paper", change, raw)) if "of one step" in f.sentence] == []


def own(folder: Path, *kinds: Kind, **changes: object) -> list[str]:
    """Return what is found about one's own data in a folder, as ``key: sentence``."""
    raw = shipped()
    data = data_of(raw, "paper")
    data.clear()
    data.update(name="llava-1.5", folder={"path": str(folder)} | changes)
    findings = found(alone("paper", raw=raw), *kinds)
    place = "data[0].folder."
    return [
        f"{f.place.removeprefix(place)}: {f.sentence}" for f in findings if f.place.startswith(place)
    ]


def put_own(folder: Path, rows: object = None, name: str = "json") -> None:
    usual = [{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}] * 600
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for stage in SETS:
        (folder / f"{stage}.{name}").write_text(json.dumps(usual if rows is None else rows))


def test_ones_own_data_are_read_before_anything_runs(tmp_path: Path) -> None:
    put_own(tmp_path)
    assert own(tmp_path) == own(tmp_path, Kind.WARNING) == []
    put_own(tmp_path, [{"messages": [{"role": "user", "content": "a"}]}])
    lines = own(tmp_path)
    assert len(lines) == len(SETS)
    for line, stage in zip(lines, SETS, strict=True):
        assert line.startswith(f"{stage}: row 1 of {tmp_path / stage}.json cannot be used: ")
        assert "unknown key 'messages'; write 'conversations'" in line
    for content, words in (
        ("[{", "not valid JSON"),
        ("[1]", "not an object"),
        ("{}", "list of objects"),
        ("[]", "no rows"),
    ):
        (tmp_path / "finetune.json").write_text(content)
        assert any(words in line for line in own(tmp_path)), content


def test_ones_own_data_of_another_machine_are_a_warning(tmp_path: Path) -> None:
    assert own(tmp_path / "none") == []
    lines = own(tmp_path / "none", Kind.WARNING)
    assert [line.partition(":")[0] for line in lines] == ["pretrain", "finetune", "images"]
    assert all("on this machine" in line for line in lines)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"finetune": "chats.csv"}, "finetune: {}/chats.csv has an unknown format; write .json"),
        ({"images": None}, "finetune: {}/finetune.json cannot hold images, and images is null"),
    ],
)
def test_formats_that_cannot_work_are_problems(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    put_own(tmp_path)
    assert any(line.startswith(words.format(tmp_path)) for line in own(tmp_path, **changes))


def test_less_than_a_step_of_ones_own_data_is_a_problem(tmp_path: Path) -> None:
    put_own(tmp_path)
    raw = shipped()
    data = data_of(raw, "paper")
    data.clear()
    data.update(name="llava-1.5", folder={"path": str(tmp_path)})

    def told_with(epochs: float) -> list[str]:
        overrides = {stage: [f"epochs={epochs}"] for stage in SETS}
        config = alone("paper", lambda study: study["training"].update(overrides=overrides), raw)
        return [f.sentence for f in found(config) if "conversations are fewer than" in f.sentence]

    assert told_with(1) == []
    lines = told_with(0.01)  # of 600 conversations
    assert len(lines) == len(SETS)
    assert all("of 600 conversations" in line for line in lines)
