"""The documentation: links lead somewhere, and what it names exists."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from paretoken.cli import COMMANDS, build_parser
from paretoken.config.config import json_schema
from paretoken.registry import (
    BENCHMARKS,
    CLAIMS,
    COMPRESSORS,
    COST_MODELS,
    FIGURES,
    LAWS,
    Registry,
)

PROJECT = Path(__file__).parents[2]
PAGES = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    PROJECT / "results" / "README.md",
    *sorted((PROJECT / "docs").glob("*.md")),
]
MOST_LINES_OF_README = 130
#: First heading of a table's first column -> what that column names.
NAMED: dict[str, Registry] = {
    "benchmark": BENCHMARKS,
    "claim": CLAIMS,
    "compressor": COMPRESSORS,
    "cost model": COST_MODELS,
    "figure": FIGURES,
    "law": LAWS,
}
CODE = re.compile(r"`([^`]+)`")
URL = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
#: What loads something when a page of the site is viewed: scripts, styles, fonts, images, frames.
LOADED = re.compile(
    r"<(?:script|img|iframe|source|embed|object)\b[^>]*?\b(?:src|srcset|data)=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|<link\b[^>]*?\bhref=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|@import\s+(?:url\()?[\"']?((?:https?:)?//[^\"')\s]+)"
    r"|\burl\([\"']?((?:https?:)?//[^\"')\s]+)",
    re.IGNORECASE,
)


def _name(page: Path) -> str:
    return str(page.relative_to(PROJECT))


every_page = pytest.mark.parametrize("page", PAGES, ids=_name)


@cache
def _tokens(page: Path) -> list[Any]:
    """Return the Markdown tokens of a page, inline ones included, in order."""
    found: list[Any] = []
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        found += [token, *(token.children or [])]
    return found


@cache
def _headings(page: Path) -> list[str]:
    tokens = _tokens(page)
    return [
        "".join(part.content for part in tokens[i + 1].children if part.type in {"text", "code_inline"})
        for i, token in enumerate(tokens)
        if token.type == "heading_open"
    ]


def _on_github(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _on_site(heading: str) -> str:
    """Return the anchor that Python-Markdown gives a heading."""
    ascii_only = heading.encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_only).strip().lower())


def _targets(page: Path) -> list[str]:
    tokens = _tokens(page)
    links = [str(token.attrs["href"]) for token in tokens if token.type == "link_open"]
    return links + [str(token.attrs["src"]) for token in tokens if token.type == "image"]


def _broken(page: Path, target: str) -> str:
    """Return what is wrong with a link; nothing if it leads somewhere, here or on the internet."""
    if URL.match(target):
        return ""
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.is_relative_to(PROJECT) or not file.exists():
        return f"{target}: no such file in the project"
    anchors = [
        ({_on_github(each), _on_site(each)})
        for each in (_headings(file) if file.suffix == ".md" else [])
    ]
    if anchor and {anchor} not in anchors:
        return f"{target}: no heading with this anchor, in the repository and on the site"
    return ""


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [problem for target in _targets(page) if (problem := _broken(page, target))] == []


@pytest.mark.parametrize(
    ("target", "word"),
    [
        ("absent.md", "file"),
        ("index.md#absent", "anchor"),
        ("#absent", "anchor"),
        ("../../x.md", "file"),
    ],
)
def test_a_broken_link_is_noticed(target: str, word: str) -> None:
    assert word in _broken(PROJECT / "docs" / "index.md", target)


def test_readme_is_short() -> None:
    assert len((PROJECT / "README.md").read_text("utf-8").splitlines()) <= MOST_LINES_OF_README


def _leaves(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for value in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else []:
        yield from _leaves(value)


def test_every_page_is_in_the_navigation() -> None:
    settings = yaml.safe_load((PROJECT / "mkdocs.yml").read_text("utf-8"))
    listed = list(_leaves(settings["nav"]))
    assert len(listed) == len(set(listed))
    assert {page.name for page in (PROJECT / "docs").glob("*.md")} <= set(listed)


def _tables(page: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield, per table, the last heading before it and its rows as the Markdown of their cells."""
    heading, rows, cells = "", [], []
    tokens = _tokens(page)
    for i, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[i + 1].content
        elif token.type in {"th_open", "td_open"}:
            cells.append(tokens[i + 1].content)
        elif token.type == "tr_close":
            rows.append(cells)
            cells = []
        elif token.type == "table_close":
            yield heading, rows
            rows = []


