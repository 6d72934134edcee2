"""Text from files in every format: shown as what it is, whatever it is."""

from __future__ import annotations

import csv
import html as html_library
import re
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.text import Text

from paretoken.io.escape import (
    LONGEST_MESSAGE,
    LONGEST_VALUE,
    csv_cell,
    csv_row,
    csv_value,
    latex,
    markdown,
    mathtext,
    message,
    one_line,
    redacted,
    shown,
    terminal,
    visible,
)
from paretoken.study.measured import write_cell
from paretoken.study.table_files import read_table, read_text_table, write_table

#: Text with many of the characters that mean something somewhere.
MARKS = st.text(
    st.sampled_from("\\`*_{}[]()<>#+-.!|~$&;:=@'\" \t\n\r\x00\x1b\u202e%^/1aλ中"), max_size=30
)
TEXTS = MARKS | st.text(max_size=30)
RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


@given(TEXTS)
@example("1) a")
@example("    code")
@example("![x](y)\n# h")
@example("<script>&lt;")
@example("| a | b |")
def test_markdown_shows_any_text_as_it_is(text: str) -> None:
    """In a paragraph, a heading, a list and a table: the same elements as for a word."""
    for page in ("{}\n", "## {}\n", "- {}\n", "| a | {} |\n| --- | --- |\n| {} | b |\n", "**Q.** {}\n"):
        plain = RENDERER.render(page.replace("{}", "word"))
        found = RENDERER.render(page.replace("{}", markdown(text) or "word"))
        assert re.findall(r"<[^>]*>", found) == re.findall(r"<[^>]*>", plain), (text, found)
        expected = html_library.escape(one_line(text) or "word").replace("&#x27;", "'")
        assert found == plain.replace("word", expected.strip())


@given(TEXTS)
def test_a_cell_of_a_table_is_never_a_formula_and_is_read_unchanged(text: str) -> None:
    cell = csv_cell(text)
    if cell.lstrip()[:1] in set("=+-@\t\r＝＋－＠"):
        float(cell)  # a number
    if visible(text, kept="\t\n") == text:
        assert csv_value(cell) == text


@pytest.mark.parametrize("number", ["-0.5", "+1", "-1e-3", "-.5", "-inf", "nan", "0", "-7."])
def test_numbers_stay_numbers(number: str) -> None:
    assert csv_cell(number) == number
    assert csv_row({"a": number, "b": -0.5, "c": None}) == {"a": number, "b": -0.5, "c": None}


HOSTILE_CELLS = ["=cmd()", "+1-1", "-a", "@x", "'=x", "''@y", "'quoted'", '=1,"2"', "- none", "–", "a=b"]


