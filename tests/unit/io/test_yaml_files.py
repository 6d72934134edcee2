"""YAML with clear errors."""

from __future__ import annotations

from contextlib import suppress

import pytest

from paretoken.errors import UserError
from paretoken.io import yaml_files
from paretoken.io.yaml_files import UNREADABLE, parse_yaml, read_yaml


@pytest.fixture(params=["fast", "plain"], autouse=True)
def loader(request, monkeypatch):
    """Run every test with libyaml and without it."""
    monkeypatch.setitem(yaml_files.LOADERS, "fast", yaml_files.LOADERS[request.param])


def test_a_mapping_is_returned(write):
    assert read_yaml(write("a: 1\nb: [x, {c: 2}]\n", "c.yaml")) == {"a": 1, "b": ["x", {"c": 2}]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "'a' appears twice"),
        ("a:\n  - {x: 1, x: 2}\n", "'x' appears twice"),
        ("a: [1\n", "not valid YAML"),
        ("\t- a\n", "not valid YAML"),
        ("- a\n- b\n", "'key: value' lines"),
        ("[" * 2_000, "not valid YAML"),
        ("", "'key: value' lines"),
        ("just text\n", "'key: value' lines"),
        ("a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        (b"a: caf\xe9\n", "cannot be read"),
    ],
)
def test_files_that_are_not_configs_are_refused(write, content, words):
    path = write(content, "c.yaml")
    with pytest.raises(UserError, match=words) as refused:
        read_yaml(path)
    assert str(path) in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"absent\.yaml cannot be read"):
        read_yaml(tmp_path / "absent.yaml")


def test_the_line_of_a_duplicate_key_is_reported(write):
    with pytest.raises(UserError, match="line 3"):
        read_yaml(write("a: 1\nb: 2\na: 3\n", "c.yaml"))


def test_merge_keys_work(write):
    text = "base: &base {x: 1, y: 2}\nother:\n  <<: *base\n  y: 3\n"
    assert read_yaml(write(text, "c.yaml"))["other"] == {"x": 1, "y": 3}


def test_a_key_that_is_a_list_is_a_user_error(write):
    with pytest.raises(UserError, match="not valid YAML"):
        read_yaml(write("? [a, b]\n: 1\n", "c.yaml"))


KINDS = (
    "int",
    "float",
    "bool",
    "timestamp",
    "binary",
    "null",
    "set",
    "omap",
    "pairs",
    "map",
    "seq",
    "str",
)
VALUES = (
    "''",
    "x",
    "'-'",
    "é",
    "1:2",
    "[x]",
    "{a: 1}",
    "{=: ''}",
    "[[1, 2], {a: b}]",
    "2024-13-45",
    "0x_",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "place", ["a: {}", "a: [{}]", "? {}\n: 1", "a: {{? {} : 1}}", "- !!set {{? {}}}"]
)
def test_a_value_that_its_tag_does_not_fit_is_an_error_of_yaml(kind, place):
    for value in VALUES:
        with suppress(*UNREADABLE):
            parse_yaml(place.format(f"!!{kind} {value}"))


@pytest.mark.parametrize("text", ["a: !!int ''", "!!bool x: 1", "a: !!timestamp x", "a: 2024-13-45"])
def test_the_line_and_the_kind_of_a_wrong_value_are_reported(write, text):
    with pytest.raises(UserError, match=r"is not a value of the kind '!!\w+'[^$]*line 2"):
        read_yaml(write(f"b: 1\n{text}\n", "c.yaml"))


@pytest.mark.parametrize("number", ["1" + ":1" * 3000, "0x" + "f" * 5000, "9" * 5000, "1" * 5000 + ".5"])
def test_a_number_of_thousands_of_characters_is_refused(write, number):
    with pytest.raises(UserError, match="a number has more than 4,300 characters"):
        read_yaml(write(f"a: {number}\n", "c.yaml"))


@pytest.mark.parametrize("part", ["- a\n", "- [a, b]\n", "- {a: b}\n"])
def test_values_are_counted_while_they_are_read(monkeypatch, part):
    monkeypatch.setattr(yaml_files, "MOST_NODES", 50)
    composed = []
    monkeypatch.setattr(yaml_files.Composer, "compose_scalar_node", count(composed))
    with pytest.raises(yaml_files.yaml.YAMLError, match="more than 50 values"):
        parse_yaml(part * 1000)
    assert len(composed) <= 50


def count(seen):
    original = yaml_files.Composer.compose_scalar_node

    def compose(self, anchor):
        seen.append(anchor)
        return original(self, anchor)

    return compose


def test_tags_are_not_declared_without_end():
    with pytest.raises(yaml_files.yaml.YAMLError, match="declares more than 100 tags"):
        parse_yaml("".join(f"%TAG !t{n}! !x\n" for n in range(200)) + "--- a")


def test_a_lone_surrogate_is_an_error_of_yaml():
    with pytest.raises(UNREADABLE):
        parse_yaml("a: \ud83d")