def _named(page: Path, kind: str) -> set[str]:
    """Return the names in the first columns of a page's tables of compressors, laws and so on."""
    return {
        name
        for _, (head, *rows) in _tables(page)
        if head[0].lower() == kind
        for row in rows
        for name in CODE.findall(row[0])
    }


@pytest.mark.parametrize("kind", NAMED)
def test_names_in_tables_are_registered(kind: str) -> None:
    named = {page.name: _named(page, kind) for page in PAGES}
    assert any(named.values())
    assert {name: unknown for name, all_ in named.items() if (unknown := all_ - set(NAMED[kind]))} == {}


@pytest.mark.parametrize(
    ("page", "kind"), [("compressors.md", "compressor"), ("costs.md", "cost model")], ids=str
)
def test_every_compressor_and_cost_model_is_documented(page: str, kind: str) -> None:
    assert _named(PROJECT / "docs" / page, kind) == set(NAMED[kind])


def test_the_command_line_page_lists_the_commands_that_exist() -> None:
    page = PROJECT / "docs" / "command_line.md"
    assert _named(page, "command") == set(COMMANDS)


def _code(page: Path) -> Iterator[str]:
    """Yield blocks of code, and code in sentences."""
    for token in _tokens(page):
        if token.type in {"fence", "code_block", "code_inline"}:
            yield token.content


def _lines(code: str) -> Iterator[list[str]]:
    """Yield the words of each line of a shell, with the lines that a backslash continues."""
    for line in code.replace("\\\n", " ").splitlines():
        try:
            yield shlex.split(line, comments=True)
        except ValueError:  # no line of a shell
            continue


