"""The generated world: by seed, consistent with itself, and drawn as described."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import miniature_settings as small
from paretoken.config.settings import read_settings
from paretoken.errors import UserError
from paretoken.world.drawing import BRIGHT_ICON, render
from paretoken.world.facts import BOX, Scenes, World
from paretoken.world.text import draw_text
from paretoken.world.world_questions import Questions, ask, dialogue, slot_words
from paretoken.world.world_settings import KINDS, NAME, READ, MiniatureSettings


@pytest.fixture(scope="module")
def world() -> World:
    return World(small.world().world, seed=1)


def drawn(world: World, count: int = 400, seed: int = 0) -> Scenes:
    return world.scenes(count, np.random.default_rng(seed), 0.5)


def asked(world: World, scenes: Scenes, skip_held_out: bool = False) -> Questions:
    rng = np.random.default_rng(3)
    kinds = rng.integers(0, len(KINDS), (len(scenes), 4))
    return ask(world, scenes, kinds, rng, skip_held_out)


def test_the_same_seed_gives_the_same_world_and_another_seed_another(world: World) -> None:
    again, other = (World(world.settings, seed) for seed in (1, 2))
    assert np.array_equal(world.patterns, again.patterns)
    assert not np.array_equal(world.patterns, other.patterns)
    for kind, facts in world.facts.items():
        assert np.array_equal(facts.table, again.facts[kind].table)
        assert np.array_equal(facts.held_out, again.facts[kind].held_out)
        assert not np.array_equal(facts.table, other.facts[kind].table)
    pixels = [render(world, drawn(world, 20), np.random.default_rng(5))[0] for _ in range(2)]
    assert np.array_equal(*pixels)


def test_objects_do_not_overlap_and_follow_the_kind_of_image(world: World) -> None:
    scenes = drawn(world)
    for first in range(11):
        for second in range(first):
            apart = np.abs(scenes.places[:, first] - scenes.places[:, second]).max(-1)
            assert apart.min() >= BOX
    assert (scenes.digits[scenes.text] >= 1).all()
    assert (scenes.digits[~scenes.text] == 0).all()
    assert (scenes.clutter[scenes.text] == 0).all()
    assert (scenes.others != scenes.icon[:, None]).all()


def test_icons_differ_in_five_cells_or_more(world: World) -> None:
    for number, first in enumerate(world.patterns):
        for second in world.patterns[:number]:
            assert (first != second).any(-1).sum() >= 5


def test_patch_labels_name_what_is_drawn(world: World) -> None:
    scenes = drawn(world)
    images, labels = render(world, scenes, np.random.default_rng(0))
    assert images.shape == (400, 48, 48, 3)
    assert images.dtype == np.uint8
    bright = labels[..., 2] == BRIGHT_ICON
    assert (bright.any(1) == ~scenes.text).all()
    rows, patches = np.nonzero(bright)
    assert np.array_equal(labels[rows, patches, 0], scenes.icon[rows] + 1)
    for row in np.flatnonzero(scenes.text)[:50]:
        shown = {(int(d), int(c)) for _, d, c in labels[row] if d}
        used = range(scenes.digits[row])
        assert shown <= {(scenes.values[row, k] + 1, scenes.colours[row, k] + 1) for k in used}


def test_answers_are_the_facts_of_the_world(world: World) -> None:
    scenes = drawn(world)
    questions = asked(world, scenes)
    words, tables = world.words.words, world.facts
    for row in range(len(scenes)):
        for question, answer, kind in zip(
            questions.question[row], questions.answer[row], questions.kind[row], strict=True
        ):
            if kind in tables:
                facts = tables[kind]
                expected = facts.table[scenes.icon[row], question - facts.question]
                assert answer == facts.answer + expected
            elif kind == NAME:
                assert words[answer] == f"icon{scenes.icon[row]}"
            else:
                place = scenes.colours[row].tolist().index(question - world.words.colour)
                assert place < scenes.digits[row]
                assert words[answer] == str(scenes.values[row, place])
    assert (questions.kind[scenes.text] == READ).all()
    assert (questions.kind[~scenes.text] != READ).all()


def test_held_out_facts_are_asked_only_where_they_may_be(world: World) -> None:
    scenes = drawn(world)
    assert asked(world, scenes).held_out.mean() > 0.05
    assert not asked(world, scenes, skip_held_out=True).held_out.any()


def test_a_scene_in_words_holds_the_answer_to_what_is_asked(world: World) -> None:
    scenes = drawn(world)
    slots = slot_words(world, scenes, 9, np.random.default_rng(1))
    tag = world.words.tag + 10 * scenes.colours[:, 0] + scenes.values[:, 0]
    expected = np.where(scenes.text, tag, world.words.icon + scenes.icon)
    assert (slots == expected[:, None]).any(1).all()


def test_a_dialogue_learns_answers_and_their_end_only(world: World) -> None:
    scenes = drawn(world, 3)
    ids, learned = dialogue(
        world, asked(world, scenes), slot_words(world, scenes, 4, np.random.default_rng(1))
    )
    assert ids.shape == (3, 20)
    assert learned.tolist() == [False] * 6 + [True, True] + [False, False, True, True] * 3
    assert {world.words.words[i] for i in ids[:, 7]} == {"<end>"}
    batch = draw_text(world, np.random.default_rng(0), 5, 1, 1, {"fact": 1.0}, 0.0).without_end()
    assert batch.ids.shape == (5, 4)
    assert batch.learned.tolist() == [False, False, False, True]


def test_the_frozen_world_has_the_size_that_was_measured() -> None:
    settings = read_settings(small.RECIPES / "miniature_world.yaml", MiniatureSettings, "world")
    world = World(settings.world, 1)
    assert sum(facts.table.size for facts in world.facts.values()) == 9600
    assert len(world.words) == 717


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("world.digits", "[0.5, 0.6]"), r"the shares add up to 1.1"),
        (("pretrain.kinds", "{fact: 0.5}"), r"the shares add up to 0.5"),
        (("pretrain.kinds", "{colour: 1}"), r"pretrain\.kinds"),
        (("world.icns", "3"), r"icns"),
    ],
)
def test_a_world_that_cannot_be_is_refused(change: tuple[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small.world(change)


def test_a_world_without_facts_to_train_on_is_refused() -> None:
    with pytest.raises(UserError, match="leaves an icon without any"):
        World(small.world(("world.held_out", "1.0")).world, 0)


def test_the_world_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, paretoken.world.write; sys.exit('torch' in sys.modules)"
    source = str(Path(small.RECIPES).parent.parent / "src")
    assert (
        subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": source}, check=False).returncode
        == 0
    )
