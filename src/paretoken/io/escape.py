r"""Escaping of untrusted text: one function for each output format.

Titles, questions, flags, sources, names of archive members and messages of other programs may contain
anything. Each writer passes them through its function here, so that they are shown literally. Invisible
characters (escape sequences, other control characters, marks that change the direction of writing) are
written as Python escapes, such as ``\x1b``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from reprlib import Repr
from typing import Any

#: Control characters, marks of direction, invisible characters, line separators, lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
#: A line break and the blanks around it; `(?<! )` and `*+` avoid quadratic time on many blanks.
_BREAKS = re.compile("(?<! ) *+[\t\n\r\v\f\x85\u2028\u2029][ \t\n\r\v\f\x85\u2028\u2029]*+")
#: Characters with a meaning inside a line of Markdown, except as prose has them: an underscore between
#: letters, the star of V*, a number in brackets, "less than" before a blank or a number.
_MARKDOWN = re.compile(
    r"[\\`{}|~$#]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|(?<!\w)\*(?=\S)|\*(?=[^\s;,.:)])"
    r"|\[(?![\d.]+\](?![(:\[]))"
)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_HTML_IN_MARKDOWN = re.compile(r"&(?=#?\w+;)|<(?![\s\d=])|^>")
#: Characters with a meaning at the start of a line: bullets, numbers of lists, underlines of headings.
_MARKDOWN_START = re.compile(r"^(\d{0,9})([.):](?=\s|$)|[-+*](?=[\s-]|$)|=(?==*\s*$))")
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
}  # fmt: skip
#: Characters that no table may contain: controls except tabs and line breaks, and lone surrogates.
_NOT_IN_TABLES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
#: Starts of cells that a spreadsheet takes for formulas (full-width signs too) or that look escaped.
_FORMULA = re.compile("'*+(?:\\s*+[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
_NUMBER = re.compile(
    r"[+-]?(\d++(\.\d*)?|\.\d++)([eE][+-]?\d++)?|[+-]?(inf|nan|infinity)", re.IGNORECASE
)
#: Names of environment variables whose values are secret, and the length of the shortest secret.
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|ACCESS_?KEY|CREDENTIAL", re.IGNORECASE)
SHORTEST_SECRET = 8
_LOGIN = re.compile(r"(?<=://)[^\s/?#]{1,2000}@")
_SIGNED = re.compile(r"(https?://[^\s?]{1,2000}+)\?[^\s'\")]{1,8000}")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
HIDDEN = "***"
#: Longest message and longest value in one, in characters.
LONGEST_MESSAGE, LONGEST_VALUE = 12_000, 200


def visible(text: str, kept: str = "") -> str:
    """Return text with invisible characters escaped, except for those in ``kept``."""
    return _INVISIBLE.sub(lambda found: found[0] if found[0] in kept else _written(found[0]), text)


def one_line(text: str) -> str:
    """Return text on one line, with invisible characters escaped."""
    return visible(_BREAKS.sub(" ", text).strip())


def html(text: str) -> str:
    """Return text for Jinja, which escapes the markup itself; line breaks are kept."""
    return visible(text.replace("\r\n", "\n"), kept="\n\t")


def markdown(text: str) -> str:
    """Return text for any place in a line of Markdown, without markup, HTML or images.

    Bare URLs are kept: pages that turn them into links show where they lead.
    """
    line = _MARKDOWN.sub(r"\\\g<0>", one_line(text))
    line = _HTML_IN_MARKDOWN.sub(lambda found: _ENTITIES[found[0]], line)
    return _MARKDOWN_START.sub(r"\1\\\2", line)


def latex(text: str) -> str:
    """Return text for a cell of a LaTeX table."""
    escaped = "".join(_LATEX.get(char, char) for char in one_line(text))
    return "{}" + escaped if escaped.startswith(("[", "*")) else escaped  # not an argument of `\\`


def mathtext(text: str) -> str:
    r"""Return text for a figure, in which Matplotlib takes no part for a formula.

    Matplotlib draws text without unescaped dollar signs as it is, except that ``\$`` becomes a dollar
    sign.
    """
    line = one_line(text[: 2 * LONGEST_VALUE])
    return (line if len(line) <= LONGEST_VALUE else f"{line[: LONGEST_VALUE - 1]}…").replace("$", r"\$")


def csv_cell(text: str) -> str:
    """Return a cell of a CSV file that no spreadsheet takes for a formula; numbers are unchanged.

    A text that would be a formula gets an apostrophe in front, as in spreadsheets; `csv_value` removes
    it. Carriage returns become line feeds: `csv` does not quote them, and a reader would see a new row.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    written = _NOT_IN_TABLES.sub(lambda found: _written(found[0]), lines)
    computed = _FORMULA.match(written) and not _NUMBER.fullmatch(written.strip())
    return f"'{written}" if computed else written


def csv_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row for `csv.DictWriter`, its texts escaped by `csv_cell`."""
    return {key: csv_cell(value) if isinstance(value, str) else value for key, value in row.items()}


def csv_value(cell: str) -> str:
    """Return the text that `csv_cell` escaped; return other cells as they are."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def terminal(text: str) -> str:
    """Return text for a terminal or a log: control characters escaped, secrets hidden, lines kept."""
    return visible(redacted(text).replace("\r\n", "\n"), kept="\n\t")


def message(error: object) -> str:
    """Return the message of an error for a terminal; the middle of a very long one is left out."""
    text = str(error)
    head, tail = 2 * LONGEST_MESSAGE // 3, LONGEST_MESSAGE // 3
    if len(text) <= LONGEST_MESSAGE:
        return terminal(text)
    left_out = len(text) - head - tail
    start, end = (redacted(part) for part in (text[: 2 * head], text[-2 * tail :]))
    return visible(f"{start[:head]} [... {left_out} characters ...] {end[-tail:]}", kept="\n\t")


def shown(value: Any, most: int = LONGEST_VALUE) -> str:
    """Return ``repr(value)`` or its start; long or deeply nested values are cut before formatting.

    Args:
        value: anything that was read from a file.
        most: the largest number of characters to return.
    """
    limits = _Cut()
    limits.maxstring = limits.maxother = limits.maxlong = most
    limits.maxlevel, limits.maxlist, limits.maxdict, limits.maxtuple, limits.maxset = 3, 8, 8, 8, 8
    try:
        text = limits.repr(value)
    except ValueError:  # more digits than Python writes
        text = "a number with thousands of digits"
    return text if len(text) <= most else f"{text[: most - 3]}..."


class _Cut(Repr):
    """A `Repr` that cuts bytes, too, at any depth: the base class formats them whole first."""

    def repr_bytes(self, value: bytes, level: int) -> str:
        """Return the start of some bytes, as Python writes it."""
        return repr(value[: self.maxstring])

    def repr_bytearray(self, value: bytearray, level: int) -> str:
        """Return the start of some bytes, as Python writes it."""
        return repr(value[: self.maxstring])


def redacted(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return text without the secrets of the environment, and logins and signatures in URLs.

    Args:
        text: any text, such as the message of a library.
        environment: variables; those named like a token, a secret, a password or a key are secret.
    """
    for name, value in environment.items():
        if len(value) >= SHORTEST_SECRET and _SECRET.search(name):
            text = text.replace(value, HIDDEN)
    text = _BEARER.sub(rf"\1 {HIDDEN}", _LOGIN.sub(f"{HIDDEN}@", text))
    return _SIGNED.sub(rf"\1?{HIDDEN}", text)


def _written(char: str) -> str:
    return char.encode("unicode_escape").decode()
