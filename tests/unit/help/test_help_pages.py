"""What the program says of itself: headings, pages, examples, versions and completion."""

from __future__ import annotations

import argparse
import platform
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import paretoken
from paretoken.cli import COMMANDS, build_parser, main
from paretoken.help.help_pages import HEADINGS, PAGES
from paretoken.help.help_parser import EXAMPLE, SHELLS
from paretoken.io import versions

#: How many options a list without headings may have.
MOST_IN_A_LIST = 10
SENTENCE = re.compile(r"[A-Z][^.]*(?:\.\w[^.]*)*\.")


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int | str | None, str, str]:
    """Run a command line; return exit code, stdout and stderr."""
    try:
        code: int | str | None = main(words)
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    return code, said.out, said.err


def parser_of(command: str) -> argparse.ArgumentParser:
    """Return the parser of one command."""
    (commands,) = (
        action
        for action in build_parser(command, alone=True)._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    found: argparse.ArgumentParser = commands.choices[command]
    return found


def test_every_command_is_listed_under_one_heading(capsys: pytest.CaptureFixture[str]) -> None:
    listed = [name for names in HEADINGS.values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)
    assert set(PAGES) == set(COMMANDS)
    code, text, _ = shown(capsys, "--help")
    assert code == 0
    places = [text.index(f"\n{heading}:\n") for heading in HEADINGS]
    assert places == sorted(places)
    for start, (heading, names), end in zip(
        places, HEADINGS.items(), [*places[1:], len(text)], strict=True
    ):
        below = text[start:end]
        assert all(re.search(rf"^  {name}\s", below, re.MULTILINE) for name in names), heading
    assert all(option in text for option in ("--version", "--print-completion", "--help"))
    assert "positional arguments" not in text


@pytest.mark.parametrize("command", list(COMMANDS))
def test_help_begins_with_sentences_and_ends_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    description, example = PAGES[command]
    assert "".join(f"{part} " for part in SENTENCE.findall(description)).strip() == description
    assert 1 <= len(SENTENCE.findall(description)) <= 3
    code, text, _ = shown(capsys, command, "--help")
    assert code == 0
    assert text.splitlines()[-1] == f"{EXAMPLE}{example}"
    assert "".join(description.split()) in "".join(text.split())
    assert "==SUPPRESS==" not in text


@pytest.mark.parametrize("command", list(COMMANDS))
def test_an_example_is_a_line_that_the_command_takes(command: str) -> None:
    name, *words = shlex.split(PAGES[command][1])
    assert name == command
    parser_of(command).parse_args(words)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_long_lists_of_options_have_headings(command: str) -> None:
    parser = parser_of(command)
    for group in parser._action_groups[:2]:
        assert len([a for a in group._group_actions if a.dest != "help"]) <= MOST_IN_A_LIST


def test_examples_that_need_no_study_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    shutil.copytree(project / "workflow", tmp_path / "workflow")
    shutil.copy(project / "config.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    for command in ("fit", "frontier", "recommend", "shapes", "check", "plan", "cell"):
        words = shlex.split(PAGES[command][1])
        few = ["--bootstrap", "20"] if command == "fit" else []
        code, printed, complaint = shown(capsys, *words, *few)
        assert code == 0, complaint
        assert printed or command == "cell"
        for word, after in pairwise(words):
            assert word != "--out" or Path(after).is_file()


def test_missing_parts_are_reported_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, complaint = shown(capsys, "fit")
    assert code == 2
    assert complaint.splitlines()[-2:] == [
        "paretoken fit: error: the following arguments are required: --table, --out",
        "for help, run: paretoken fit --help",
    ]
    code, _, complaint = shown(capsys)
    assert code == 2
    assert complaint.splitlines()[-1] == "for help, run: paretoken --help"


def test_versions_name_the_commit_of_a_checkout(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(versions, "commit_words", lambda folder: "abc with changes")
    code, text, _ = shown(capsys, "--version")
    lines = text.splitlines()
    assert code == 0
    assert lines[0] == f"paretoken {paretoken.__version__}"
    assert f"Python {platform.python_version()}" in lines
    assert platform.platform() in lines
    assert "commit abc with changes" in lines
    monkeypatch.setattr(versions, "commit_words", lambda folder: None)  # without git
    code, text, _ = shown(capsys, "--version")
    assert (code, len(text.splitlines())) == (0, 3)
    # Installed: a checkout that happens to lie around it is not its own.
    monkeypatch.setattr(versions, "commit_words", lambda folder: "of another project")
    monkeypatch.setattr(paretoken, "__file__", str(tmp_path / "site-packages" / "paretoken" / "x.py"))
    assert "commit" not in shown(capsys, "--version")[1]


def test_versions_need_no_git(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "paretoken", "--version"],
        env={"PATH": str(tmp_path), "PYTHONPATH": str(Path(paretoken.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "commit" not in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    code, script, complaint = shown(capsys, "--print-completion", shell)
    assert (code, complaint) == (0, "")
    assert all(re.search(rf"[\s'\"(:]{re.escape(name)}[\s'\":)]", script) for name in COMMANDS)
    assert shell == "tcsh" or "--budget-flops" in script  # tcsh completes commands and files only
    if shell == "bash":
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes_with_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    script = shown(capsys, "--print-completion", "bash")[1]
    asked = (
        script + '\nCOMP_WORDS=(paretoken recom); COMP_CWORD=1; _shtab_paretoken; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["recommend"]


def test_without_shtab_it_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    code, printed, complaint = shown(capsys, "--print-completion", "bash")
    assert (code, printed) == (2, "")
    assert complaint.startswith("paretoken: --print-completion needs the package shtab; install it")
    assert shown(capsys, "--print-completion", "fish")[0] == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_defaults_are_shown_as_they_are_typed(command: str) -> None:
    parser = parser_of(command)
    formatter = parser._get_formatter()
    for action in parser._actions:
        text = formatter._expand_help(action)
        found = re.search(r"\(default: ([^)]*)\)$", text)
        typed = found[1] if found else ""
        assert typed not in ("True", "False", "None"), action.dest
        assert not re.search(r"[\[\]']", typed), action.dest
        if action.default in (0, 0.0) and not isinstance(action.default, bool):
            assert found, f"{action.dest}: a default of 0 is shown, too"
