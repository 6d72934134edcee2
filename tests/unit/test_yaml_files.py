"""YAML with clear errors."""

from __future__ import annotations

import pytest

from paretoken.errors import UserError
from paretoken.yaml_files import read_yaml


def test_a_mapping_is_returned(write):
    assert read_yaml(write("a: 1\nb: [x, {c: 2}]\n", "c.yaml")) == {"a": 1, "b": ["x", {"c": 2}]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "'a' appears twice"),
        ("a:\n  - {x: 1, x: 2}\n", "'x' appears twice"),
        ("a: [1\n", "no valid YAML"),
        ("\t- a\n", "no valid YAML"),
        ("- a\n- b\n", "'key: value' lines"),
        ("[" * 10_000, "no valid YAML"),
        ("", "'key: value' lines"),
        ("just text\n", "'key: value' lines"),
        ("a: !!python/object/apply:os.getcwd []\n", "no valid YAML"),
        (b"a: caf\xe9\n", "cannot be read"),
    ],
)
def test_what_is_no_config_is_refused(write, content, words):
    path = write(content, "c.yaml")
    with pytest.raises(UserError, match=words) as refused:
        read_yaml(path)
    assert str(path) in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"absent\.yaml cannot be read"):
        read_yaml(tmp_path / "absent.yaml")


def test_the_line_of_a_repeated_key_is_told(write):
    with pytest.raises(UserError, match="line 3"):
        read_yaml(write("a: 1\nb: 2\na: 3\n", "c.yaml"))


def test_merge_keys_work(write):
    text = "base: &base {x: 1, y: 2}\nother:\n  <<: *base\n  y: 3\n"
    assert read_yaml(write(text, "c.yaml"))["other"] == {"x": 1, "y": 3}


def test_a_key_that_is_a_list_is_a_user_error(write):
    with pytest.raises(UserError, match="no valid YAML"):
        read_yaml(write("? [a, b]\n: 1\n", "c.yaml"))
