"""Valid columns and right answers of each benchmark, written from the data sets."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

Row = Mapping[str, Any]
MME = {
    "existence",
    "count",
    "position",
    "color",
    "posters",
    "celebrity",
    "scene",
    "landmark",
    "artwork",
    "OCR",
    "commonsense_reasoning",
    "numerical_calculation",
    "text_translation",
    "code_reasoning",
}


def is_id(value: Any) -> bool:
    """Return whether a value can name a row: a text or an integer."""
    return (isinstance(value, str) and bool(value.strip())) or is_whole(value)


def is_whole(value: Any) -> bool:
    """Return whether a value is an integer, as a number and not as text."""
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and math.isfinite(value) and value == int(value)


def is_answer(value: Any) -> bool:
    """Return whether a value can be an answer: a text that is not blank, or a finite number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return not isinstance(value, float) or math.isfinite(value)
    return isinstance(value, str) and bool(value.strip())


def is_yes_or_no(value: Any) -> bool:
    """Return whether a value is yes or no, in upper or lower case."""
    return isinstance(value, str) and value.strip().strip(".").lower() in ("yes", "no")


def listed(value: Any) -> list[Any]:
    """Return a list, or the list that a text spells out; empty if it is neither."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return []
    return value if isinstance(value, list) else []


def are_answers(value: Any) -> bool:
    """Return whether a value is a list of answers, as texts or as records with an ``answer``.

    Some of the ten annotators may have left the answer blank, but not all of them.
    """
    each = [v.get("answer") if isinstance(v, Mapping) else v for v in listed(value)]
    return any(map(is_answer, each)) and all(isinstance(v, str) or is_answer(v) for v in each)


def is_number_of(options: str) -> Callable[[Row, Any], bool]:
    """Return a check that a value is the index, from 0, of one of a row's options."""

    def check(row: Row, value: Any) -> bool:
        number = value if is_whole(value) else int(value) if str(value).isdecimal() else -1
        return not isinstance(value, bool) and 0 <= number < len(listed(row.get(options)))

    return check


def _any(row: Row, value: Any) -> bool:
    return is_answer(value)


def _id(row: Row, value: Any) -> bool:
    return is_id(value)


def _list(row: Row, value: Any) -> bool:
    return are_answers(value)


def _yes_no(row: Row, value: Any) -> bool:
    return is_yes_or_no(value)


def _mmmu(row: Row, value: Any) -> bool:
    if row.get("question_type") == "open":
        return is_answer(value) or are_answers(value)
    return value in tuple("ABCDEFGH"[: len(listed(row.get("options")))])


def _mmmu_options(row: Row, value: Any) -> bool:
    return row.get("question_type") == "open" or are_answers(value)


def _mathvista_choices(row: Row, value: Any) -> bool:
    return row.get("question_type") != "multi_choice" or are_answers(value)


def _mathvista_answer(row: Row, value: Any) -> bool:
    if row.get("question_type") == "multi_choice":
        return value in [str(choice) for choice in listed(row.get("choices"))]
    return is_answer(value)


def _one_of(*names: str) -> Callable[[Row, Any], bool]:
    return lambda row, value: value in names


def _index(row: Row, value: Any) -> bool:
    return is_whole(value) or (isinstance(value, str) and value.isdecimal())


def _letter(row: Row, value: Any) -> bool:
    return value in [c for c in "ABCD" if is_answer(row.get(c)) and row[c] != "nan"]


#: Benchmark -> column -> check whether a row with this value may be scored.
COLUMNS: dict[str, dict[str, Callable[[Row, Any], bool]]] = {
    "exact_match": {"question_id": _id, "answer": lambda row, v: is_text(v) or are_texts(v)},
    "mme": {"question_id": _id, "category": _one_of(*MME), "answer": _yes_no},
    "gqa": {"answer": _any},
    "ai2d": {"options": _list, "answer": is_number_of("options")},
    "mmbench": {"index": _index, "answer": _letter},
    "mmmu": {
        "id": _id,
        "question_type": _one_of("multiple-choice", "open"),
        "options": _mmmu_options,
        "answer": _mmmu,
    },
    "scienceqa": {"choices": _list, "answer": is_number_of("choices")},
    "mathvista": {
        "pid": _id,
        "question_type": _one_of("multi_choice", "free_form"),
        "answer_type": _one_of("text", "integer", "float", "list"),
        "choices": _mathvista_choices,
        "answer": _mathvista_answer,
    },
    "pope": {"category": _id, "answer": _yes_no},
    "chartqa": {"answer": _any},
    "docvqa": {"answers": _list},
    "textvqa": {"answers": _list},
    "vizwiz": {"answers": _list},
    "vqav2": {"answers": _list},
}
#: The keys of the data sets; empty if a data set has none.
KEYS: dict[str, tuple[str, ...]] = {
    "exact_match": ("question_id",),
    "mme": ("question_id", "question"),
    "gqa": ("id",),
    "ai2d": (),
    "mmbench": ("index",),
    "mmmu": ("id",),
    "scienceqa": (),
    "mathvista": ("pid",),
    "pope": ("category", "question_id"),
    "chartqa": (),
    "docvqa": ("questionId",),
    "textvqa": ("question_id",),
    "vizwiz": ("question_id",),
    "vqav2": ("question_id",),
}


def is_text(value: Any) -> bool:
    """Return whether a value is a text that is not blank."""
    return isinstance(value, str) and bool(value.strip())


def are_texts(value: Any) -> bool:
    """Return whether a value is a list of one or more such texts."""
    return isinstance(value, list) and bool(value) and all(map(is_text, value))


def right_answer(benchmark: str, row: Row) -> str:
    """Return a prediction that is right for an unchanged row of a stand-in."""
    if benchmark in ("ai2d", "scienceqa"):
        return "ABCD"[int(row["answer"])]
    if benchmark in ("docvqa", "textvqa", "vizwiz"):
        return str(row["answers"][0])
    if benchmark == "vqav2":
        return str(row["multiple_choice_answer"])
    return str(row["answer"])


def row_problem(benchmark: str, row: Any) -> str | None:
    """Return why a row with a prediction cannot be scored; None if it can."""
    if not isinstance(row, Mapping):
        return "is not an object"
    said = row.get("prediction")
    one = isinstance(said, list) and len(said) == 1 and isinstance(said[0], str)
    if not (isinstance(said, str) or one):
        return f"its prediction is {ascii(said)[:60]}"
    for column, check in COLUMNS[benchmark].items():
        if not check(row, row.get(column)):
            return f"its {column} is {ascii(row.get(column))[-60:]}"
    return None


def repeated_key(benchmark: str, rows: list[Any]) -> str | None:
    """Return a duplicate key: ``_id`` or the data set's own; None if all are distinct."""
    for columns in (("_id",), KEYS[benchmark]):
        if columns and all(column in row for row in rows for column in columns):
            keys = [tuple(str(row[column]) for column in columns) for row in rows]
            duplicate = next((key for key in keys if keys.count(key) > 1), None)
            if duplicate is not None:
                return f"{', '.join(columns)} = {', '.join(duplicate)}"
    return None
