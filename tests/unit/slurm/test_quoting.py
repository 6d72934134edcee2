"""Paths and config values reach the shell of a job as they are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("snakemake_executor_plugin_slurm")
from snakemake_interface_executor_plugins.utils import format_cli_arg

from snakemake_executor_plugin_paretoken_slurm.quoting import quote_for_shells

TEXTS = [
    "plain",
    "it's $HOME",
    "`id`",
    "a'b\"c",
    "$(id)",
    "a b;id",
    "back\\slash",
    "é\u00a0x",
    "a=[1,2]",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_shell_sees_the_text_itself(text: str) -> None:
    quote_for_shells()
    for value, expected in (
        (text, [text]),
        (Path(text), [text]),
        ([text, "x"], [text, "x"]),
        ({"k": text}, [f"k={text}"]),
    ):
        line = f"printf '%s\\n' {format_cli_arg('--flag', value)}"
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == ["--flag", *expected]
    assert format_cli_arg("--cores", 3) == "--cores 3"
