"""Selecting the files for the copy of a project: no secrets, and none that git ignores.

Left out are

- files that git ignores (outside a git checkout: caches only);
- secrets by their names, tracked or not: `.env*`, `.netrc`, `.ssh`, `.aws` and the like, private keys
  (`*.pem`, `*.key`, `id_rsa*`), files called credentials, secrets or tokens;
- untracked files whose names suggest a secret (`paretoken.slurm.secret_words`);
- links that lead out of the project, to a secret, or to a file that git ignores;
- FIFOs, sockets and devices.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from paretoken.slurm.secret_words import speaks_of_secrets

#: Entries that become links in the copy: jobs write them, or do not read them.
LINKED = frozenset({"results", "data", ".snakemake", ".git", ".venv", "node_modules"})
#: Those of them to which links of the project may lead.
SHARED = frozenset({"results", "data"})
_LEFT_OUT = re.compile(r"__pycache__|.*_cache|\.git")
_WORDS = r"(txt|json|ya?ml|ini|toml|cfg|conf|env|bak|old)"
#: Names of files and folders that hold secrets.
SECRET = re.compile(
    r"\.env(rc|[._-].*)?|.*\.env|[._]netrc.*"
    r"|\.(ssh|aws|azure|gcloud|gnupg|kube|docker|huggingface|cache|config|password-store)"
    r"|\.(pypirc|npmrc|yarnrc.*|pgpass|my\.cnf|htpasswd|git-credentials|s3cfg|boto|dockercfg|.*_history)"
    r"|id_(rsa|dsa|ecdsa|ed25519)([._-].*)?"
    r"|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|ovpn|gpg|secrets?|token)"
    rf"|(.*[._-])?(credentials?|secrets?|passwords?|passwd|api[._-]?keys?)(\.{_WORDS})?"
    rf"|\.?((hf|hub|huggingface|github|gh|gitlab|api|access|auth|wandb|openai)[._-]?)?token(\.{_WORDS})?"
    r"|(?=.*service[._-]?account).*\.json|.*\.tfstate.*",
    re.IGNORECASE,
)


def is_secret(path: Path) -> bool:
    """Whether a file, or a folder that it is in, has the name of a secret."""
    return any(SECRET.fullmatch(part) for part in path.parts)


def settings_files(project: Path) -> Iterator[tuple[str, Iterator[Path]]]:
    """Yield the top-level entries that are copied, each with its files, relative to the project.

    Links to folders are yielded as they are, if they lead to another folder of the project.
    """
    listed = _listed_by_git(project)
    for entry in sorted(path.name for path in project.iterdir()):
        if entry in LINKED or is_secret(Path(entry)):
            continue
        own = _walked(project, Path(entry)) if listed is None else listed.get(entry, ())
        yield entry, (p for p in own if not is_secret(p) and _stays_inside(project, p, listed))


def _listed_by_git(project: Path) -> dict[str, list[Path]] | None:
    """Return the files of a git checkout that may be copied, by top-level entry; None without git."""
    try:
        tracked = _git_files(project, "--cached")
        others = _git_files(project, "--others", "--exclude-standard") - tracked
    except (OSError, subprocess.CalledProcessError):
        return None
    found: dict[str, list[Path]] = {}
    for path in sorted(tracked | {path for path in others if not speaks_of_secrets(path)}):
        nested = (project / path).is_dir() and not (project / path).is_symlink()  # another repository
        found.setdefault(path.parts[0], []).extend(_walked(project, path) if nested else [path])
    return found or None  # empty for a folder that a repository around it ignores as a whole


def _git_files(project: Path, *options: str) -> set[Path]:
    line = ["git", "-c", "core.fsmonitor=false", "-C", str(project), "ls-files", "-z", *options]
    done = subprocess.run(line, capture_output=True, check=True)
    return {Path(os.fsdecode(name)) for name in done.stdout.split(b"\0") if name}


def _walked(project: Path, entry: Path) -> Iterator[Path]:
    """Yield the files below an entry that git does not list, and its links to folders.

    Caches are left out, and so are names that suggest a secret.
    """
    start = project / entry
    if start.is_symlink() or not start.is_dir():
        if not speaks_of_secrets(entry):
            yield entry
        return
    for folder, names, files in os.walk(start):
        place = Path(folder).relative_to(project)
        names[:] = sorted(name for name in names if not _LEFT_OUT.fullmatch(name))
        links = [name for name in names if Path(folder, name).is_symlink()]
        found = (place / name for name in sorted([*links, *files]) if not name.endswith(".pyc"))
        yield from (path for path in found if not speaks_of_secrets(path))


def _stays_inside(project: Path, path: Path, listed: dict[str, list[Path]] | None) -> bool:
    """Whether a path is a file of the project, or a link to a file or a folder that is copied."""
    source = project / path
    try:
        kind, target = source.stat().st_mode, source.resolve()
    except (OSError, RuntimeError):  # a broken or circular link, or deleted but still in git's index
        return False
    is_file, is_link = stat.S_ISREG(kind), stat.S_ISDIR(kind) and source.is_symlink()
    if not (is_file or is_link) or not target.is_relative_to(project.resolve()):
        return False
    inside = target.relative_to(project.resolve())
    return inside == path or _may_be_led_to(inside, listed)


def _may_be_led_to(inside: Path, listed: dict[str, list[Path]] | None) -> bool:
    """Whether a link of the project may lead to this path of it."""
    if not inside.parts or is_secret(inside) or inside.parts[0] in LINKED - SHARED:
        return False
    if listed is None or inside.parts[0] in SHARED:
        return not speaks_of_secrets(inside)
    return any(inside in (known, *known.parents) for known in listed.get(inside.parts[0], ()))
