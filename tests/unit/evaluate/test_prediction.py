from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hub_data
import tiny
from paretoken.cli import main
from paretoken.data.features import FeatureStore
from paretoken.data.labels import ChatEncoder
from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.data.tokenizers import load_tokenizer
from paretoken.errors import UserError
from paretoken.evaluate.latency import measure_latency
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.prediction import Predictor
from paretoken.evaluate.questions import Question, parse_questions
from paretoken.model_files.pretrained import weights_hash
from paretoken.models.assemble import Choice, FeatureLayers, assemble
from paretoken.models.vision import read_vision_config
from standins.models import save_qwen


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights (answers differ by image) beside its questions."""
    torch.set_num_threads(1)
    folder = tiny.save_prepared_world(tmp_path_factory.mktemp("world"))
    tiny.save_model(folder)
    return folder


def mixed(world: Path) -> list[Question]:
    """Questions of several lengths, several of them on one image."""
    asked = parse_questions(read_rows(world / "questions.jsonl"), Skips("questions"))
    more = [
        Question(f"{q.id}{i}", q.image, text, q.answers)
        for q in asked[:6]
        for i, text in enumerate(("what is it ?", "red ?", "is it red ? what is it ?"))
    ]
    return [*asked, *more]


def answers(world: Path, questions: Sequence[Question], batch: int) -> list[tuple[str, int]]:
    predictor = open_predictor(world / "model", world / "features", batch=batch, max_new_tokens=8)
    return [(p.text, p.generated_tokens) for p in predictor.answer(questions)]


def test_batched_answers_equal_those_given_one_by_one(world: Path) -> None:
    questions = mixed(world)
    together = answers(world, questions, batch=16)
    assert together == answers(world, questions, batch=1)
    assert len(set(together)) > 3  # or the comparison would show nothing


def test_an_answer_never_holds_the_place_of_an_image(world: Path, tmp_path: Path) -> None:
    """Where the embedding has more rows than the tokenizer has tokens, one is that of the image."""
    save_qwen(tmp_path / "llm", hidden=16)
    tokenizer = load_tokenizer(tmp_path / "llm")
    image_id = tokenizer.convert_tokens_to_ids("<image>")
    vision = read_vision_config(world / "vision")
    layers, choice = FeatureLayers((2, 3)), Choice("tokenpacker", 4, heads=4)
    model = assemble(tmp_path / "llm", vision, choice, layers, image_id, 0)
    predictor = Predictor(
        model.eval(), ChatEncoder(tokenizer), FeatureStore(world / "features"), max_new_tokens=4
    )

    def prefer(module: object, inputs: object, output: Any) -> Any:
        output.logits[..., image_id] += 1000
        return output

    model.register_forward_hook(prefer)
    (answer,) = predictor.answer(mixed(world)[:1])
    assert "<image>" not in answer.text
    assert answer.generated_tokens > 0


def test_features_are_read_once_per_image_and_batch(world: Path) -> None:
    predictor = open_predictor(world / "model", world / "features", batch=100)
    read: list[int] = []
    gather = predictor.visual.gather  # type: ignore[union-attr]
    predictor.visual.gather = lambda rows: (read.append(len(rows)), gather(rows))[1]  # type: ignore
    questions = mixed(world)
    predictor.answer(questions)
    assert len(questions) == 42
    assert read == [24]


def test_the_command_writes_one_row_per_question_in_order(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.parquet"
    line = ["predict", "--model", str(world / "model"), "--questions", str(world / "questions.jsonl"),
            "--out", str(out), "--batch", "5", "--out-latency", str(tmp_path / "l.json")]  # fmt: skip
    assert main([*line, "--features", str(world / "features")]) == 0
    stored = read_rows(out)
    assert list(stored[0]) == ["question_id", "prompt", "answer", "prediction", "generated_tokens"]
    assert [row["question_id"] for row in stored] == [f"q{i}" for i in range(24)]
    assert stored[0]["prompt"] == "<image>\nwhat colour is it ?"
    assert all(1 <= row["generated_tokens"] <= 16 for row in stored)
    latency = json.loads((tmp_path / "l.json").read_text())
    assert 0 < latency["quartiles_s"][0] <= latency["median_s"] <= latency["quartiles_s"][1]
    assert main([*line, "--images", str(world / "images")]) == 0
    assert [row["prediction"] for row in read_rows(out)] == [row["prediction"] for row in stored]


def test_what_does_not_fit_is_refused(world: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give --features or --images"):
        open_predictor(world / "model")
    with pytest.raises(UserError, match="is not a directory"):
        open_predictor(tmp_path / "none", world / "features")
    main(["features", "--vision", str(world / "vision"), "--images", str(world / "images"),
          "--data", str(world / "train.jsonl"), "--layers", "1", "3",
          "--out", str(tmp_path / "other")])  # fmt: skip
    with pytest.raises(
        UserError, match=r"layers \[1, 3\], not normalised, but the model was trained on"
    ):
        open_predictor(world / "model", tmp_path / "other")


def test_features_of_another_encoder_are_refused(world: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(world / "model", model)

    def change(**values: Any) -> None:
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps(config | values))

    change(encoder_hash=weights_hash(world / "vision"))
    open_predictor(model, world / "features")
    change(encoder_hash="of another one")
    with pytest.raises(UserError, match="come from another vision encoder"):
        open_predictor(model, world / "features")
    shutil.copytree(world / "features", tmp_path / "features")
    array = np.load(tmp_path / "features" / "features.npy")[:, :, :16]  # a grid of 4 x 4
    np.save(tmp_path / "features" / "features.npy", array)
    index = json.loads((tmp_path / "features" / "index.json").read_text())
    (tmp_path / "features" / "index.json").write_text(json.dumps(index | {"shape": list(array.shape)}))
    with pytest.raises(UserError, match=r"of the shape \[2, 16, 32\] \(layers, patches, width\)"):
        open_predictor(model, tmp_path / "features")


def test_bad_questions_are_refused_or_listed() -> None:
    good = {"question_id": "1", "question": "what ?", "answer": ["a", "b"], "image": None}
    bad = [
        {**good, "question_id": "2", "answer": ""},
        good,
        {**good, "question_id": "3", "question": " "},
    ]
    with pytest.raises(UserError, match="3 of 4 rows are bad"):
        parse_questions([good, *bad], Skips("questions"))
    skips = Skips("questions", 0.75)
    assert parse_questions([good, *bad], skips) == [Question("1", None, "what ?", ("a", "b"))]
    assert [reason for _, reason in skips.rows] == [
        "it has no answer (a text, or a list of accepted texts)",
        "its question_id appears twice, in row 1 too",
        "it has no question",
    ]


def test_latency_says_whether_it_includes_the_encoder(world: Path) -> None:
    questions = mixed(world)[:2]
    stored = open_predictor(world / "model", world / "features", max_new_tokens=1)
    online = open_predictor(world / "model", images=world / "images", max_new_tokens=1)
    apart, within = measure_latency(stored, questions), measure_latency(online, questions)
    assert (apart["includes_encoder"], within["includes_encoder"]) == (False, True)
    assert apart["encoder_median_s"] > 0
    assert within["encoder_median_s"] is None
    for found in (apart, within):
        assert 0 < found["quartiles_s"][0] <= found["median_s"] <= found["quartiles_s"][1]


def test_a_stored_model_answers_by_hand_as_the_command_does(world: Path) -> None:
    from transformers import AutoModelForImageTextToText

    from paretoken.evaluate.processor import Processor

    questions = mixed(world)[20:30]
    model = AutoModelForImageTextToText.from_pretrained(world / "model")
    processor = Processor.from_pretrained(world / "model")
    inputs = processor(
        [world / "images" / (q.image or "") for q in questions], [q.text for q in questions]
    )
    by_hand = processor.decode(model.generate(**inputs, max_new_tokens=8, do_sample=False), inputs)
    assert by_hand == [text for text, _ in answers(world, questions, batch=4)]
    with pytest.raises(UserError, match="0 images for 1 question"):
        processor([], ["what ?"])


def test_a_hub_benchmark_is_asked_and_scored_with_its_own_columns(world: Path, tmp_path: Path) -> None:
    """MMMU: no image, one, or two in a question; then MME, whose ids are shared by two questions."""
    hub_data.write_mmmu(tmp_path / "mmmu-hub")
    hub_data.write_mme(tmp_path / "mme-hub")
    for name, columns in (("mmmu", {"id", "options"}), ("mme", {"question_id", "category"})):
        asked, answers, score = (tmp_path / f"{name}{end}" for end in ("", ".parquet", ".json"))
        assert main(["questions", "--benchmark", name, "--source", str(tmp_path / f"{name}-hub"),
                     "--out", str(asked)]) == 0  # fmt: skip
        assert main(["predict", "--model", str(world / "model"), "--images", str(asked / "images"),
                     "--questions", str(asked / "questions.parquet"), "--batch", "4",
                     "--out", str(answers)]) == 0  # fmt: skip
        rows = read_rows(answers)
        assert columns | {"_id", "question", "answer", "prompt", "prediction"} <= set(rows[0])
        assert "image" not in rows[0]
        assert main(["score", "--benchmark", name, "--predictions", str(answers), "--questions",
                     str(asked / "questions.parquet"), "--out", str(score)]) == 0  # fmt: skip
        content = json.loads(score.read_text())
        assert content["n"] == len(rows) == {"mmmu": 3, "mme": 6}[name]
    first = read_rows(tmp_path / "mmmu.parquet")[0]["prompt"]
    assert first.startswith("<image><image>\nIs <image 2> or <image 1> red?\nA. red\nB. blue\n\n")


def test_the_order_of_several_images_matters(world: Path) -> None:
    predictor = open_predictor(world / "model", world / "features", max_new_tokens=8)
    names = ["0.png", "1.png", "2.png", "3.png", "5.png"]
    asked = [Question(f"{a}{b}", a, "what is it ?", (), (b,)) for a in names for b in names if a != b]
    together = [p.text for p in predictor.answer(asked)]
    alone = [predictor.answer([question])[0].text for question in asked]
    assert together == alone
    assert len(set(together)) > 2


def test_prompts_and_images_must_match() -> None:
    row = {"_id": "1", "prompt": "<image> or <image> ?", "image": ["a", "b"], "x": 1}
    (question,) = parse_questions([row], Skips("questions"))
    assert (question.images, question.prompt()) == (("a", "b"), "<image> or <image> ?")
    assert question.columns == {"_id": "1", "x": 1}
    with pytest.raises(UserError, match="2 placeholders for 1 image"):
        parse_questions([{**row, "image": "a"}], Skips("questions"))
    with pytest.raises(UserError, match="its _id appears twice, in row 1 too"):
        parse_questions([row, row], Skips("questions"))


def test_a_lone_surrogate_makes_a_bad_question() -> None:
    good = {"question_id": "1", "question": "what ?", "answer": "a", "image": None}
    own = {"_id": "1", "prompt": "what ?", "image": None, "options": ["a"]}
    bad = [
        {**good, "question": "what \ud83d ?"},
        {**good, "answer": ["a", "\ud83d"]},
        {**good, "question_id": "\ud83d"},
        {**own, "prompt": "\ud83d"},
        {**own, "options": ["\ud83d"]},
        {**own, "image": "\ud83d.png"},
    ]
    skips = Skips("questions", 1.0)
    assert parse_questions(bad, skips) == []
    assert [reason.split(" holds half a character")[0] for _, reason in skips.rows] == [
        "its question", "its answer", "its question_id", "its prompt", "its columns", "its image"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"answer": ["a"]}, "column 'answer' of the questions cannot be stored"),
        ({"answer": 10**30}, "column 'answer' of the questions cannot be stored"),
        ({"meta": {}}, "column 'meta' of the questions cannot be stored: Cannot write struct type"),
        ({"meta": [{"a": {}}]}, "column 'meta' of the questions cannot be stored: Cannot write"),
        ({"hint": "x"}, "some questions have a column 'hint'"),
    ],
)
def test_questions_that_cannot_be_stored_are_refused_before_they_are_answered(
    world: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    second: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.setattr(Predictor, "answer", lambda *given: pytest.fail("it answers"))
    first = {"_id": "1", "prompt": "what ?", "answer": 1}
    if "meta" in second:  # a column of both rows
        first |= second
    rows = [first, {"_id": "2", "prompt": "why ?", "answer": 2} | second]
    (tmp_path / "q.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    line = ["predict", "--model", str(world / "model"), "--features", str(world / "features"),
            "--questions", str(tmp_path / "q.jsonl"), "--out", str(tmp_path / "p.parquet")]  # fmt: skip
    assert main(line) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["a.txt"], "predictions are stored as Parquet"),
        (["a"], "predictions are stored as Parquet"),
        (["a.parquet", "./a.parquet"], "would be written twice"),
        (["q.parquet"], "would overwrite an input"),
    ],
)
def test_answers_go_to_parquet_files_of_their_own(
    capsys: pytest.CaptureFixture[str], outputs: list[str], message: str
) -> None:
    asked = ["q.parquet"] * len(outputs)
    assert main(["predict", "--model", "none", "--questions", *asked, "--out", *outputs]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("generation_config.json", "{", "is not valid JSON"),
        ("generation_config.json", {"eos_token_id": "x"}, "eos_token_id = 'x'"),
        ("config.json", "{}", "does not hold a model of `paretoken train`"),
        ("config.json", "null", "must hold a JSON object"),
        ("config.json", {"image_token_id": 10**9}, "use the tokenizer that it was trained with"),
        ("config.json", {"text_config": {}}, "does not hold a model of `paretoken train`"),
        ("model.safetensors", "", "is not a whole safetensors file"),
    ],
)
def test_a_damaged_model_answers_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: Any, message: str
) -> None:
    tiny.save_vision(tmp_path / "vision")
    tiny.save_model(tmp_path)
    tiny.save_data(tmp_path, images=2)
    path = tmp_path / "model" / name
    text = content if isinstance(content, str) else json.dumps(json.loads(path.read_text()) | content)
    path.write_text(text)
    out = tmp_path / "answers.parquet"
    line = ["predict", "--model", str(path.parent), "--questions", str(tmp_path / "questions.jsonl")]
    assert main([*line, "--images", str(tmp_path / "images"), "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
