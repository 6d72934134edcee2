"""Fuzz `tokenize`; `train` and `features` use the same rows."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from fuzzing.cases import Attempt, Outcome
from fuzzing.mutations import mutate_often
from fuzzing.stored import damage_text, read_again, write_rows

ANSWERS = ["red", "it is grey .", "1998", "2", "你好", "🙂 yes", "two\nlines", "is it ?", "0.5", "x"]


def base_rows(rng: Random) -> list[dict[str, Any]]:
    """Return valid conversations: with and without image, with several turns, some of odd form."""
    rows: list[dict[str, Any]] = []
    for number in range(6):
        said = rng.sample(ANSWERS, 2)
        turns = [("human", "<image>\nwhat colour is it ?"), ("gpt", said[0])]
        turns += [("human", "what is it ?"), ("gpt", said[1])] * (number % 2)
        row = {"id": str(number), "image": f"{number}.png", "conversations": _turns(turns)}
        rows.append(row)
    rows[0]["conversations"][0]["value"] = "what colour is it ?"  # the image's place is implied
    rows[1]["conversations"][0]["value"] = "what colour is it ?\n<image>"
    rows[2]["conversations"].append({"from": "human", "value": "is it red ?"})
    rows[3]["conversations"].insert(0, {"from": "gpt", "value": "hello"})
    rows[4] = {"id": 4, "conversations": _turns([("human", "is it ?"), ("gpt", "no")]), "model": ""}
    return rows


def _turns(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"from": role, "value": text} for role, text in pairs]


def tokenize(rng: Random, folder: Path, world: Path, changed: bool) -> Attempt:
    """Tokenize changed rows with a byte-level tokenizer."""
    rows: Any = base_rows(rng)
    data, out = folder / f"rows{rng.choice(['.json', '.jsonl'])}", folder / "tokens"
    words = ""
    if changed:
        rows, words = mutate_often(rng, rows)
    write_rows(data, rows)
    if changed and not words:
        words = f"rows {damage_text(rng, data)}"
    template = rng.choice(["chat", "chat", "chatml", "plain"]) if changed else "chat"
    bad = rng.choice(["0", "0", "0.5"]) if changed else "0"
    line: list[str | Path] = ["tokenize", "--data", data, "--llm", world / "bytes", "--out", out]
    line += ["--template", template, "--max-bad-share", bad]

    def judge(outcome: Outcome) -> list[str]:
        found = read_again(data)
        if found is None:
            return ["the file is not JSON in UTF-8, but was accepted"]
        if any(map(odd_edge, found)):
            return []
        problems = [row_problem(row, template) for row in found]
        kept = [row for row, problem in zip(found, problems, strict=True) if problem is None]
        wrong = [f"row {n}: {p}" for n, p in enumerate(problems, 1) if p] if bad == "0" else []
        if len(problems) - len(kept) > float(bad) * len(found):
            wrong.append("more rows are bad than --max-bad-share allows")
        return wrong or encoded_problems(out, world / "bytes", kept, template)

    return Attempt(line, words, [out], judge)


def row_problem(row: Any, template: str = "chat") -> str | None:
    """Return why a row must not be used; it does not use the product's code."""
    if not isinstance(row, Mapping) or misspelt_image(row):
        return "is not an object" if not isinstance(row, Mapping) else "has a key that looks like image"
    image, turns = row.get("image"), kept_turns(row)
    if not (image is None or isinstance(image, str)) or turns is None:
        return f"its image is {ascii(image)[:60]}" if turns else "its conversation is malformed"
    if template == "plain" and (len(turns) != 2 or not image):
        return "plain takes one image, one question and one answer"
    return (name_problem(image) if image else None) or _place_problem(image, turns)


def _place_problem(image: str | None, turns: list[str]) -> str | None:
    places = [index for index, text in enumerate(turns) for _ in range(text.count("<image>"))]
    if len(places) > (1 if image else 0) or any(place % 2 for place in places):
        return f"{len(places)} placeholders for image {image!r}"
    return None


