"""The parser of the command line: its help, its errors, and options that print something and end."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import paretoken
from paretoken.help.help_pages import HEADINGS
from paretoken.io.escape import terminal

#: The option that prints a script, and the shells that read one.
COMPLETION = "--print-completion"
SHELLS = ("bash", "zsh", "tcsh")
#: How an example begins; it is one line, however long.
EXAMPLE = "example: paretoken "


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Show defaults where there are any, and an example as it is."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, []) else super()._get_help_string(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith(EXAMPLE) else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """Says wrong arguments, which the workflow takes from files, as text, and where help is."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2, the message, and how to get help."""
        super().error(f"{terminal(message)}\n{self.prog} --help explains what it takes")


class MainParser(Parser):
    """Shows the commands under their headings."""

    def format_help(self) -> str:
        """Return the help: like that of any parser, but for the headings."""
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
    """Prints which program this is, and what it runs on."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> NoReturn:
        """Print and end; the commit is only there if the package is run from its checkout."""
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
    """Prints a script by which a shell completes commands, options and file names."""

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
        """Print and end.

        Args:
            parser: of the program.
            namespace: what was parsed before.
            values: the shell.
            option_string: how the option was written.
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