def test_tables_hold_no_formulas_and_give_back_what_they_were_given(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    numbers = [-0.5 * i for i in range(len(HOSTILE_CELLS))]
    table = pd.DataFrame({"name": HOSTILE_CELLS, "value": numbers, "mixed": ["=a", *numbers[1:]]})
    write_table(path, table)
    read = read_table(path, ["name"])
    assert read["name"].tolist() == HOSTILE_CELLS
    assert read["value"].tolist() == numbers
    assert read_text_table(path).rows["mixed"].tolist() == ["=a", *map(str, numbers[1:])]
    with path.open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not [cell for cell in cells if re.match(r"[=+@]|-(?![\d.])", cell)]


def test_a_cell_of_measurements_holds_no_formulas(tmp_path: Path) -> None:
    row = {"study": "s", "llm": "a", "error": "-0.5", "source": "=HYPERLINK(1)", "flag": "@f"}
    write_cell(tmp_path / "errors.csv", [row], ("study", "llm", "error", "source", "flag"))
    assert (tmp_path / "errors.csv").read_text().splitlines()[1] == "s,a,-0.5,'=HYPERLINK(1),'@f"
    assert read_table(tmp_path / "errors.csv", [])["source"].tolist() == ["=HYPERLINK(1)"]


def test_no_text_makes_a_row_of_its_own(tmp_path: Path) -> None:
    texts = ["a\rb,c", "a\r\nb", 'a\n"b', "a\x0bb\x85c\u2028d"]
    write_table(tmp_path / "t.csv", pd.DataFrame({"a": texts, "b": 1}))
    write_cell(tmp_path / "c.csv", [{"a": text, "b": "1"} for text in texts], ("a", "b"))
    for name in ("t.csv", "c.csv"):
        read = read_table(tmp_path / name, ["a", "b"])
        assert read["a"].tolist() == ["a\nb,c", "a\nb", 'a\n"b', "a\\x0bb\\x85c\u2028d"]
        assert read["b"].tolist() == [1] * 4


def test_control_characters_and_lone_surrogates_can_be_written(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", pd.DataFrame({"a": ["x\x00\x1b[2J", "\ud800"]}, dtype=object))
    assert read_table(tmp_path / "t.csv", [])["a"].tolist() == ["x\\x00\\x1b[2J", "\\ud800"]


@given(TEXTS)
@example("$\\frac{")
@example("\\$a$")
def test_figures_draw_any_text_as_it_is(text: str) -> None:
    drawn = mathtext(text)
    assert Text(text=drawn)._preprocess_math(drawn) == (one_line(text), False)


def test_very_long_titles_are_cut() -> None:
    assert len(mathtext("x" * 10**6)) <= 200


@given(TEXTS)
def test_latex_runs_no_command_and_ends_no_cell(text: str) -> None:
    cell = latex(text)
    rest = re.sub(r"\\(text[a-z]+\{\}|[{}$&%#_])", "", cell)
    assert not set(rest.removeprefix("{}")) & set('\\{}$&%#_~^<>|"`\n\x00')
    assert not cell.startswith(("[", "*"))


@given(TEXTS | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=10))
@example("\x1b[2J\x1b]0;title\x07\x9b2J\x08\r\u202e\u2066\ufeff")
def test_terminals_receive_only_text(text: str) -> None:
    for said in (terminal(text), message(text)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", said)
        assert said.count("\n") == text.count("\n")
        said.encode()


def test_a_long_message_keeps_its_ends() -> None:
    said = message("x.yaml: value = " + "v" * 10**6 + ": must be a number; write one")
    assert len(said) < LONGEST_MESSAGE + 100
    assert said.startswith("x.yaml: value = vvv")
    assert said.endswith("must be a number; write one")
    assert re.search(r"\[\.\.\. \d{6} characters \.\.\.\]", said)


def test_a_value_is_cut_before_it_is_written_out() -> None:
    bomb: list[object] = ["x"]
    for _ in range(60):  # two to the sixtieth elements
        bomb = [bomb, bomb]
    started = time.perf_counter()
    assert len(shown(bomb)) < 200
    assert len(shown({"a" * 10**6: bomb, "b": "c" * 10**6})) < 1000
    assert len(shown(10**4000)) < 300
    assert time.perf_counter() - started < 5
    assert len(shown({"bytes": b"x" * 10**6, "more": [bytearray(10**6)]})) <= LONGEST_VALUE
    assert shown([b"ab"]) == "[b'ab']"
    assert shown("short") == "'short'"
    assert shown(0.5) == "0.5"


SECRET = "hf_" + "abcDEF123" * 4  # gitleaks:allow


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "my_credentials"]
)
def test_secrets_of_the_environment_are_hidden(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, SECRET)
    assert message(f"401 for {SECRET}!") == "401 for ***!"
    assert SECRET[:20] not in message("x" * 10**5 + SECRET + "y" * 10**5)
    for cut in range(LONGEST_MESSAGE - 50, LONGEST_MESSAGE + 1, 7):  # wherever the middle begins
        assert SECRET[-12:] not in message("x" * (2 * cut // 3) + SECRET + "y" * 10**6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("get https://user:pa55word@host/a failed", "get https://***@host/a failed"),
        ("https://u:p@ss@host:80/x?y", "https://***@host:80/x?***"),
        ("https://cdn/x?X-Amz-Signature=abc&t=1 (403)", "https://cdn/x?*** (403)"),
        ("Authorization: Bearer abcdef12345", "Authorization: Bearer ***"),
        ("https://host/path is fine, a@b too", "https://host/path is fine, a@b too"),
        ("why? because", "why? because"),
    ],
)
def test_logins_and_signatures_in_addresses_are_hidden(text: str, words: str) -> None:
    assert redacted(text, {"SHORT_TOKEN": "host", "PATH": "because"}) == words


def test_redaction_takes_time_in_proportion() -> None:
    started = time.perf_counter()
    message("http://" * 300_000 + "\n" + "://a" * 300_000)
    assert time.perf_counter() - started < 10


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANYTHING)
def test_values_are_shown_within_their_limit(value):
    assert len(shown(value)) <= LONGEST_VALUE
    if isinstance(value, str) and len(repr(value)) <= LONGEST_VALUE:
        assert shown(value) == repr(value)


def test_long_values_are_cut_before_they_are_formatted():
    nested: list[object] = [1]
    for _ in range(60):
        nested = [nested, nested]  # 2 ** 60 values, if all were formatted
    assert len(shown(nested)) <= LONGEST_VALUE
    assert shown("x" * 10**7).startswith("'xxx")
    assert len(shown(10**5000)) <= LONGEST_VALUE
