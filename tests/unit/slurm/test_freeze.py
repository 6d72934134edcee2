"""What a launch copies, and what it links."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoken.slurm import freeze as module
from paretoken.slurm.freeze import belongs_to, freeze, in_launch, named_in, remove_old
from paretoken.slurm.kept_out import is_secret
from paretoken.slurm.secret_words import KIND_OF_KEY, SECRET_WORD, speaks_of_secrets


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("workflow/recipes", "data/images", ".snakemake", "src/paretoken/__pycache__", "hub"):
        (folder / name).mkdir(parents=True)
    (folder / "config.yaml").write_text("run: [a]")
    (folder / "workflow/recipes/a.yaml").write_text("steps: 1")
    (folder / "data/images/1.png").write_bytes(b"x")
    return folder


def test_settings_are_copied_with_their_times_and_data_is_linked(project: Path) -> None:
    os.utime(project / "config.yaml", (1000, 1000))
    launch = project / ".snakemake" / "launches" / "1"
    freeze(project, launch)
    (project / "config.yaml").write_text("run: [b]")
    (project / "workflow/recipes/a.yaml").write_text("steps: 2")
    assert (launch / "config.yaml").read_text() == "run: [a]"
    assert (launch / "config.yaml").stat().st_mtime == 1000
    assert (launch / "workflow/recipes/a.yaml").read_text() == "steps: 1"
    for name in ("results", "data", ".snakemake"):
        assert (launch / name).resolve() == (project / name).resolve()
    assert not (launch / "src/paretoken/__pycache__").exists()
    assert [path.name for path in launch.parent.iterdir()] == ["1"]


@pytest.mark.parametrize("limit", ["FILES", "BYTES"])
def test_large_folders_are_linked(project: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(module, limit, 100 if limit == "BYTES" else 3)
    for number in range(5):
        (project / "hub" / str(number)).write_bytes(b"x" * 30)
    launch = project / ".snakemake" / "launches" / "1"
    freeze(project, launch)
    assert (launch / "hub").is_symlink()
    assert not (launch / "workflow").is_symlink()


def test_files_of_the_project_are_found_in_the_launch(project: Path, tmp_path: Path) -> None:
    launch = project / ".snakemake" / "launches" / "1"
    assert in_launch(project / "smoke.yaml", project, launch) == launch / "smoke.yaml"
    elsewhere = tmp_path / "other.yaml"
    assert in_launch(elsewhere, project, launch) == elsewhere


def test_launches_without_jobs_are_removed(project: Path) -> None:
    launches = project / ".snakemake" / "launches"
    for name in ("1", "2"):
        (launches / name).mkdir(parents=True)
    remove_old(launches, [launches / "2"])
    assert [path.name for path in launches.iterdir()] == ["2"]
    remove_old(project / "absent", [])


def test_jobs_of_a_project_are_those_of_its_launches_too(project: Path, tmp_path: Path) -> None:
    assert belongs_to(project, project)
    assert belongs_to(project / ".snakemake" / "launches" / "1", project)
    assert not belongs_to(tmp_path / "project2", project)
    assert not belongs_to(tmp_path, project)


SECRETS = (
    ".env", ".env.local", ".envrc", "prod.env", ".netrc", ".ssh/config", ".aws/credentials",
    "server.pem", "tls/private.key", "id_rsa", "keys/id_ed25519.bak", "credentials.json",
    "google-service-account-1.json",
    "token", "hf_token.txt", "secrets.yaml", "workflow/secrets/a.txt", ".git-credentials", ".pypirc",
)  # fmt: skip
KEPT = (
    "src/paretoken/tokens.py",
    "workflow/visual_tokens.csv",
    "workflow/tokenizer.json",
    "keyboard.txt",
    "environment.yaml",
    "tables/measured.csv",
)


def fill(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def held(launch: Path) -> set[str]:
    """What a copy holds of its own: no links."""
    return {
        str(path.relative_to(launch))
        for path in launch.rglob("*")
        if path.is_file() and not any(each.is_symlink() for each in (path, *path.parents))
    }


@pytest.mark.parametrize("checkout", [False, True])
def test_secrets_stay_out_tracked_or_not_and_what_is_named_alike_does_not(
    project: Path, checkout: bool
) -> None:
    fill(project, (*SECRETS, *KEPT))
    if checkout:
        git(project, "init")
        git(project, "add", "--force", *SECRETS[::2], *KEPT[::2])
        git(project, "commit", "-m", "all")
    launch = project / ".snakemake" / "launches" / "1"
    freeze(project, launch)
    assert held(launch) == {*KEPT, "config.yaml", "workflow/recipes/a.yaml"}
    assert launch.stat().st_mode & 0o777 == 0o700
    assert not [name for name in SECRETS if (launch / name).exists()]


def test_what_git_ignores_stays_out_unless_the_config_names_it(project: Path) -> None:
    fill(project, ("notes/private.txt", "mine.yaml", "tables/mine.csv", "models/a/weights", "new.txt"))
    (project / ".gitignore").write_text("notes/\nmine.yaml\ntables/\nmodels/\n")
    git(project, "init")
    fill(project, (".env",))
    config = {
        "studies": [{"measured": "tables/mine.csv", "question": "Why? " * 100, "hub": ["models/a"]}],
        "wrong": ["../../etc/passwd", "/etc/passwd", ".", "", "a\0b", ".env", 1, None],
    }
    launch = project / ".snakemake" / "launches" / "1"
    freeze(project, launch, [project / "mine.yaml", *named_in(config)])
    kept = {".gitignore", "new.txt", "mine.yaml", "tables/mine.csv", "config.yaml"}
    assert held(launch) == {*kept, "workflow/recipes/a.yaml"}
    assert not (launch / "notes").exists()
    assert (launch / "models/a").resolve() == project / "models/a", "a folder of data is linked"


@pytest.mark.parametrize("checkout", [False, True])
def test_links_that_lead_out_and_special_files_stay_out(
    project: Path, tmp_path: Path, checkout: bool
) -> None:
    fill(tmp_path, ("outside/secret.txt",))
    fill(project, (".env", "workflow/real.txt", "data/table.csv", "code/deep/a.txt"))
    links = {
        "file": tmp_path / "outside/secret.txt", "folder": tmp_path / "outside", "up": "..", "all": ".",
        "env": ".env", "nowhere": "absent", "circle": "circle", "git": ".git/config",
        "own": "workflow/real.txt", "table": "data/table.csv", "recipes": "workflow/recipes",
        "code/deep/up": "../../workflow", "code/out": tmp_path / "outside",
    }  # fmt: skip
    for name, target in links.items():
        (project / name).symlink_to(target)
    os.mkfifo(project / "code" / "pipe")
    with socket.socket(socket.AF_UNIX) as opened:
        here = Path.cwd()
        os.chdir(project)  # the path of a socket is short
        try:
            opened.bind("code/socket")
        finally:
            os.chdir(here)
    if checkout:
        git(project, "init")
        git(project, "add", "--force", *links)
    launch = project / ".snakemake" / "launches" / "1"
    freeze(project, launch)
    kept = {"own", "table", "code/deep/a.txt", "workflow/real.txt", "config.yaml"}
    assert held(launch) == {*kept, "workflow/recipes/a.yaml"}
    assert (launch / "own").read_text() == "workflow/real.txt"
    for name, target in {"recipes": "workflow/recipes", "code/deep/up": "workflow"}.items():
        assert (launch / name).resolve() == launch / target, "links within lead within the copy"
    present = {str(path.relative_to(launch)) for path in launch.rglob("*") if path.is_symlink()}
    assert present - {"results", "data", ".snakemake", ".git"} == {"recipes", "code/deep/up"}


UNTRACKED_SECRETS = (
    "tokens.json",
    "hf_tokens.txt",
    "my_hf_token.txt",
    "secret_key.txt",
    ".vault-token",
    "kaggle.json",
    "private_key.txt",
    "pip.conf",
    ".condarc",
    "kubeconfig",
    "secrets.py",
    "passwords.csv",
    "credentials.csv",
    "rootkey.csv",
    "terraform.tfvars",
    "hfToken.txt",
    "my-API-keys.json",
    "client_secret_123.apps.googleusercontent.com.json",
    "workflow/openai_api_key.txt",
    "my secrets/a.csv",
)
NOT_SECRET = (
    "src/paretoken/tokens.py",
    "workflow/visual_tokens.csv",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokens/offsets.npy",
    "row_keys.csv",
    "keyboard.txt",
    "text_token_counts.csv",
    "tokenize.py",
    "src/keys.py",
    "src/secret_words.py",
    "src/hash_passwords.py",
)


@pytest.mark.parametrize("checkout", [False, True])
def test_files_that_git_does_not_track_and_that_speak_of_secrets_stay_out(
    project: Path, checkout: bool
) -> None:
    fill(project, (*UNTRACKED_SECRETS, *NOT_SECRET))
    (project / "led.txt").symlink_to("hf_tokens.txt")
    (project / "data/kaggle.json").write_text("x")
    (project / "shared.txt").symlink_to("data/kaggle.json")
    if checkout:
        git(project, "init")
    launch = project / ".snakemake" / "launches" / "1"
    freeze(project, launch)
    assert held(launch) == {*NOT_SECRET, "config.yaml", "workflow/recipes/a.yaml"}


def test_no_file_of_this_project_speaks_of_secrets() -> None:
    """It runs from a copy of which git knows nothing."""
    root = Path(__file__).parents[3]
    files = [path for part in ("src", "workflow", "profiles") for path in (root / part).rglob("*")]
    own = [path.relative_to(root) for path in files if path.suffix != ".pyc"]
    assert len(own) > 200
    assert not [path for path in own if speaks_of_secrets(path) or is_secret(path)]


def test_what_git_tracks_or_the_config_names_stays_whatever_it_is_called(project: Path) -> None:
    tracked = ("tokens.json", "secrets.py", "passwords.csv", "src/api_keys.py")
    fill(project, (*tracked, "hf_tokens.csv"))
    git(project, "init")
    git(project, "add", "--force", *tracked)
    launch = project / ".snakemake" / "launches" / "1"
    freeze(project, launch, [Path("hf_tokens.csv")])
    expected = {*tracked, "hf_tokens.csv", "config.yaml", "workflow/recipes/a.yaml"}
    assert held(launch) == expected


def matching(pattern: re.Pattern[str]) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True).filter(str.isascii)


kinds = matching(KIND_OF_KEY)
letters = st.text("abcxyz", min_size=1, max_size=6)
joints = st.sampled_from(["_", "-", ".", " ", "1"])


@given(
    st.one_of(st.sampled_from(["token", "tokens"]), matching(SECRET_WORD), kinds.map("{}_key".format)),
    letters,
    letters,
    joints,
    joints,
    st.sampled_from([str, str.upper, str.title]),
    st.sampled_from([".txt", ".json", ".csv", ".yaml", ".ini", ""]),
)
def test_each_name_with_the_word_of_a_secret_speaks_of_it(
    word: str, before: str, after: str, first: str, second: str, form: Any, suffix: str
) -> None:
    for name in (
        word,
        before + first + word,
        word + second + after,
        before + first + word + second + after,
    ):
        assert speaks_of_secrets(Path(form(name) + suffix))


@given(st.lists(letters, min_size=1, max_size=4), joints, st.sampled_from([".py", ".json", ".csv", ""]))
def test_other_names_do_not(words: list[str], joint: str, suffix: str) -> None:
    assert not speaks_of_secrets(Path(joint.join(words) + suffix))
    assert not speaks_of_secrets(Path(joint.join([*words, "tokenizer"]) + suffix))
