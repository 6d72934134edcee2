"""Bad configs are refused with every problem at once: the key, the value, what is allowed."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from paretoken.cli import main
from paretoken.config.config import load, parse
from paretoken.errors import UserError
from paretoken.io.yaml_files import read_yaml

GOOD = {
    "run": ["mine"],
    "llms": [{"name": "small", "params_b": 1}, {"name": "large", "params_b": 7},
             {"name": "huge", "params_b": 14}],
    "vision": [{"name": "clip", "grid": 24}],
    "studies": [
        {
            "name": "mine", "question": "?", "measured": "m.csv", "vision": "clip",
            "llms": ["small", "large"], "compressors": [{"name": "tokenpacker", "tokens": [1, 4]}],
            "suites": [{"name": "a", "title": "A", "role": "reasoning"}],
            "fit": {"laws": ["product", "additive"]},
        }
    ],
}  # fmt: skip


def config(*changes):
    """A good config with values put at dotted places, such as ("llms.0.params_b", -1)."""
    raw = copy.deepcopy(GOOD)
    for place, value in copy.deepcopy(changes):
        *way, last = [int(part) if part.isdigit() else part for part in place.split(".")]
        at = raw
        for part in way:
            at = at[part]
        if last == "+":
            at.append(value)
        else:
            at[last] = value
    return raw


def problems(*changes):
    with pytest.raises(UserError) as refused:
        parse(config(*changes))
    head, *lines = str(refused.value).splitlines()
    assert head == f"config.yaml has {len(lines)} problem(s):"
    return lines


STUDY = "studies.0"
TOKENS = "studies.0.compressors.0.tokens"


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        # unknown keys
        (
            "lms",
            [],
            ["lms", "unknown key", "run, device, llms, vision, data, studies", "did you mean 'llms'"],
        ),
        (f"{STUDY}.tokens", 3, ["studies[0].tokens", "unknown key", "text_tokens"]),
        (f"{STUDY}.fit.los", "l1", ["studies[0].fit.los", "did you mean 'loss'"]),
        ("llms.0.size", 3, ["llms[0].size", "name, params_b, hub"]),
        (f"{STUDY}.suites.0.weight", 1, ["suites[0].weight", "name, title, role"]),
        # duplicates
        ("llms.+", {"name": "small", "params_b": 2}, ["llms", "'small'", "2 records"]),
        ("vision.+", {"name": "clip", "grid": 16}, ["vision", "'clip'", "2 records"]),
        ("data", [{"name": "own", "manifest": "m", "root": "r"}] * 2, ["data", "'own'", "2 records"]),
        (f"{STUDY}.suites.+", {"name": "a", "title": "B", "role": "ocr"}, ["suites", "'a'", "2 times"]),
        (f"{STUDY}.compressors.+", {"name": "tokenpacker", "tokens": [9]}, ["'tokenpacker'", "2 times"]),
        (f"{STUDY}.llms", ["small", "small"], ["studies[0].llms", "small twice"]),
        (TOKENS, [4, 1, 4], ["tokens", "lists 4 twice"]),
        ("run", ["mine", "mine"], ["run", "mine twice"]),
        (f"{STUDY}.fit.laws", ["product", "product"], ["fit.laws", "product twice"]),
        (f"{STUDY}.seeds", [0, 0], ["seeds", "0 twice"]),
        # unknown names
        ("run", ["paper"], ["run", "unknown study 'paper'", "mine"]),
        ("run", "paper", ["run", "unknown study 'paper'", "mine"]),
        (f"{STUDY}.llms", ["smal"], ["unknown llm 'smal'", "small, large, huge", "mean 'small'"]),
        (f"{STUDY}.predict", ["tiny"], ["studies[0].predict", "unknown llm 'tiny'"]),
        ("device", "h1000", ["device", "unknown device 'h1000'", "a100-80g", "did you mean 'h100'"]),
        (f"{STUDY}.vision", "clap", ["unknown vision encoder 'clap'", "did you mean 'clip'"]),
        (f"{STUDY}.fit.laws", ["prduct"], ["unknown law 'prduct'", "additive", "mean 'product'"]),
        (f"{STUDY}.figures", ["fig9"], ["unknown figure 'fig9'", "fig1a"]),
        (f"{STUDY}.claims", ["nonsense"], ["unknown claim 'nonsense'"]),
        (f"{STUDY}.compressors.0.name", "pool", ["unknown compressor 'pool'", "tokenpacker"]),
        (f"{STUDY}.fit.loss", "mse", ["fit.loss", "'mse'", "'squared'", "'l1'"]),
        (f"{STUDY}.suites.0.role", "text", ["role", "'text'", "'reasoning'", "'ocr'"]),
        # sizes
        ("llms.0.params_b", -1, ["llms[0].params_b", "-1", "greater than 0"]),
        ("llms.0.params_b", 0, ["llms[0].params_b", "0", "greater than 0"]),
        ("llms.0.params_b", 7e9, ["llms[0].params_b", "7e+09", "billions"]),
        ("llms.0.params_b", True, ["llms[0].params_b", "true or false"]),
        ("llms.0.params_b", "seven", ["llms[0].params_b", "'seven'", "not a number", "1e-3"]),
        ("llms.0.params_b", float("nan"), ["llms[0].params_b", "nan"]),
        ("llms.0.params_b", float("inf"), ["llms[0].params_b", "inf", "finite"]),
        ("llms.0.params_b", None, ["llms[0].params_b", "None", "not a number"]),
        ("vision.0.grid", 0, ["vision[0].grid", "0", "1 or more"]),
        ("vision.0.grid", 23.5, ["vision[0].grid", "23.5", "whole number"]),
        (f"{STUDY}.fit.bootstrap", -1, ["bootstrap", "-1", "0 or more"]),
        (f"{STUDY}.fit.fix", ["K=1"], ["studies[0].fit", "alpha and beta can be fixed"]),
        (f"{STUDY}.fit.tie", ["alpha=gamma"], ["studies[0].fit", "'gamma' cannot be tied"]),
        (f"{STUDY}.fit.chance", 0, ["chance", "greater than 0"]),
        (f"{STUDY}.fit.huber_delta", 0, ["huber_delta", "greater than 0"]),
        # token counts
        (TOKENS, [7], ["cannot make 7 tokens", "24 x 24", "1, 4, 9, 16, 36, 64, 144, 576"]),
        (TOKENS, [0], ["tokens[0] = 0", "1 or more"]),
        (TOKENS, [-4], ["tokens[0] = -4", "1 or more"]),
        (TOKENS, [True], ["tokens[0]", "true or false"]),
        (TOKENS, [1.5], ["tokens[0] = 1.5", "whole number"]),
        (TOKENS, "4", ["tokens = '4'", "must be a list"]),
        # empty grids
        (TOKENS, [], ["tokens", "empty"]),
        (f"{STUDY}.llms", [], ["studies[0].llms", "empty"]),
        (f"{STUDY}.compressors", [], ["compressors", "empty"]),
        (f"{STUDY}.suites", [], ["suites", "empty"]),
        (f"{STUDY}.text_tokens", [], ["text_tokens", "empty"]),
        (f"{STUDY}.fit.laws", [], ["laws", "empty"]),
        ("run", [], ["run", "empty"]),
        # hold-outs
        (
            f"{STUDY}.holdout",
            ["huge"],
            ["holdout", "'huge' is not in the grid", "small, large", "predict"],
        ),
        (f"{STUDY}.holdout", ["small", "large"], ["holdout", "every size"]),
        (f"{STUDY}.holdout", ["large", "large"], ["holdout", "large twice"]),
        # shapes and names
        ("llms.0.name", "..", ["llms[0].name", "'..'", "lower-case"]),
        ("llms.2.name", "a/b", ["llms[2].name", "'a/b'", "lower-case"]),
        ("llms.2.name", "a\n", ["llms[2].name", "lower-case"]),
        ("llms.2.name", 3, ["llms[2].name = 3", "quotes"]),
        ("llms.0", "small", ["llms[0] = 'small'", "must be a record"]),
        ("llms.0.name", b"small", ["llms[0].name: is binary"]),
        (f"{STUDY}.llms.0", ["small"], ["studies[0].llms[0]", "must be text"]),
    ],
)
def test_a_bad_value_is_named_with_its_place_and_what_is_allowed(place, value, words):
    lines = problems((place, value))
    assert any(all(word in line for word in words) for line in lines), lines


def test_all_problems_are_told_at_once():
    lines = problems(
        ("lms", []), ("llms.0.params_b", -1), (TOKENS, [1, 7, 11]), (f"{STUDY}.vision", "clip"),
        (f"{STUDY}.fit.laws", ["prduct"]), (f"{STUDY}.figures", ["fig9", "fig10"]),
        (f"{STUDY}.holdout", ["huge"]), (f"{STUDY}.llms", ["small", "larg"]), ("run", ["paper"]),
    )  # fmt: skip
    text = "\n".join(lines)
    for word in ("lms", "-1", " 7 ", " 11 ", "prduct", "fig9", "fig10", "huge", "larg", "paper"):
        assert word in text, word
    assert len(lines) == 10


@pytest.mark.parametrize("key", ["run", "llms", "vision", "studies"])
def test_a_missing_key_is_named(key):
    raw = config()
    del raw[key]
    with pytest.raises(UserError, match=f"{key}: is missing"):
        parse(raw)


@pytest.mark.parametrize(
    "raw", [{}, {"studies": None}, {"llms": 3, "studies": [None]}, {"studies": {"a": 1}}]
)
def test_malformed_configs_are_user_errors(raw):
    with pytest.raises(UserError, match="problem"):
        parse(raw)


def test_the_origin_is_named():
    with pytest.raises(UserError, match=r"^mine\.yaml has 1 problem"):
        parse(config(("lms", 1)), origin="mine.yaml")


def test_numbers_written_as_text_are_accepted():
    delta = {"loss": "huber", "huber_delta": "1e-3"}
    parsed = parse(config(("llms.0.params_b", "1e-3"), (f"{STUDY}.fit", delta)))
    assert parsed.llms[0].params_b == 0.001
    assert parsed.studies[0].fit.huber_delta == 0.001


@pytest.mark.parametrize(
    "changes", [[(TOKENS, ["7"])], [(TOKENS, [7.0])], [(TOKENS, [7]), ("vision.0.grid", "24")]]
)
def test_unreachable_counts_written_as_text_are_refused(changes):
    assert any("cannot make 7 tokens" in line for line in problems(*changes))


def test_one_study_may_be_named_without_brackets():
    assert parse(config(("run", "mine"))).run == ["mine"]


def test_a_good_config_is_typed():
    parsed = parse(config((f"{STUDY}.predict", ["huge"]), (f"{STUDY}.holdout", ["large"])))
    study = parsed.study("mine")
    assert study.llms == ["small", "large"]
    assert study.seeds == [0]
    frozen = parsed.freeze("mine")
    assert [llm.name for llm in frozen.llms] == ["small", "large", "huge"]
    assert frozen.params_b("huge") == 14
    assert frozen.vision.grid == 24
    with pytest.raises(UserError, match="unknown llm 'tiny'"):
        frozen.params_b("tiny")
    with pytest.raises(UserError, match="unknown study 'other'"):
        parsed.study("other")


def test_a_frozen_study_holds_only_what_it_refers_to():
    assert [llm.name for llm in parse(config()).freeze("mine").llms] == ["small", "large"]


def test_a_study_is_frozen_once_however_many_jobs_ask():
    parsed = parse(config())
    assert parsed.freeze("mine") is parsed.freeze("mine")
    assert parsed == parse(config())  # what was asked of it is no part of it
    other = parsed.model_copy(
        update={"studies": [parsed.study("mine").model_copy(update={"seeds": [7]})]}
    )
    assert other.freeze("mine").study.seeds == [7]


def test_records_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        parse(config()).llms[0].params_b = 3


def test_the_shipped_config_is_good(project):
    parsed = load(project / "config.yaml")
    assert "published" in [study.name for study in parsed.studies]
    assert parsed.run
    assert read_yaml(project / "config.yaml")["llms"], "a list of records"


TRAINING = {
    "data": "world",
    "layers": [2, 3],
    "projector_width": 128,
    "recipes": {"pretrain": "p.yaml", "finetune": "f.yaml"},
    "templates": {"pretrain": "chat", "finetune": "chat"},
}
TRAINED = [
    (f"{STUDY}.measured", None),
    (f"{STUDY}.training", TRAINING),
    ("data", [{"name": "world", "world": {"recipe": "w.yaml", "seed": 1}}]),
    ("llms.0.make", {"recipe": "l.yaml", "width": 16}),
    ("llms.1.make", {"recipe": "l.yaml", "width": 48}),
    ("vision.0.make", {"recipe": "v.yaml"}),
    (f"{STUDY}.suites.0.benchmarks", ["fact"]),
]


def test_a_study_is_measured_or_trained_and_not_both():
    both = "studies[0]: needs either measured: (a table of errors) or training:"
    assert any(both in line for line in problems((f"{STUDY}.measured", None)))
    assert any(both in line for line in problems((f"{STUDY}.training", TRAINING)))
    measured, trained = parse(config()).freeze("mine"), parse(config(*TRAINED)).freeze("mine")
    assert (measured.data, measured.generated, measured.fetched) == (None, False, False)
    assert (trained.data.name, trained.world.seed) == ("world", 1)
    assert (trained.generated, trained.fetched) == (True, False)


ORIGIN = "needs one of manifest: (downloaded data), folder: (your own data) and world: (generated"
TOGETHER = "manifest and root belong together"


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        # models of a generated world are made
        ("llms.1.make", None, ["studies[0].llms", "'large' has no make", "generated world"]),
        ("llms.1", {"name": "large", "params_b": 7, "hub": "org/large"},
         ["studies[0].llms", "'large' has no make", "(recipe, and width for a language model)"]),
        ("vision.0", {"name": "clip", "grid": 24, "hub": "org/clip"},
         ["studies[0].vision", "'clip' has no make"]),
        ("llms.1.hub", "org/large", ["llms[1]: has make and hub", "made or fetched"]),
        ("vision.0.hub", "org/clip", ["vision[0]: has make and hub", "made or fetched"]),
        ("llms.1.revision", "v1", ["llms[1]: has make and revision", "made or fetched"]),
        ("vision.0.revision", "v1", ["vision[0]: has make and revision", "made or fetched"]),
        ("llms.1.params", 10_000, ["llms[1]: has make and params", "made or fetched"]),
        ("llms.1.width", 48, ["llms[1].width", "was removed", "make: {recipe:"]),
        (f"{STUDY}.training.kind", "miniature", ["training.kind", "was removed", "data:"]),
        (f"{STUDY}.training.world_seed", 1, ["training.world_seed", "world: {recipe, seed}"]),
        (f"{STUDY}.training.recipes.llm", "l.yaml", ["recipes.llm", "in each model's record"]),
        ("llms.1.make", {"recipe": "l.yaml"}, ["llms[1].make.width", "is missing"]),
        ("llms.1.make", {"width": 48}, ["llms[1].make.recipe", "is missing"]),
        ("llms.1.make.width", 0, ["llms[1].make.width = 0", "1 or more"]),
        ("vision.0.make.width", 48, ["vision[0].make.width", "unknown key", "recipe"]),
        # data are downloaded or generated
        (f"{STUDY}.training.data", "wrld", ["training.data", "unknown data set 'wrld'", "'world'"]),
        (f"{STUDY}.training.data", None, ["training.data = None", "must be text"]),
        (f"{STUDY}.training.data", [], ["training.data = []", "must be text"]),
        (f"{STUDY}.training.data", {"manifest": "m.yaml", "root": "data"}, ["training.data", "text"]),
        ("data", [], ["training.data", "unknown data set 'world'", "(none defined)"]),
        ("data.0", {"name": "world"}, [f"data[0]: {ORIGIN}"]),
        ("data.0", {"name": "world", "root": "data"}, [f"data[0]: {ORIGIN}"]),
        ("data.0.manifest", "m.yaml", [f"data[0]: {ORIGIN}"]),
        ("data.0.root", "data", [f"data[0]: {TOGETHER}"]),
        ("data.0.max_bad_share", 0.1, ["data[0]: max_bad_share", "not for a generated world"]),
        ("data.0.decode", False, ["data[0]:", "decode", "not for a generated world"]),
        ("data.0.world.recipe", None, ["data[0].world.recipe = None", "must be text"]),
        ("data.0.world.seed", -1, ["data[0].world.seed = -1", "0 or more"]),
        ("data.0.world.sed", 1, ["data[0].world.sed", "unknown key", "did you mean 'seed'"]),
        # a generated world's models know their own template only
        (f"{STUDY}.training.templates", {}, ["training.templates", "pretrain: chat, finetune: chat"]),
        (f"{STUDY}.training.templates.pretrain", "plain", ["training.templates", "pretrain: chat"]),
        (f"{STUDY}.training.templates", {"finetune": "chat"}, ["training.templates", "pretrain: chat"]),
        (f"{STUDY}.training.templates.finetune", "vicuna_v1", ["training.templates", "own template"]),
        # what is asked of a generated world
        (f"{STUDY}.suites.0.benchmarks", [], ["suites[0].benchmarks", "missing"]),
        (f"{STUDY}.suites.0.benchmarks", ["facts"],
         ["suites[0].benchmarks", "'facts'", "generated world", "read_dense, name",
          "did you mean 'fact'"]),
        (f"{STUDY}.suites.0.benchmarks", ["mme"], ["unknown part of a generated world 'mme'"]),
        (f"{STUDY}.training.benchmarks", [{"name": "mme"}],
         ["studies[0].training.benchmarks", "a generated world asks its own questions"]),
        (f"{STUDY}.training.lengthened", [0], ["training.lengthened[0] = 0", "1 or more"]),
        (f"{STUDY}.training.lengthened", [2, 2], ["training.lengthened", "2 twice"]),
        # keys of training
        (f"{STUDY}.training.blind", ["huge"], ["training.blind", "'huge'", "small, large"]),
        (f"{STUDY}.training.layer", 3, ["training.layer", "did you mean 'layers'"]),
        (f"{STUDY}.training.layers", [], ["training.layers = []", "empty"]),
        (f"{STUDY}.training.recipes.stage1", "r", ["recipes.stage1", "unknown key", "pretrain"]),
        (f"{STUDY}.training.recipes.world", "r", ["training.recipes.world", "was removed; write"]),
        (f"{STUDY}.training.recipes", {"pretrain": "r"},
         ["studies[0].training.recipes.finetune", "missing"]),
        (f"{STUDY}.training", {"layers": [2]}, ["studies[0].training.data: is missing"]),
        (f"{STUDY}.training", {"layers": [2]}, ["studies[0].training.recipes: is missing"]),
    ],
)  # fmt: skip
def test_problems_of_a_study_on_a_generated_world_are_named(place, value, words):
    lines = problems(*TRAINED, (place, value))
    assert any(all(word in line for word in words) for line in lines), lines


@pytest.mark.parametrize("name", [["world"], {"a": 1}, None, 3, True], ids=str)
@pytest.mark.parametrize("key", ["data", "vision", "llms"])
def test_a_name_that_is_no_text_is_told(key, name):
    lines = problems(*TRAINED, (f"{key}.0.name", name), (f"{STUDY}.vision", name))
    assert any(f"{key}[0].name = {name!r}: must be text" in line for line in lines), lines


def test_an_encoder_without_a_name_is_told_where_a_study_names_none():
    raw = config(*TRAINED, ("vision.0", {"grid": 24}))
    del raw["studies"][0]["vision"]
    with pytest.raises(UserError, match=r"vision\[0\]\.name: is missing") as refused:
        parse(raw)
    assert "studies[0].vision: is missing" in str(refused.value)


def test_problems_of_a_measured_study_with_benchmarks_are_named():
    (line,) = problems((f"{STUDY}.suites.0.benchmarks", ["fact"]))
    assert "suites[0].benchmarks: is for trained studies" in line


DOWNLOADED = {"data": "llava", "recipes": {"pretrain": "p.yaml", "finetune": "f.yaml"}}
FETCHED = [
    (f"{STUDY}.measured", None),
    (f"{STUDY}.training", DOWNLOADED),
    ("data", [{"name": "llava", "manifest": "m.yaml", "root": "data"}]),
    ("llms.0.hub", "org/small"),
    ("llms.1.hub", "org/large"),
    ("vision.0.hub", "org/clip"),
    (f"{STUDY}.suites.0.benchmarks", ["mme", "docvqa"]),
]


def test_a_study_on_downloaded_data_holds_their_record():
    frozen = parse(config(*FETCHED)).freeze("mine")
    assert (frozen.generated, frozen.fetched, frozen.world) == (False, True, None)
    assert (frozen.data.manifest, frozen.data.root) == ("m.yaml", "data")
    assert (frozen.data.max_bad_share, frozen.data.decode) == (0, True)


FOLDER = [*FETCHED, ("data", [{"name": "llava", "folder": {"path": "data/own"}}])]


def test_a_study_on_ones_own_data_needs_only_their_path():
    frozen = parse(config(*FOLDER)).freeze("mine")
    assert (frozen.generated, frozen.fetched, frozen.world) == (False, True, None)
    assert frozen.data.folder.conversations("pretrain") == Path("data/own/pretrain.json")
    assert frozen.data.folder.conversations("finetune") == Path("data/own/finetune.json")
    assert frozen.data.folder.image_folder() == Path("data/own/images")


@pytest.mark.parametrize("images", [None, "pictures/small", "."])
def test_files_of_ones_own_data_have_any_name_in_their_folder(images):
    changes = [
        ("data.0.folder.pretrain", "captions.jsonl"),
        ("data.0.folder.finetune", "chats/all.parquet"),
        ("data.0.folder.images", images),
    ]
    folder = parse(config(*FOLDER, *changes)).data[0].folder
    assert folder.conversations("pretrain") == Path("data/own/captions.jsonl")
    assert folder.conversations("finetune") == Path("data/own/chats/all.parquet")
    assert folder.image_folder() == (None if images is None else Path("data/own") / images)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("data.0.manifest", "m.yaml", [f"data[0]: {ORIGIN}"]),
        ("data.0.world", {"recipe": "w.yaml"}, [f"data[0]: {ORIGIN}"]),
        ("data.0.root", "data", [f"data[0]: {TOGETHER}"]),
        ("data.0.folder", None, [f"data[0]: {ORIGIN}"]),
        ("data.0.folder", {}, ["data[0].folder.path", "missing"]),
        ("data.0.folder", "data/own", ["data[0].folder"]),
        ("data.0.folder.path", "", ["data[0].folder.path", "empty"]),
        ("data.0.folder.path", "../own", ["data[0].folder.path", "leads out of the project"]),
        ("data.0.folder.path", "~/.ssh", ["data[0].folder.path", "hidden"]),
        ("data.0.folder.finetune", "../chats.json", ["data[0].folder.finetune", "inside its folder"]),
        ("data.0.folder.finetune", "/chats.json", ["data[0].folder.finetune", "inside its folder"]),
        ("data.0.folder.finetune", ".chats.json", ["data[0].folder.finetune", "hidden part"]),
        ("data.0.folder.images", "~/images", ["data[0].folder.images", "inside its folder"]),
        ("data.0.folder.images", "", ["data[0].folder.images", "empty"]),
        ("data.0.folder.finetun", "c.json", ["data[0].folder.finetun", "did you mean 'finetune'"]),
        ("llms.1.hub", None, ["studies[0].llms", "'large' has no hub", "downloaded or your own"]),
    ],
)
def test_problems_of_ones_own_data_are_named(place, value, words):
    lines = problems(*FOLDER, (place, value))
    assert any(all(word in line for word in words) for line in lines), lines


def test_a_link_in_ones_own_data_may_not_lead_to_hidden_files(tmp_path):
    (tmp_path / "home" / ".keys").mkdir(parents=True)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "finetune.json").symlink_to(tmp_path / "home" / ".keys" / "id")
    lines = problems(*FOLDER, ("data.0.folder.path", str(tmp_path / "own")))
    assert any("data[0].folder" in line and "which is hidden" in line for line in lines), lines


def test_stage_1_can_be_written_as_llava_1_5_does():
    changes = [*FETCHED, (f"{STUDY}.training.templates", {"pretrain": "plain_llava"})]
    assert parse(config(*changes)).studies[0].training.templates.pretrain == "plain_llava"


def test_a_trained_study_has_the_papers_conventions_unless_told_otherwise():
    training = parse(config(*FETCHED)).studies[0].training
    assert (training.templates.pretrain, training.templates.finetune) == ("plain", "chat")
    assert (training.aspects.pretrain, training.aspects.finetune) == ("crop", "pad")
    assert training.features is False
    assert (training.normalise, training.layers, training.projector_width) == (False, None, None)
    assert (training.whiten, training.init_std, training.lengthened) == (False, None, [])
    expected = {"harness": "paretoken"}
    assert training.settings("mme").model_dump(exclude={"name"}, exclude_none=True) == expected


def test_what_a_study_does_differently_is_found_by_name():
    own = [{"name": "docvqa", "scoring": "paper", "limit": 10}]
    parsed = parse(config(*FETCHED, (f"{STUDY}.training.benchmarks", own)))
    training = parsed.studies[0].training
    assert (training.settings("docvqa").scoring, training.settings("docvqa").limit) == ("paper", 10)
    assert training.settings("mme").scoring is None
    assert training.harnessed() == []


def test_a_task_of_lmms_eval_can_be_averaged_by_a_suite():
    own = [
        {"name": "ocr_bench", "harness": "lmms_eval", "task": "ocrbench", "maximum": 1000, "count": 1000}
    ]
    asked = (f"{STUDY}.suites.0.benchmarks", ["mme", "ocr_bench"])
    training = parse(config(*FETCHED, asked, (f"{STUDY}.training.benchmarks", own))).studies[0].training
    assert training.harnessed() == ["ocr_bench"]
    assert training.settings("ocr_bench").maximum == 1000


def test_task_files_of_others_run_where_the_config_allows_their_code():
    own = {"name": "ab", "harness": "lmms_eval", "include": "tasks", "allow_code": True, "count": 9}
    asked = (f"{STUDY}.suites.0.benchmarks", ["mme", "ab"])
    changes = (*FETCHED, asked, (f"{STUDY}.training.benchmarks", [own]))
    assert parse(config(*changes)).studies[0].training.settings("ab").include == "tasks"


def test_the_command_line_runs_no_task_files_of_others_by_itself(tmp_path, capsys):
    line = [
        "lmms-eval",
        "--model",
        "m",
        "--task",
        "t",
        "--include-path",
        str(tmp_path),
        "--out",
        "s.json",
    ]
    assert main(line) == 2
    said = capsys.readouterr().err
    assert "run with all rights of the user" in said
    assert "--allow-code" in said


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"name": "mme", "task": "mme"}, ["task: not supported with harness: paretoken"]),
        ({"name": "mme", "harness": "lmms_eval"}, ["'mme' cannot name a task of lmms_eval"]),
        ({"name": "a-b", "harness": "lmms_eval"}, ["'a-b' cannot name a task"]),
        ({"name": "ab", "harness": "lmms_eval", "scoring": "x"}, ["scoring: not supported with"]),
        (
            {"name": "ab", "harness": "lmms_eval", "include": "t", "count": 9},
            ["run with all of your permissions", "allow_code: true"],
        ),
        (
            {"name": "ab", "harness": "lmms_eval", "include": "t", "allow_code": False, "limit": 9},
            ["run with all of your permissions", "allow_code: true"],
        ),
        (
            {"name": "ab", "harness": "lmms_eval", "include": "t", "allow_code": "yes"},
            ["allow_code = 'yes': must be true or false"],
        ),
        (
            {"name": "ab", "harness": "lmms_eval", "allow_code": True, "count": 9},
            ["there is no include"],
        ),
        ({"name": "mme", "count": 9}, ["count: not supported with harness: paretoken"]),
        ({"name": "ab", "harness": "lmms_eval"}, ["count: is missing", "limit:"]),
        ({"name": "mme", "allow_code": True}, ["allow_code: not supported with harness: paretoken"]),
        ({"name": "ab", "harness": "vlmeval"}, ["harness", "lmms_eval"]),
        ({"name": "ab", "harness": "lmms_eval", "count": 9}, ["'ab' is in no suite"]),
    ],
)
def test_what_does_not_fit_a_harness_is_named(entry, words):
    lines = "\n".join(problems(*FETCHED, (f"{STUDY}.training.benchmarks", [entry])))
    assert all(word in lines for word in words), lines


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("llms.1.hub", None, ["studies[0].llms", "'large' has no hub", "local directory"]),
        ("llms.1", {"name": "large", "params_b": 7, "make": {"recipe": "l.yaml", "width": 48}},
         ["studies[0].llms", "'large' has no hub", "downloaded"]),
        ("vision.0.hub", None, ["studies[0].vision", "'clip' has no hub"]),
        ("vision.0", {"name": "clip", "grid": 24, "make": {"recipe": "v.yaml"}},
         ["studies[0].vision", "'clip' has no hub"]),
        ("llms.1.make", {"recipe": "l.yaml", "width": 48}, ["llms[1]: has make and hub"]),
        ("vision.0.make", {"recipe": "v.yaml"}, ["vision[0]: has make and hub"]),
        ("llms.1.gpus", {"pretrain": 0}, ["llms[1].gpus.pretrain", "0", "1 or more"]),
        ("llms.1.gpus", {"train": 4}, ["llms[1].gpus.train", "pretrain, finetune, predict"]),
        ("llms.1.params", 7.5, ["llms[1].params", "whole number"]),
        (f"{STUDY}.suites.0.benchmarks", ["fact"], ["unknown benchmark 'fact'; write one of: mme, gqa"]),
        (f"{STUDY}.suites.0.benchmarks", ["doc"], ["unknown benchmark 'doc'", "did you mean 'docvqa'"]),
        (f"{STUDY}.suites.0.benchmarks", ["exact_match"], ["unknown benchmark 'exact_match'; write"]),
        (f"{STUDY}.suites.0.benchmarks", ["world"], ["unknown benchmark 'world'; write"]),
        (f"{STUDY}.suites.0.benchmarks", [], ["suites[0].benchmarks", "missing"]),
        (f"{STUDY}.training.benchmarks", [{"name": "gqa"}], ["'gqa' is in no suite"]),
        (f"{STUDY}.training.benchmarks", [{"name": "mme"}] * 2, ["'mme' is listed 2 times"]),
        (f"{STUDY}.training.benchmarks", [{"name": "mm"}], ["training.benchmarks[0]", "'mme'"]),
        (f"{STUDY}.training.benchmarks", [{"name": "mme", "limit": 0}], ["[0].limit", "1 or more"]),
        (f"{STUDY}.training.blind", ["huge"], ["training.blind", "'huge'", "small, large"]),
        (f"{STUDY}.training.world_seed", 1, ["[0].training.world_seed", "was removed", "under data:"]),
        (f"{STUDY}.training.aspects", {"finetune": "square"}, ["aspects.finetune", "'crop' or 'pad'"]),
        (f"{STUDY}.training.overrides", {"finetune": ["lr"]}, ["overrides.finetune[0]", "KEY=VALUE"]),
        (f"{STUDY}.training.kind", "llava", ["[0].training.kind", "was removed", "data:"]),
        (f"{STUDY}.training.data", "lava", ["training.data", "unknown data set 'lava'", "'llava'"]),
        (f"{STUDY}.training.lengthened", [2],
         ["studies[0].training.lengthened", "only for data of a generated world", "take it out"]),
        ("data.0.max_bad_share", 2, ["data[0].max_bad_share", "2", "1 or less"]),
        ("data.0.decode", "maybe", ["data[0].decode = 'maybe'", "true or false"]),
        ("data.0.manifest", None, [f"data[0]: {ORIGIN}"]),
        ("data.0.root", None, [f"data[0]: {TOGETHER}"]),
        ("data.0.world", {"recipe": "w.yaml"}, [f"data[0]: {ORIGIN}"]),
        (f"{STUDY}.training.recipes.world", "r", ["[0].training.recipes.world", "was removed; write"]),
        ("llms.0.template", "qwen", ["llms[0].template", "unknown template 'qwen'", "qwen_1_5"]),
        (f"{STUDY}.training.templates", {"pretrain": "own"}, ["templates.pretrain", "chat, plain"]),
        (f"{STUDY}.training.templates", {"finetune": "plain_llava"}, ["templates.finetune", "stage 2"]),
        (f"{STUDY}.budget_gpu_hours", 0, ["budget_gpu_hours", "greater than 0"]),
    ],
)  # fmt: skip
def test_problems_of_a_study_on_downloaded_data_are_named(place, value, words):
    lines = problems(*FETCHED, (place, value))
    assert any(all(word in line for word in words) for line in lines), lines


#: Every place of a path, in configs of a study that is measured, or trained on data of either origin.
OWN_TASK = {"name": "own", "harness": "lmms_eval", "include": "tasks", "allow_code": True, "count": 9}
PATHS = {
    "measured": (
        [],
        [f"{STUDY}.measured", f"{STUDY}.latency", *(f"{STUDY}.published.{key}" for key in
         ("values", "table1", "dimensions")), "llms.2.hub", "vision.0.hub"],
    ),
    "generated": (
        [*TRAINED, ("llms.2.make", {"recipe": "l.yaml", "width": 64})],
        ["data.0.world.recipe", *(f"llms.{number}.make.recipe" for number in range(3)),
         "vision.0.make.recipe", f"{STUDY}.training.recipes.pretrain",
         f"{STUDY}.training.recipes.finetune"],
    ),
    "own": (
        [*FOLDER],
        ["data.0.folder.path", "llms.0.hub", "llms.1.hub", "vision.0.hub",
         f"{STUDY}.training.recipes.pretrain", f"{STUDY}.training.recipes.finetune"],
    ),
    "downloaded": (
        [*FETCHED, (f"{STUDY}.training.benchmarks", [
            {"name": "mme"}, OWN_TASK]),
         (f"{STUDY}.suites.0.benchmarks", ["mme", "docvqa", "own"])],
        ["data.0.manifest", "data.0.root", "llms.0.hub", "llms.1.hub",
         "vision.0.hub", f"{STUDY}.training.recipes.pretrain", f"{STUDY}.training.recipes.finetune",
         f"{STUDY}.training.benchmarks.0.source", f"{STUDY}.training.benchmarks.1.include"],
    ),
}  # fmt: skip


def paths_of(kind, path):
    """The changes that make a study of a kind with ``path`` in every place of one."""
    changes, places = PATHS[kind]
    published = [(f"{STUDY}.published", {})] if kind == "measured" else []
    return [*changes, *published, *((place, path) for place in places)]


@pytest.mark.parametrize("kind", PATHS)
def test_a_tilde_is_the_home_directory_in_every_path(kind, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    text = parse(config(*paths_of(kind, "~/a b/~c"))).model_dump_json()
    assert text.count('"/home/someone/a b/~c"') == len(PATHS[kind][1])
    assert '"~' not in text


@pytest.mark.parametrize("path", ["data/~x", "/data/~", "org/name", "a~"])
def test_a_tilde_within_a_path_stays(path):
    parsed = parse(config(*paths_of("downloaded", path)))
    assert parsed.data[0].root == path
    assert parsed.llms[0].hub == path


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize(
    ("path", "home", "reason"),
    [
        ("~nobody-of-this-name/x", "/home/someone", "there is no such user"),
        ("~/x", "", "HOME names no directory"),
        ("~", "relative", "HOME names no directory"),
    ],
)
def test_a_home_directory_that_is_not_known_is_a_problem_in_every_path(
    kind, path, home, reason, monkeypatch
):
    monkeypatch.setenv("HOME", home)
    lines = problems(*paths_of(kind, path))
    assert len(lines) == len(PATHS[kind][1])
    assert all(f"{path!r} begins with ~" in line and reason in line for line in lines)
    assert any("write the whole path" in line for line in lines)
