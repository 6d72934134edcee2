"""Where the paths of a config may lead: into the project, and nowhere that is hidden."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from test_config import PATHS, config, paths_of, problems

from paretoken.config.config import Config
from paretoken.config.safe_paths import ConfigPath, PathInside, contained

#: Fields of text that name no file: all others that could must be of the type `ConfigPath`.
PLAIN = {
    "data", "device", "harness", "loss", "metric", "name", "question", "questions", "revision", "role",
    "scoring", "task", "template", "title", "pretrain", "finetune", "vision", "blind", "llms", "laws",
    "benchmarks", "holdout", "predict", "figures", "claims", "run", "tie", "fix",
}  # fmt: skip


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project beside other folders, as the working directory."""
    folder = tmp_path / "home" / "project"
    (folder / "data").mkdir(parents=True)
    (tmp_path / "disk" / "llava").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    return folder


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a record and all that it holds."""
    yield model
    waiting = [field.annotation for field in model.model_fields.values()]
    while waiting:
        annotation = waiting.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from models(annotation)
        waiting += get_args(annotation)


def mentions(annotation: Any, what: Any) -> bool:
    """Whether an annotation is, or is made of, another one."""
    return annotation == what or any(mentions(part, what) for part in get_args(annotation))


def path_fields(kind: Any = ConfigPath) -> set[str]:
    """Return the fields of the config that hold paths of a kind."""
    return {
        f"{model.__name__}.{name}"
        for model in models(Config)
        for name, hint in get_type_hints(model, include_extras=True).items()
        if name in model.model_fields and mentions(hint, kind)
    }


def test_every_field_of_text_is_a_path_or_known_to_be_none() -> None:
    texts = {
        f"{model.__name__}.{name}"
        for model in models(Config)
        for name, hint in get_type_hints(model, include_extras=True).items()
        if name in model.model_fields and mentions(hint, str) and name not in PLAIN
    }
    assert texts <= path_fields() | path_fields(PathInside)
    tested = {
        place
        for _, places in PATHS.values()
        for place in places
        if not place.startswith(("llms.0", "llms.1"))  # the same field as that of llms.2
    }
    assert len(path_fields()) == len(tested)


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../x", "leads out of the project, to"),
        ("data/../../x", "leads out of the project, to"),
        ("../project/data", "leads out of the project, to"),
        ("out/../x", "leads out of the project, to"),
        (".git/config", "hidden"),
        ("data/.env", "hidden"),
        ("keys", "hidden"),
        ("~/.ssh/id_rsa", "hidden"),
        ("/root/.aws/credentials", "hidden"),
        ("~/.netrc", "hidden"),
        ("~/.cache/huggingface/token", "hidden"),
        ("/srv/../etc/.x/../.config/y", "hidden"),
    ],
)
def test_every_path_is_contained(kind: str, path: str, words: str, project: Path) -> None:
    (project / "out").symlink_to(project.parents[1] / "disk")
    (project / ".git").mkdir()
    (project / "keys").symlink_to(".git")
    found = problems(*paths_of(kind, path))
    assert len(found) == len(PATHS[kind][1])
    assert all(words in line and path.lstrip("~") in line for line in found)


@pytest.mark.parametrize(
    "path",
    ["data", "./data/", "data/../data", "no/such/file", "org/name", "link/x", "/scratch/llava",
     "~/llava", "~/.cache/huggingface/hub/models--a--b", "a..b", "/disk", "loop", "x" * 5000],
)  # fmt: skip
def test_other_paths_stay_as_they_are(path: str, project: Path) -> None:
    (project / "link").symlink_to("data")
    (project / "loop").symlink_to("loop")
    found = TypeAdapter(ConfigPath).validate_python(path)
    assert found == path.replace("~", str(project.parent))


def test_links_of_absolute_paths_are_followed_to_hidden_folders_too(project: Path) -> None:
    secret = project.parent / ".ssh"
    secret.mkdir()
    (project.parents[1] / "disk" / "innocent").symlink_to(secret)
    with pytest.raises(ValidationError, match="is hidden or in a hidden folder"):
        TypeAdapter(ConfigPath).validate_python(str(project.parents[1] / "disk" / "innocent" / "id_rsa"))


def test_a_project_may_itself_lie_in_a_hidden_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = project / ".worktrees" / "mine"
    (inner / "data").mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert contained("data") == "data"
    assert contained(str(inner / "data")) == str(inner / "data")


def test_links_of_a_launch_lead_into_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch = project / ".snakemake" / "launches" / "one"
    launch.mkdir(parents=True)
    (launch / "data").symlink_to(project / "data")
    monkeypatch.chdir(launch)
    assert contained("data/llava") == "data/llava"
    with pytest.raises(ValidationError, match="leads out of the project"):
        TypeAdapter(ConfigPath).validate_python("../x")


def test_a_link_in_the_project_is_the_users_decision(project: Path) -> None:
    (project / "out").symlink_to(project.parents[1] / "disk")
    for path in ("out", "out/x"):
        assert TypeAdapter(ConfigPath).validate_python(path) == path


def test_random_paths_that_are_accepted_lead_into_the_project(project: Path) -> None:
    (project / "out").symlink_to(project.parents[1])
    (project / "in").symlink_to("data")
    (project / "data" / "up").symlink_to("..")
    rng, accepted = random.Random(0), 0
    for _ in range(1000):
        parts = rng.choices(["..", ".", "data", "in", "out", "up", "x", ".x", ""], k=rng.randint(1, 6))
        path = "/".join(parts).lstrip("/")
        try:
            TypeAdapter(ConfigPath).validate_python(path)
        except ValidationError:
            continue
        accepted += 1
        inside = Path(path).resolve().is_relative_to(project)
        assert inside or (".." not in parts and "out" in parts)
        assert ".x" not in Path(path).resolve().parts
    assert accepted > 100


@pytest.mark.parametrize("path", ["data\0", "\ud800"])
def test_names_that_no_file_can_have_are_reported_once(path: str) -> None:
    (line,) = problems(("studies.0.measured", path))
    assert "has a character that cannot be stored in a file" in line


def test_the_good_config_of_these_tests_is_good() -> None:
    assert Config.model_validate(config()).studies[0].measured == "m.csv"
