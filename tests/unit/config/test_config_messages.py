"""What is wrong with a record is told in this project's words, never in pydantic's."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

import paretoken
from feasible_studies import ROOT
from paretoken.config.error_messages import MESSAGES, describe
from paretoken.config.fields import Record
from paretoken.errors import UserError
from paretoken.train.recipe import read_recipe

#: Types of errors whose sentence comes from the record itself, or lists its keys.
OWN = {"problem", "value_error", "extra_forbidden"}
TRIED: tuple[Any, ...] = (
    None,
    True,
    "",
    " ",
    "maybe",
    "(0.9,0.99)",
    "1e400",
    "9" * 5000,
    "\ud800",
    0,
    -1,
    2.5,
    10**400,
    float("nan"),
    float("inf"),
    [],
    [[]],
    ["x"],
    [0.1] * 3,
    [0.9],
    {},
    {"x": 1},
    {1: 2},
    {"name": "x"},
    b"x",
)


def records() -> list[type[Record]]:
    """Return every record of the package."""
    folder = Path(paretoken.__file__).parent
    for file in folder.rglob("*.py"):
        if "Record)" in file.read_text():
            name = file.relative_to(folder.parent).with_suffix("").parts
            importlib.import_module(".".join(name))
    found, left = [], [Record]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if kind.__module__.startswith("paretoken.") and kind is not Record:
            found.append(kind)
    return sorted(found, key=lambda kind: kind.__name__)


RECORDS = records()


def refused(kind: type[Record], value: Any) -> Iterator[tuple[list[dict[str, Any]], list[str]]]:
    """Yield pydantic's errors and the sentences made of them."""
    try:
        kind.model_validate(value)
    except ValidationError as error:
        yield [dict(found) for found in error.errors()], list(describe(error, kind))


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_wrong_value_is_reported_in_a_message_of_the_project(kind: type[Record]) -> None:
    fields = [{name: value} for name in kind.model_fields for value in TRIED]
    for value in (*TRIED, *fields, {"no_such_key": 1}):
        for errors, sentences in refused(kind, value):
            assert {error["type"] for error in errors} <= {*MESSAGES, *OWN}
            for sentence in sentences:
                place = sentence.partition(" = ")[0].partition(":")[0]
                assert not any(
                    mark in place for mark in ("constrained", "literal[", "function", "[key]")
                )
                assert "Value error" not in sentence
                assert len(sentence) < 1500
                said = [e["msg"] for e in errors if e["type"] not in OWN]
                assert not any(words in sentence for words in said), sentence


def test_all_records_are_tried() -> None:
    names = {kind.__name__ for kind in RECORDS}
    assert {"Config", "Study", "Recipe", "LlmRecipe", "Manifest", "Site", "MiniatureSettings"} <= names


def optional_texts() -> Iterator[tuple[type[Record], str]]:
    for kind in RECORDS:
        for name, field in kind.model_fields.items():
            text = field.annotation is str or str in get_args(field.annotation)
            if text and field.default != "":  # the empty text is what one field means by default
                yield kind, name


@pytest.mark.parametrize(("kind", "name"), list(optional_texts()), ids=str)
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_text_is_not_the_default(kind: type[Record], name: str, value: str) -> None:
    ((errors, _),) = refused(kind, {name: value})
    assert any(error["loc"][:1] == (name,) for error in errors)


FINETUNE, PRETRAIN = (ROOT / f"workflow/recipes/llava_{name}.yaml" for name in ("finetune", "pretrain"))


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        (FINETUNE, "steps=5", "the file: give either steps or epochs; both are set"),
        (FINETUNE, "steps=5", "epochs=null"),
        (FINETUNE, "epochs=null", "neither is set"),
        (FINETUNE, "stage=pretrain", "learning_rates.llm has no meaning in pretrain; remove it"),
        (PRETRAIN, "learning_rates.llm=1e-3", "learning_rates.llm has no meaning in pretrain"),
        (FINETUNE, "learning_rates.llm=null", "learning_rates.llm is required in finetune; add it"),
        (FINETUNE, "packing=maybe", "packing = 'maybe': must be true or false"),
        (FINETUNE, "betas=(0.9,0.99)", "betas = '(0.9,0.99)': must be a list"),
        (FINETUNE, "betas=[0.9]", "betas[1]: is missing"),
        (FINETUNE, "betas=[0.9,0.9,0.9]", "write at most 2"),
        (
            FINETUNE,
            "micro_batch=many",
            "micro_batch = 'many': is not a whole number; write one, such as 16, or",
        ),
        (FINETUNE, "divergence=1", "divergence = 1: must be greater than 1"),
        (FINETUNE, "divergence=0.5", "must be greater than 1"),
        (FINETUNE, "workers=1000000000", "workers = 1000000000: must be 1,024 or less"),
        (FINETUNE, "deepspeed=''", "deepspeed: is empty"),
    ],
)
def test_a_change_of_a_recipe_is_refused_in_one_sentence(path: Path, change: str, words: str) -> None:
    key, _, value = change.partition("=")
    with pytest.raises(UserError) as error:
        read_recipe(path, path.stem.removeprefix("llava_"), [(key, value)])
    (line,) = str(error.value).splitlines()[1:]
    assert words in line
    assert "{" not in line
