"""Detecting names of untracked files that suggest a secret, by the words in them.

The rule may leave out too much: files that a run needs are tracked by git, or named in its config and
then copied, unless the stricter rule of `paretoken.slurm.kept_out` takes them for secrets, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

#: Words of which a single one suggests a secret.
SECRET_WORD = re.compile(
    "secrets?|passwords?|passwd|htpasswd|passphrases?|credentials?|creds|kubeconfig"
    "|(api|access|secret|private|root|auth)keys?"
)
#: Kinds of secret keys; without one of these words, `key` and `keys` are harmless (`row_keys.csv`).
KIND_OF_KEY = re.compile(
    "private|api|access|root|auth|signing|encryption|ssh|gpg|deploy|account|license"
)
_OF_SECRETS = re.compile(f"{SECRET_WORD.pattern}|{KIND_OF_KEY.pattern}|keys?")
#: Words beside which `token` and `tokens` mean those of texts and images, not credentials.
HARMLESS = re.compile(
    "visual|vision|images?|texts?|special|added|map|counts?|number|lengths?|per|max|budget"
    "|vocab|vocabulary|tokenizer"
)
#: Suffixes of programs, which may be about secrets and tokens: only names without other words are
#: secrets (``secrets.py``). Outside a git checkout nothing else identifies the project's own modules.
PROGRAMS = frozenset({".py", ".pyi", ".smk", ".sh", ".md", ".js", ".html", ".css"})
#: Names of other files that usually hold secrets.
NAMES = re.compile(r"kaggle\.json|pip\.conf|pip\.ini|\.condarc|.*\.tfvars(\.json)?", re.IGNORECASE)


def speaks_of_secrets(path: Path) -> bool:
    """Whether the name of a file, or of a folder that it is in, suggests a secret."""
    if NAMES.fullmatch(path.name) or any(_is_secret(words_of(part)) for part in path.parts[:-1]):
        return True
    if path.suffix.lower() in PROGRAMS:
        words = words_of(path.stem)
        return _is_secret(words) and all(map(_OF_SECRETS.fullmatch, words))
    words = words_of(path.name)
    is_token = "token" in words or "tokens" in words
    return _is_secret(words) or (is_token and not _has(words, HARMLESS))


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: `myAPIKey-2.txt` has my, api, key, txt."""
    return [word.lower() for word in _WORD.findall(name)]


def _is_secret(words: Sequence[str]) -> bool:
    is_key = ("key" in words or "keys" in words) and _has(words, KIND_OF_KEY)
    return is_key or _has(words, SECRET_WORD)


def _has(words: Sequence[str], wanted: re.Pattern[str]) -> bool:
    return any(wanted.fullmatch(word) for word in words)