def misspelt_image(row: Any) -> bool:
    """Return whether a row has no image, but a key that looks like it."""
    return isinstance(row, Mapping) and "image" not in row and any(map(_like_image, row))


def _like_image(key: Any) -> bool:
    return str(key).lower().strip("_ ") in ("image", "images", "img", "image_path", "imag")


def name_problem(name: str) -> str | None:
    """Return why a text cannot be a file name in a folder of images; None if it can."""
    parts = name.split("/")
    bad = not name.strip() or name[0] in "/~" or ".." in parts or "\\" in name or "\0" in name
    return (
        f"its image name {name[:60]!r} cannot be in a folder of images" if bad or _half(name) else None
    )


def _half(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def kept_turns(row: Mapping[str, Any]) -> list[str] | None:
    """Return the alternating texts of questions and answers; None if the row has no such texts."""
    turns = row.get("conversations")
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        return None
    pairs = [(turn.get("from"), turn.get("value")) for turn in turns]
    if pairs and pairs[0][0] == "gpt":
        pairs = pairs[1:]
    if len(pairs) % 2 and pairs[-1][0] == "human":
        pairs = pairs[:-1]
    roles = [role for role, _ in pairs]
    texts = [text for _, text in pairs]
    if not pairs or roles != ["human", "gpt"] * (len(pairs) // 2):
        return None
    bad = any(not isinstance(text, str) or not text.strip() or _half(text) for text in texts)
    return None if bad else [text.strip() for text in texts]


def odd_edge(row: Any) -> bool:
    """Return whether a first or last turn, which may be left out, has an odd form.

    A leading answer and a final question are left out, so such a row may be used or not.
    """
    turns = row.get("conversations") if isinstance(row, Mapping) else None
    if not isinstance(turns, list) or not turns:
        return False
    edges = [turn for turn in (turns[0], turns[-1]) if isinstance(turn, Mapping)]
    return any(not isinstance(turn.get("value"), str) or not turn["value"].strip() for turn in edges)


def encoded_problems(out: Path, llm: Path, rows: list[Any], template: str) -> list[str]:
    """Return the differences between stored tokens and their rows."""
    index = json.loads((out / "index.json").read_text())
    arrays = {name: np.load(out / f"{name}.npy") for name in ("ids", "learned", "offsets", "images")}
    if len(arrays["images"]) != len(rows):
        return [f"{len(arrays['images'])} conversations were stored, {len(rows)} are good"]
    tokenizer, problems = Tokenizer.from_file(str(llm / "tokenizer.json")), []
    for number, (start, end) in enumerate(pairwise(arrays["offsets"])):
        ids, learned = arrays["ids"][start:end], arrays["learned"][start:end]
        row, place = rows[number], arrays["images"][number]
        stored = index["images"][place] if place >= 0 else None
        if stored != (row.get("image") or None):
            problems.append(f"conversation {number}: image {stored!r} instead of {row.get('image')!r}")
        if int((ids == index["image_token_id"]).sum()) != (stored is not None):
            problems.append(f"conversation {number}: placeholders do not match its image")
        answers = (kept_turns(row) or [])[1::2]
        problems += _answer_problems(number, tokenizer, ids, learned, answers)
    return problems


def _answer_problems(
    number: int, tokenizer: Tokenizer, ids: Any, learned: Any, answers: list[str]
) -> list[str]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], learned.astype(np.int8), [0]])))
    runs = list(zip(edges[::2], edges[1::2], strict=True))
    if len(runs) != len(answers):
        return [f"conversation {number}: {len(runs)} learned parts for {len(answers)} answers"]
    problems = []
    for (start, end), answer in zip(runs, answers, strict=True):
        text = tokenizer.decode(ids[start:end].tolist(), skip_special_tokens=False)
        if not text.startswith(unicodedata.normalize("NFC", answer)):
            problems.append(f"conversation {number}: learns {text[:60]!r}, not {answer[:60]!r}")
    return problems
