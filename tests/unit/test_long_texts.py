"""Texts of hundreds of thousands of characters: every regular expression takes them in linear time."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest

import paretoken
from paretoken.feasibility.sizes import FAMILY
from paretoken.io import escape

#: A pattern that takes the square of this in steps takes minutes for a single text; otherwise, all texts
#: together take seconds. Functions of Python get shorter texts. CPU seconds are those of one of them.
LENGTH, SHORTER, CPU_SECONDS = 60_000, 30_000, 15
#: What texts are made of: what the patterns of this project look for, or nearly.
WORDS = """
a A e 1 1. 1.1 1, 1e . , - -1 + = ' $ % * ** _ ` [ [1 ] ( (a { | \\ # & &a ; " \\" [] {} @ 日
< > / ~/ :// http:// http://a? a: a/ a/b- a/b-1/ <image qwen1 patch1 service_account a.json .env _cache
""".split()  # noqa: SIM905
BLANKS = [
    " ",
    "\t",
    "\n",
    "\r",
    "\u2028",
    "\x1b",
    "\x00",
    "\ud800",
    " \n",
    "\n ",
    "---\n",
    "\n--- ",
    "a b",
]
PHRASES = [
    "Bearer ",
    "Bearer\t",
    "answer ",
    "answer is ",
    "correct ",
    "<image ",
    "< ",
    "step 1",
    "oom kill",
]
PIECES = [*WORDS, *BLANKS, *PHRASES, "The answer is "]
#: What follows the pieces: most patterns fail only there.
END = " b"
#: Patterns that get no long texts: of a log, the last 16 KiB are read.
SHORT = {"ENDED_WELL"}
LEFT_OUT = {"__main__", "chat_sandbox", "lmms_model"}
METHODS = ("match", "fullmatch", "search", "sub")
#: Functions of `escape` for texts; `csv_row` calls one of them.
FUNCTIONS = {
    *("visible", "one_line", "html", "markdown", "latex", "mathtext"),
    *("csv_cell", "csv_value", "terminal", "message", "shown", "redacted"),
}


def long_texts(length: int) -> list[str]:
    """Return texts of so many characters, of a piece each, and mixed."""
    whole = [piece * (length // len(piece)) + END for piece in PIECES]
    starts = [start + piece * length + "x" for start in ("-", "<", "<image", "a") for piece in " 1\t"]
    rng = random.Random(0)
    return [*whole, *starts, *("".join(rng.choices(PIECES, k=length // 2)) for _ in range(3))]


def modules() -> list[str]:
    """Return the dotted names of the package's modules, but for those that run or need lmms-eval."""
    root = Path(paretoken.__file__).parent
    paths = [path.relative_to(root.parent).with_suffix("") for path in root.rglob("*.py")]
    return sorted(".".join(path.parts) for path in paths if path.stem not in LEFT_OUT)


def patterns() -> dict[str, tuple[re.Pattern[str], set[str]]]:
    """Return the patterns for texts in the globals of all modules, and what is called of each.

    A pattern of a tuple, whose name nobody calls, gets all methods but ``fullmatch`` and ``sub``.
    """
    root = Path(paretoken.__file__).parent
    source = "\n".join(path.read_text() for path in root.rglob("*.py"))
    found: dict[str, tuple[re.Pattern[str], set[str]]] = {}
    for module in modules():
        for name, value in vars(import_module(module)).items():
            for number, each in enumerate(value if isinstance(value, tuple) else [value]):
                if isinstance(each, re.Pattern) and isinstance(each.pattern, str) and name not in SHORT:
                    called = set(re.findall(rf"\b{name}\.(\w+)\(", source)) & set(METHODS)
                    found[f"{name} {number}"] = each, called or {"match", "search"}
    return found


def begin(name: str) -> None:
    """Say what comes next, and let the process be ended if that takes too much of the processor."""
    print(name, flush=True)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)


def try_patterns() -> None:
    """Use every pattern on every text."""
    texts = long_texts(LENGTH)
    for name, (pattern, called) in patterns().items():
        begin(name)
        for text in texts:
            for method in called:
                getattr(pattern, method)(*(["", text] if method == "sub" else [text]))


def try_functions() -> None:
    """Use every function of `escape` on every text."""
    texts = long_texts(SHORTER)
    for name in sorted(FUNCTIONS):
        begin(name)
        for text in texts:
            getattr(escape, name)(text)


@pytest.mark.slow
@pytest.mark.parametrize("work", ["try_patterns", "try_functions"])
def test_long_texts_take_linear_time(work: str) -> None:
    code = f"import test_long_texts; test_long_texts.{work}(); print('all')"
    command, folder = [sys.executable, "-c", code], Path(__file__).parent
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    said = done.stdout.splitlines()
    assert said[-1:] == ["all"], f"ended at {said[-1:]}: {done.stderr[-500:]}"


def test_every_pattern_and_function_is_tried() -> None:
    names = {name.split()[0] for name in patterns()}
    assert {"_BREAKS", "_NUMBER", "_MARKDOWN", "_NUMBERS", "ABSOLUTE", "FAMILY", "SECRET"} <= names
    own = [value for value in vars(escape).values() if isinstance(value, FunctionType)]
    named = {value.__name__ for value in own if value.__module__ == escape.__name__}
    assert {name for name in named if not name.startswith("_")} == {*FUNCTIONS, "csv_row"}


#: Patterns as they were when they took the square of a text's length, with what they are compared by.
OLD_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan|infinity)"
OLD_FORMULA = "'*\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]|'*[\t\r\n]"
OLD_FAMILY = FAMILY.pattern.replace("++", "+").replace("?+)", "?)")
SLOW = {
    "number": (
        OLD_NUMBER,
        escape._NUMBER,
        "fullmatch",
        ["1", "23", ".", "-", "+", "e", "E", "inf", "nan", "٣", "x"],
    ),
    "formula": (OLD_FORMULA, escape._FORMULA, "match", [*"' \t\n\r=-@1a", "\uff1d"]),
    "family": (OLD_FAMILY, FAMILY, "search", [*"-215.vbm ", "qwen", "llama", "Phi"]),
}


@pytest.mark.parametrize("name", SLOW)
def test_faster_patterns_find_the_same(name: str) -> None:
    old, new, method, pieces = SLOW[name]
    slow, rng = re.compile(old, new.flags), random.Random(1)
    for _ in range(5000):
        text = "".join(rng.choices(pieces, k=rng.randint(0, 9)))
        found = [getattr(pattern, method)(text) for pattern in (slow, new)]
        spans = [each and (each.span(), name == "family" and each.groups()) for each in found]
        assert spans[0] == spans[1], text


def test_a_line_end_becomes_one_blank_with_the_blanks_around_it() -> None:
    rng = random.Random(2)
    for _ in range(3000):
        text = "".join(rng.choices([" ", "\t", "\n", "\r", "\u2028", "a", "b"], k=rng.randint(0, 10)))
        runs = re.split(r"([ \t\n\r\u2028]+)", text)
        joined = "".join(
            run if run.strip(" \t\n\r\u2028") or not run.strip(" ") else " " for run in runs
        )
        assert escape.one_line(text) == joined.strip(), text