def _invocations(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield every ``paretoken COMMAND`` of a page, with what follows it."""
    for code in _code(page):
        for words in _lines(code):
            for i, word in enumerate(words):
                program = word == "paretoken" or word.endswith("/paretoken")
                if program and len(words) > i + 1 and re.fullmatch(r"[a-z][a-z-]*", words[i + 1]):
                    yield words[i + 1], words[i + 2 :]
                    break


@cache
def _actions(command: str) -> list[argparse.Action]:
    parser = build_parser(command)
    choices = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    return list(choices[command]._actions)


def _options(command: str) -> set[str]:
    return {option for action in _actions(command) for option in action.option_strings}


def _unknown(command: str, words: list[str]) -> list[str]:
    """Return the options and arguments that a command does not have; another one follows ``--``."""
    if command not in COMMANDS:
        return [command]
    own, behind = words, []
    if "--" in words:
        at = words.index("--")
        own, behind = words[:at], words[at + 1 :]
    given = {word.partition("=")[0].strip("[]") for word in own if word.strip("[]").startswith("--")}
    unknown = [f"{command} {option}" for option in sorted(given - _options(command))]
    positional = [action for action in _actions(command) if not action.option_strings]
    if own and not positional and re.match(r"\.?[\w/]", own[0]):
        unknown.append(f"{command} {own[0]}")
    return unknown + (_unknown(behind[0], behind[1:]) if behind else [])


@every_page
def test_commands_and_options_exist(page: Path) -> None:
    wrong = [each for command, words in _invocations(page) for each in _unknown(command, words)]
    assert wrong == []


def test_an_option_that_does_not_exist_is_noticed() -> None:
    assert _unknown("fit", ["--tables", "x.csv", "--out=y"]) == ["fit --tables"]
    assert _unknown("fitt", []) == ["fitt"]
    assert _unknown("check", ["config.yaml"]) == ["check config.yaml"]
    assert _unknown("compare", ["results/published"]) == []
    assert _unknown("launch", ["--gpus", "2", "--", "train", "--stages"]) == ["train --stages"]
    found = list(_invocations(PROJECT / "README.md"))
    assert {"fit", "recommend", "latency"} <= {command for command, _ in found}
    assert any("--error-column" in words for _, words in found)  # on the line that a backslash continues


SCHEMA = json_schema()
RECORDS: dict[str, Any] = SCHEMA["$defs"]


def _records_in(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the records that a key may hold, itself or as elements of a list."""
    if "$ref" in schema:
        return [RECORDS[schema["$ref"].rsplit("/", 1)[1]]]
    inner = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return [record for each in inner for record in _records_in(each)]


def _records_called(key: str) -> list[dict[str, Any]]:
    """Return the records that stand under a key anywhere in the config."""
    holders = [SCHEMA, *RECORDS.values()]
    return [
        record
        for holder in holders
        if key in holder.get("properties", {})
        for record in _records_in(holder["properties"][key])
    ]


def _knows(record: Mapping[str, Any], path: str) -> bool:
    key, _, rest = path.partition(".")
    if key not in record.get("properties", {}):
        return False
    return not rest or any(_knows(inner, rest) for inner in _records_in(record["properties"][key]))


def _strange_keys(value: Any, records: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the keys of a YAML value that none of the records has."""
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict) or not records:
            continue
        for key, inner in item.items():
            holders = [record for record in records if key in record["properties"]]
            if not holders:
                yield key
            yield from _strange_keys(
                inner, [found for holder in holders for found in _records_in(holder["properties"][key])]
            )


def test_keys_in_tables_of_the_configuration_exist() -> None:
    wrong, seen = [], set()
    for heading, (head, *rows) in _tables(PROJECT / "docs" / "configuration.md"):
        assert head[0] == "key"
        names = CODE.findall(heading)
        records = _records_called(names[0]) if names else [SCHEMA]
        assert records, heading
        keys = [key for row in rows for key in CODE.findall(row[0])]
        wrong += [f"{heading}: {key}" for key in keys if not any(_knows(r, key) for r in records)]
        seen |= {*names, *keys}
    assert wrong == []
    assert {"llms", "params_b", "make.width", "max_bad_share", "holdout", "overrides.finetune"} <= seen


def _yaml_blocks() -> list[tuple[str, Any]]:
    return [
        (_name(page), yaml.safe_load(token.content))
        for page in PAGES
        for token in _tokens(page)
        if token.type == "fence" and token.info == "yaml"
    ]


def test_keys_in_blocks_of_yaml_exist() -> None:
    holders = [SCHEMA, *RECORDS.values()]
    config = [(page, block) for page, block in _yaml_blocks() if not {"task", "include"} & set(block)]
    assert [(page, key) for page, block in config for key in _strange_keys(block, holders)] == []
    assert {"llms", "data", "studies", "training"} <= {key for _, block in config for key in block}


def test_a_key_that_does_not_exist_is_noticed() -> None:
    block = {"studies": [{"name": "x", "training": {"recipe": {}, "recipes": {"pretraining": "y"}}}]}
    assert list(_strange_keys(block, [SCHEMA])) == ["recipe", "pretraining"]


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://elsewhere.example/a.js"></script>',
        '<link rel="stylesheet" href="https://elsewhere.example/a.css">',
        "<style>@import url('https://elsewhere.example/f.css')</style>",
        "a { background: url(//elsewhere.example/a.png) }",
        '<img alt="" src="http://elsewhere.example/a.png">',
    ],
)
def test_what_a_page_would_load_is_noticed(html: str) -> None:
    assert LOADED.search(html)
    assert not LOADED.search('<a href="https://elsewhere.example/">elsewhere</a>')


@pytest.mark.slow
def test_the_site_builds_strictly_and_needs_no_network(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        message = "mkdocs-material is not installed; it comes with the extra `docs`"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    site = tmp_path / "site"
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert build.returncode == 0, build.stderr
    for page in (PROJECT / "docs").glob("*.md"):
        assert (site / page.with_suffix(".html").name).is_file()
    files = [file for ending in ("html", "css") for file in site.rglob(f"*.{ending}")]
    loaded = {str(file.relative_to(site)): LOADED.findall(file.read_text("utf-8")) for file in files}
    assert {file: urls for file, urls in loaded.items() if urls} == {}
    listed = (site / "reports.html").read_text("utf-8")
    for study in yaml.safe_load((PROJECT / "config.yaml").read_text("utf-8"))["studies"]:
        places = [PROJECT / "results" / part / study["name"] for part in ("", "measured")]
        built = any((place / "report.html").is_file() for place in places)
        assert (f'href="reports/{study["name"]}.html"' in listed) is built
        assert (site / "reports" / f"{study['name']}.html").is_file() is built
