"""The cells of a study."""

from __future__ import annotations

from paretoken.config.study import Study
from paretoken.study.grid import Cell, cells

STUDY = {
    "name": "mine", "question": "?", "measured": "m.csv", "vision": "v", "llms": ["small", "large"],
    "compressors": [{"name": "tokenpacker", "tokens": [1, 4]}, {"name": "none", "tokens": [576]}],
    "seeds": [0, 1], "suites": [{"name": "a", "title": "A", "role": "reasoning"}],
}  # fmt: skip


def test_every_combination_once_in_the_order_of_the_config():
    found = cells(Study.model_validate(STUDY))
    assert len(found) == len(set(found)) == 2 * 3 * 2
    assert found[0] == Cell("small", "tokenpacker", 1, 0)
    assert [c.llm for c in found] == ["small"] * 6 + ["large"] * 6


def test_each_cell_has_a_folder_of_its_own():
    found = cells(Study.model_validate(STUDY))
    assert len({cell.folder("mine") for cell in found}) == len(found)
    assert found[-1].folder("mine").as_posix() == "results/mine/runs/large/none-576/s1"


def test_blind_controls_come_last_and_stand_for_every_compressor():
    training = {
        "data": "world",
        "layers": [2],
        "projector_width": 8,
        "blind": ["small"],
        "recipes": {"pretrain": "p.yaml", "finetune": "f.yaml"},
    }
    found = cells(Study.model_validate(STUDY | {"measured": None, "training": training}))
    assert found[-2:] == [Cell("small", "tokenpacker", 0, 0), Cell("small", "tokenpacker", 0, 1)]
    assert [c for c in found if c.tokens] == cells(Study.model_validate(STUDY))
