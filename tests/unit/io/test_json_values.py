"""JSON of a few megabytes cannot fill the memory: its values are counted before they are made."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretoken.data import rows
from paretoken.data.rows import read_rows
from paretoken.errors import UserError
from paretoken.io import json_values
from paretoken.io.files import read_json
from paretoken.io.json_values import require_few_row_values, require_few_values, values_at_most
from paretoken.model_files.model_json import read_model_json, require_small_files

#: Bytes by which the process may grow that reads a bomb.
MEMORY = 400 * 2**20
READ = """
import resource, sys
from pathlib import Path
from paretoken.data.rows import read_rows
from paretoken.io.files import read_json
from paretoken.model_files.model_json import read_model_json, require_small_files
from paretoken.errors import UserError
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[3]),) * 2)
try:
    globals()[sys.argv[1]](Path(sys.argv[2]))
except UserError as error:
    print(error)
"""
UNITS = {"lists": "[]", "full": '{"":0}'}


def repeated(unit: str, size: int) -> str:
    return "[" + ",".join([unit] * (size // (len(unit) + 1))) + "]"


FILES: dict[str, tuple[str, str, Callable[[str], str]]] = {
    "record": ("read_json", "x.json", lambda bomb: bomb),
    "config": ("read_model_json", "config.json", lambda bomb: f'{{"a": {bomb}}}'),
    "tokenizer": ("read_model_json", "tokenizer.json", lambda bomb: f'{{"a": {bomb}}}'),
    "vocabulary": ("require_small_files", "vocab.json", lambda bomb: f'{{"a": {bomb}}}'),
    "line": ("read_rows", "x.jsonl", lambda bomb: f'{{"a": {bomb}}}\n'),
    "list": ("read_rows", "x.json", lambda bomb: f'[{{"b": "{"x" * 9_000_000}", "a": {bomb}}}]'),
    "cut": ("read_rows", "x.json", lambda bomb: f'[{{"a": {bomb[:-1]}'),
}


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", FILES)
def test_many_small_values_are_refused_before_they_are_made(
    tmp_path: Path, name: str, unit: str
) -> None:
    reader, file, made = FILES[name]
    path = tmp_path / file
    path.write_text(made(repeated(UNITS[unit], 21_000_000)))
    command = [sys.executable, "-c", READ, reader, tmp_path if name == "vocabulary" else path]
    done = subprocess.run([*command, str(MEMORY)], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert "values" in done.stdout or "4,194,304 at most" in done.stdout


def random_value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(7 if depth < 4 else 5)
    if kind < 3:
        return "".join(rng.choices('a,[]{}"\\:\n é', k=rng.randint(0, 8)))
    if kind < 5:
        return rng.choice([0, -1.5, None, True])
    parts = [random_value(rng, depth + 1) for _ in range(rng.randint(0, 4))]
    return parts if kind == 5 else {f"{i}[,": part for i, part in enumerate(parts)}


def values_in(value: Any) -> int:
    """Return how many marks there are: one per list or object, and one per value after its first."""
    inside = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(inside, list):
        return 0
    return 1 + max(0, len(inside) - 1) + sum(map(values_in, inside))


def test_values_are_counted_as_they_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    for _ in range(2000):
        value = [random_value(rng)]
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
        count = values_in(value)
        assert values_at_most(text) == values_at_most(text.encode()) >= count
        for most, refused in ((count, False), (count - 1, True)):
            monkeypatch.setattr(json_values, "MOST_VALUES", most)
            monkeypatch.setattr(json_values, "MOST_ROW_VALUES", most)
            monkeypatch.setattr(json_values, "BYTES_PER_VALUE", 10**9)
            assert refuses(require_few_values, text.encode(), "x") == refused, text
            assert refuses(require_few_row_values, text + '{"a":[[[]]]}') == refused, text


def refuses(check: Callable[..., None], *arguments: Any) -> bool:
    try:
        check(*arguments)
    except (UserError, ValueError):
        return True
    return False


@pytest.mark.parametrize("text", ['"' + 'a\\"' * 200_000, '"\\' * 200_000, "\\" * 400_001, '["'])
def test_texts_without_an_end_are_counted_in_linear_time(text: str) -> None:
    assert len(list(json_values._NEXT_VALUE.finditer(text.encode()))) <= 3
    require_few_row_values(text)


def test_marks_in_texts_are_not_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commas = {"a": ",[{" * 3_000_000}
    (tmp_path / "x.json").write_text(json.dumps(commas))
    assert read_json(tmp_path / "x.json") == commas
    (tmp_path / "x.jsonl").write_text(json.dumps(commas))
    assert read_rows(tmp_path / "x.jsonl") == [commas]
    (tmp_path / "y.json").write_text(json.dumps([commas, {"b": [1, 2]}, commas]))
    assert read_rows(tmp_path / "y.json") == [commas, {"b": [1, 2]}, commas]


def test_rows_of_a_list_are_each_counted_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (json_values, rows):
        monkeypatch.setattr(module, "MOST_ROW_VALUES", 40)
    few, many = {"a": list(range(30))}, {"a": list(range(41))}
    (tmp_path / "x.json").write_text(json.dumps([few] * 20))
    assert read_rows(tmp_path / "x.json") == [few] * 20
    (tmp_path / "x.json").write_text(json.dumps([few, few, many]))
    with pytest.raises(UserError, match="row 3: it has more than 40 values"):
        read_rows(tmp_path / "x.json")
    (tmp_path / "x.jsonl").write_text(json.dumps(few) + "\n" + json.dumps(many))
    with pytest.raises(UserError, match=r"line 2 .*: it has more than 40 values"):
        read_rows(tmp_path / "x.jsonl")


def test_usual_model_files_are_read(tmp_path: Path) -> None:
    """As large as the largest that are published."""
    vocabulary = {f"tokens{i}": i for i in range(262_000)}
    merges = [[f"a{i}", f"b{i}"] for i in range(515_000)]
    (tmp_path / "tokenizer.json").write_text(
        json.dumps({"model": {"vocab": vocabulary, "merges": merges}})
    )
    names = {f"model.layers.{i}.mlp.weight": f"model-{i}-of-99.safetensors" for i in range(92_000)}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    classes = {str(i): f"class number {i}, with some words" for i in range(22_000)}
    labels = {"id2label": classes, "label2id": {name: i for i, name in enumerate(classes.values())}}
    (tmp_path / "config.json").write_text(json.dumps(labels, indent=2))
    require_small_files(tmp_path)
    for path in tmp_path.iterdir():
        assert read_model_json(path)
