"""What is wrong with questions is found before the first answer: all of it, by row."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import hub_data
import tiny
from paretoken.cli import main
from paretoken.data.rows import read_rows
from paretoken.evaluate.asking import max_new_tokens_of, read_question_file, require_answerable
from paretoken.evaluate.left_out import read_left_out
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.prediction import Prediction, Predictor

Row = dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tiny.save_prepared_world(tmp_path_factory.mktemp("world"))
    tiny.save_model(folder)
    body = bytearray((folder / "images" / "0.png").read_bytes())
    body[200:260] = bytes(60)  # header and end stay what they are
    (folder / "images" / "damaged.png").write_bytes(body)
    return folder


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No question may be answered."""
    monkeypatch.setattr(Predictor, "answer", lambda *given: pytest.fail("it answers"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question is answered with its own id."""

    def answer(self: Predictor, questions: Any, progress: Any = None) -> list[Prediction]:
        return [Prediction(question.id, 1) for question in questions]

    monkeypatch.setattr(Predictor, "answer", answer)


def question(number: int, **changes: Any) -> Row:
    return {"question_id": f"q{number}", "image": f"{number}.png", "question": "what colour is it ?",
            "answer": "red", **changes}  # fmt: skip


def write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def predict(world: Path, sources: list[Path], *options: Any, images: str = "images") -> int:
    out = [source.with_suffix(".parquet") for source in sources]
    words = ["predict", "--model", world / "model", f"--{images}", world / images,
             "--questions", *sources, "--out", *out, *options]  # fmt: skip
    return main([str(word) for word in words])


def spoiled() -> dict[str, tuple[Callable[[Row], None], str]]:
    """Ways to spoil a question, and what is said about it."""
    return {
        "missing": (lambda row: row.update(image="nope.png"), "image 'nope.png'"),
        "damaged": (lambda row: row.update(image="damaged.png"), "damaged.png"),
        "null": (lambda row: row.update(image=None), "its image is empty; if it is about text only"),
        "blank": (lambda row: row.update(image=""), "its image is empty; if it is about text only"),
        "places": (
            lambda row: row.update(question="<image> or <image> ?"),
            "2 placeholders for 1 image",
        ),
        "place": (lambda row: row.update(image=[], question="<image> ?"), "1 placeholder for 0 images"),
        "hole": (
            lambda row: row.update(image=["1.png", None]),
            "entry 2 of its list of images is empty",
        ),
        "long": (lambda row: row.update(question="it is red " * 90), "has 256 positions"),
        "id": (lambda row: row.update(question_id="q0"), "its question_id appears twice, in row 1 too"),
        "no id": (lambda row: row.pop("question_id"), "it has no question_id"),
        "no text": (lambda row: row.update(question=" "), "it has no question"),
        "misspelt": (
            lambda row: row.update(imgae=row.pop("image")),
            "unknown key 'imgae'; write 'image'",
        ),
        "no answer": (lambda row: row.update(answer=[]), "it has no answer"),
    }


@pytest.mark.parametrize("images", ["images", "features"])
@pytest.mark.parametrize("way", spoiled())
@pytest.mark.usefixtures("silent")
def test_one_bad_row_of_the_last_file_stops_before_the_first_answer(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str, images: str
) -> None:
    spoil, words = spoiled()[way]
    bad = question(23)
    spoil(bad)
    good = write(tmp_path / "good.jsonl", [question(i) for i in range(5)])
    last = write(tmp_path / "last.jsonl", [question(0), question(1), bad])
    assert predict(world, [good, last], images=images) == 2
    error = capsys.readouterr().err
    assert f"{last}: 1 of 3 rows is bad" in error
    assert "row 3 (question_id" in error
    assert words in error
    assert not list(tmp_path.glob("*.parquet"))


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"imgae": "0.png"}, "the unknown key 'imgae'; write 'image'"),
        ({"images": ["0.png"]}, "the unknown key 'images'; write 'image'"),
        ({"video": "0.mp4"}, "the unknown key 'video'; write 'image'"),
        ({"image": "0.png", "prompt": None, "prompts": "it ?"}, "it has no prompt"),
    ],
)
@pytest.mark.usefixtures("silent")
def test_rows_with_a_prompt_have_no_misspelt_keys(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], own: Row, words: str
) -> None:
    row = {"_id": "0", "prompt": "what colour is it ?", **own}
    assert predict(world, [write(tmp_path / "q.jsonl", [row])]) == 2
    assert words in capsys.readouterr().err
    del row["prompt"]
    renamed = {"text": "what colour is it ?", "image": "0.png"} | row
    assert predict(world, [write(tmp_path / "q.jsonl", [renamed])]) == 2
    assert "write 'prompt' (the whole prompt)" in capsys.readouterr().err


@pytest.mark.usefixtures("silent")
def test_all_problems_of_all_files_are_reported_at_once(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name in ("one", "two"):
        rows = [question(i) for i in range(20)]
        for row, (spoil, _) in zip(rows[2:], spoiled().values(), strict=False):
            spoil(row)
        files.append(write(tmp_path / f"{name}.jsonl", rows))
    assert predict(world, files, "--max-bad-share", "0.5") == 2
    error = capsys.readouterr().err
    for path in files:
        assert f"{path}: {len(spoiled())} of 20 rows are bad" in error
    for number, (_, words) in enumerate(spoiled().values(), start=3):
        lines = [line for line in error.splitlines() if f"- row {number} " in line]
        assert len(lines) == 2
        assert all(words in line for line in lines)


@pytest.mark.parametrize("way", spoiled())
@pytest.mark.usefixtures("quick")
def test_rows_within_the_share_are_left_out_listed_and_known_to_the_score(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    rows = [question(i) for i in range(20)]
    spoil, words = spoiled()[way]
    spoil(rows[7])
    source, score = write(tmp_path / "q.jsonl", rows), tmp_path / "score.json"
    assert predict(world, [source], "--max-bad-share", "0.05") == 0
    said = capsys.readouterr().out
    assert "19 answers; 1 row left out" in said
    assert "row 8: " in said
    answers = source.with_suffix(".parquet")
    assert {row["question_id"] for row in read_rows(answers)} == {f"q{i}" for i in range(20) if i != 7}
    assert list(read_left_out(answers)) == [8]
    assert words in read_left_out(answers)[8]
    line = ["score", "--benchmark", "exact_match", "--predictions", str(answers), "--out", str(score)]
    assert main([*line, "--questions", str(source)]) == 0
    assert "1 question was left out" in capsys.readouterr().out
    content = json.loads(score.read_text())
    assert (content["n"], content["left_out"]) == (19, 1)
    # What was not left out is still missed.
    more = write(tmp_path / "more.jsonl", [*rows, question(30)])
    assert main([*line, "--questions", str(more)]) == 2
    assert "lacks 1 of 20 questions, for example question_id 'q30'" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_a_file_without_bad_rows_says_nothing_about_them(world: Path, tmp_path: Path) -> None:
    source, score = write(tmp_path / "q.jsonl", [question(i) for i in range(3)]), tmp_path / "s.json"
    assert predict(world, [source]) == 0
    answers = source.with_suffix(".parquet")
    assert read_left_out(answers) == {}
    assert main(["score", "--benchmark", "exact_match", "--predictions", str(answers), "--questions",
                 str(source), "--out", str(score)]) == 0  # fmt: skip
    assert "left_out" not in json.loads(score.read_text())


@pytest.mark.usefixtures("silent")
def test_a_file_with_only_bad_rows_asks_no_questions(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "q.jsonl", [question(0, image="nope.png")])
    assert predict(world, [source], "--max-bad-share", "1") == 2
    assert "no valid question is left" in capsys.readouterr().err


def test_questions_about_text_are_asked(world: Path, tmp_path: Path) -> None:
    keyless = {key: value for key, value in question(1).items() if key != "image"}
    mixed = write(tmp_path / "mixed.jsonl", [question(0), keyless, question(2, image=[])])
    alone = write(tmp_path / "alone.jsonl", [{**keyless, "question_id": str(i)} for i in range(2)])
    files = [read_question_file(path, 2) for path in (mixed, alone)]
    require_answerable(files, open_predictor(world / "model", images=world / "images"))
    assert [len(asked.questions) for asked in files] == [3, 2]


def test_a_model_that_sees_no_picture_is_asked_without_them(world: Path, tmp_path: Path) -> None:
    predictor = open_predictor(world / "model", images=world / "images")
    rows = [question(0), question(1, image=None), question(2, image="nope.png")]
    asked = read_question_file(write(tmp_path / "q.jsonl", rows), 2)
    predictor.model.config.visual_tokens = 0
    require_answerable([asked], predictor)
    assert len(asked.questions) == 3


def test_the_positions_count_pictures_and_the_longest_answer(world: Path, tmp_path: Path) -> None:
    predictor = open_predictor(world / "model", images=world / "images")
    asked = read_question_file(write(tmp_path / "q.jsonl", [question(0)]), 1)
    (text,) = predictor.encoder.prompts([asked.questions[0].prompt()])
    length = len(text) - 1 + 4
    (only,) = read_question_file(tmp_path / "q.jsonl", 1).questions
    assert predictor.misfits([only], 256 - length) == {}
    assert (
        f"has {length} tokens and its answer up to {257 - length}; the model has 256"
        in (predictor.misfits([only], 257 - length)[0])
    )
    predictor.adaptive = True  # pictures may need all of their 36 patches
    assert predictor.misfits([only], 256 - length - 32) == {}
    assert 0 in predictor.misfits([only], 257 - length - 32)


def test_pictures_are_decoded_once_each(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = open_predictor(world / "model", images=world / "images")
    opened: list[str] = []
    source: Any = predictor.visual
    read = source.source.open
    monkeypatch.setattr(source.source, "open", lambda name: (opened.append(name), read(name))[1])
    rows = [question(i, image=f"{i % 3}.png") for i in range(9)]
    files = [read_question_file(write(tmp_path / f"{n}.jsonl", rows), 2) for n in range(2)]
    told: list[tuple[int, int]] = []
    require_answerable(files, predictor, progress=lambda done, total: told.append((done, total)))
    assert sorted(opened) == ["0.png", "1.png", "2.png"]
    assert told == [(1, 3), (2, 3), (3, 3)]


def benchmark(tmp_path: Path, name: str, *options: str) -> Path:
    """Return the questions of a small benchmark, as `paretoken questions` writes them."""
    {"mme": hub_data.write_mme, "gqa": hub_data.write_gqa, "mmmu": hub_data.write_mmmu}[name](
        tmp_path / "hub"
    )
    assert main(["questions", "--benchmark", name, "--source", str(tmp_path / "hub"),
                 "--out", str(tmp_path / name), *options]) == 0  # fmt: skip
    return tmp_path / name


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("name", ["mme", "gqa", "mmmu"])
@pytest.mark.usefixtures("silent")
def test_a_missing_picture_of_a_benchmark_is_never_ignored(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, every: bool
) -> None:
    import pandas as pd

    folder = benchmark(tmp_path, name)
    path = folder / "questions.parquet"
    predictor = open_predictor(world / "model", images=folder / "images")
    whole = read_question_file(path, 2)
    require_answerable([whole], predictor)  # MMMU asks one question without a picture
    showing = [row for row, found in whole.good.items() if found.images]
    lost = showing if every else showing[:1]
    table = pd.read_parquet(path)
    table["image"] = [
        ([] if name == "mmmu" else None) if row in lost else value
        for row, value in enumerate(table["image"], start=1)
    ]
    table.to_parquet(path)
    line = ["predict", "--model", world / "model", "--images", folder / "images",
            "--questions", path, "--out", tmp_path / "p.parquet"]  # fmt: skip
    assert main([str(word) for word in line]) == 2
    error = capsys.readouterr().err
    assert f"{len(lost)} of {len(table)} rows {'is' if len(lost) == 1 else 'are'} bad" in error
    assert len(re.findall(f"pictures? that {name} shows", error)) == len(lost)


def test_a_benchmark_may_ask_about_text(world: Path, tmp_path: Path) -> None:
    source = write(
        tmp_path / "questions.jsonl",
        [{"_id": str(i), "prompt": "what ?", "image": image} for i, image in enumerate(("0.png", None))],
    )
    predictor = open_predictor(world / "model", images=world / "images")
    for variant, bad in (("full", {}), (None, {2: "it has 0 of the 1 picture that scienceqa shows"})):
        record = {"benchmark": "scienceqa", "variant": variant}
        (tmp_path / "run.json").write_text(json.dumps(record))
        asked = read_question_file(source, 2)
        require_answerable([asked], predictor, share=0.5)
        assert asked.bad == bad


@pytest.mark.parametrize("stored", [0, -1, None, "16", 2.5, True])
def test_the_longest_answer_beside_the_questions_is_a_number_or_an_error(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], stored: Any
) -> None:
    source = write(tmp_path / "q.jsonl", [question(0)])
    assert max_new_tokens_of(source, 16) == 16
    (tmp_path / "run.json").write_text(json.dumps({"max_new_tokens": stored}))
    assert predict(world, [source]) == 2
    assert f"max_new_tokens is {stored!r}" in capsys.readouterr().err
    (tmp_path / "run.json").write_text(json.dumps({"max_new_tokens": 7}))
    assert max_new_tokens_of(source, 16) == 7


@pytest.mark.usefixtures("silent")
def test_answers_that_could_not_be_written_are_not_given(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "q.jsonl", [question(0)])
    source.with_suffix(".parquet").mkdir()
    assert predict(world, [source]) == 2
    assert "cannot be written: it is a folder" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    source.with_suffix(".parquet").rmdir()
    assert predict(world, [source], "--out-latency", tmp_path / "file" / "l.json") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert predict(world, [source], "--out-latency", source) == 2
    assert "would overwrite an input" in capsys.readouterr().err


@pytest.mark.usefixtures("silent")
def test_answers_never_take_the_name_of_a_column(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"_id": "1", "prompt": "what ?", "prediction": "red"}]
    assert predict(world, [write(tmp_path / "q.jsonl", rows)]) == 2
    assert "have a column 'prediction', which is reserved for answers" in capsys.readouterr().err
