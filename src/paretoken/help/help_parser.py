"""The parser of the command line: its help, its errors, and options that print and exit."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import paretoken
from paretoken.help.help_pages import HEADINGS
from paretoken.io.escape import terminal

#: The option that prints a completion script, and the shells that it supports.
COMPLETION = "--print-completion"
SHELLS = ("bash", "zsh", "tcsh")
#: Prefix of an example, which is never wrapped.
EXAMPLE = "example: paretoken "


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Formatter that shows default values, and does not wrap examples."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        default = action.default
        if isinstance(default, bool) or default in (None, []):  # a flag's default is not to give it
            return action.help
        if isinstance(default, list):  # as it is written on a command line
            return f"{action.help} (default: {' '.join(map(str, default))})"
        return super()._get_help_string(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith(EXAMPLE) else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """Parser whose errors refer to the help, and escape arguments, which may come from files."""

    def error(self, message: str) -> NoReturn:
        """Print the message and how to get help, and exit with code 2."""
        super().error(f"{terminal(message)}\nfor help, run: {self.prog} --help")


class MainParser(Parser):
    """Parser whose help lists the commands under headings."""

    def format_help(self) -> str:
        """Return the help of the program, with the commands under their headings."""
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        described = {
            command.dest: command
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)
            for command in action._get_subactions()
        }
        for heading, names in HEADINGS.items():
            formatter.start_section(heading)
            formatter.add_arguments([described[name] for name in names if name in described])
            formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments([action for action in self._actions if action.option_strings])
        formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()


class PrintVersion(argparse.Action):
    """Action that prints the versions of the program and of Python, and the platform."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> NoReturn:
        """Print the versions and exit; the commit is included if the package runs from its checkout."""
        from paretoken.io.versions import commit_words

        package = Path(paretoken.__file__).parent
        checkout = package.parent.name == "src" and (package.parents[1] / "pyproject.toml").is_file()
        commit = commit_words(package) if checkout else None
        lines = [
            f"paretoken {paretoken.__version__}",
            *([f"commit {commit}"] if commit else []),
            f"Python {platform.python_version()}",
            platform.platform(),
        ]
        print(terminal("\n".join(lines)))
        parser.exit()
        raise AssertionError("not reached")


class PrintCompletion(argparse.Action):
    """Action that prints a shell script for the completion of commands, options and file names."""

    def __init__(
        self, option_strings: Sequence[str], *, whole: Callable[[], argparse.ArgumentParser], **rest: Any
    ) -> None:
        super().__init__(option_strings, **rest)
        self.whole = whole

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Print the script and exit.

        Args:
            parser: the parser of the program.
            namespace: the arguments that were parsed before.
            values: the name of the shell.
            option_string: the option as it was written.
        """
        try:
            import shtab
        except ModuleNotFoundError:
            parser.exit(
                2,
                f"paretoken: {COMPLETION} needs the package shtab; install it: pip install -e "
                "'.[completion]'\n",
            )
        whole = self.whole()
        for action in _actions(whole):
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        print(shtab.complete(whole, values))
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the actions of a parser and of its commands."""
    found = list(parser._actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [each for command in action.choices.values() for each in command._actions]
    return found
