"""Both stages in bf16 with gradient checkpointing, every compressor: alone, and by DeepSpeed on a CPU.

DeepSpeed runs in this one process, so its communication is not tested here (`tests/e2e`), but its
weights, its checkpoints and what it gathers are.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import stages
import tiny
from paretoken.compressors.reach import reachable_tokens
from paretoken.compressors.specification import compressors_that, specification
from paretoken.data.rows import read_rows
from paretoken.data.skips import Skips
from paretoken.evaluate.open import open_predictor
from paretoken.evaluate.questions import parse_questions
from paretoken.models.assemble import Choice
from paretoken.registry import COMPRESSORS
from paretoken.train.stage import run_stage
from paretoken.train.trainer import StageTrainer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
    ),
]

RECIPES = Path(__file__).parents[3] / "workflow" / "recipes"
SIDE, STEPS = 6, 4
#: The stage of ZeRO in both stages of training: none, or as in the paper's recipes.
MODES = [
    pytest.param({}, id="alone"),
    pytest.param(
        {"pretrain": "zero2", "finetune": "zero3"},
        id="deepspeed",
        marks=pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed"),
    ),
]


class InterruptedRunError(Exception):
    """Ends a training before its last step."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    guided = compressors_that(lambda facts: facts.reads_attention)
    folder = tmp_path_factory.mktemp("world")
    tiny.save_prepared_world(
        folder, "--aspect", "crop", "--layers", "2", "3", "--compressors", "tokenpacker", *guided
    )
    (folder / "deepspeed").symlink_to(RECIPES / "deepspeed")
    return folder


def forget_deepspeed() -> None:
    """Let DeepSpeed join another process group: it remembers the first for the life of a process."""
    from deepspeed.comm import comm
    from deepspeed.utils import groups

    groups._WORLD_GROUP = comm.cdb = None


def train(
    world: Path, out: Path, choice: Choice, adapter: Path | None, zero: str | None
) -> dict[str, Any]:
    """Train stage 1, or stage 2 from an adapter, or continue; return the record."""
    stage = "pretrain" if adapter is None else "finetune"
    deepspeed = None if zero is None else world / "deepspeed" / f"{zero}.json"
    settings: dict[str, Any] = {
        "precision": "bf16", "gradient_checkpointing": "true", "steps": STEPS, "save_every": 2,
        "log_every": 1,
    }  # fmt: skip
    if deepspeed is not None:
        forget_deepspeed()
        settings["deepspeed"] = f"deepspeed/{deepspeed.name}"
    online = specification(choice.compressor).smaller_images
    inputs = stages.inputs(
        world, out, choice=choice, deepspeed=deepspeed, adapter=adapter,
        **({"images": world / "images"} if online else {}),
    )  # fmt: skip
    return run_stage(inputs, stages.recipe(world, stage, **settings), say=lambda line: None)


def weights(out: Path) -> dict[str, torch.Tensor]:
    (path,) = [*out.glob("adapter/adapter.safetensors"), *out.glob("model/model.safetensors")]
    return load_file(path)


@pytest.mark.parametrize("zero", MODES)
@pytest.mark.parametrize("name", list(COMPRESSORS))
def test_stages_resume_and_answer(
    world: Path, tmp_path: Path, name: str, zero: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = reachable_tokens(name, SIDE)
    whole = specification(name).elastic or 4 not in counts
    choice = Choice(name, counts[-1] if whole else 4, layers=(2, 3))
    observe, seen, last = StageTrainer.observe, set[tuple[bool, torch.dtype]](), STEPS

    def watch(self: StageTrainer, step: int) -> None:
        model: Any = self.model
        own = (p for n, p in model.named_parameters() if not n.startswith("vision_encoder."))
        seen.update((p.requires_grad, p.dtype) for p in own)
        if step > last:
            raise InterruptedRunError
        observe(self, step)

    monkeypatch.setattr(StageTrainer, "observe", watch)
    for stage, adapter in (("pretrain", None), ("finetune", tmp_path / "pretrain" / "adapter")):
        seen.clear()
        record = train(world, tmp_path / stage, choice, adapter, zero.get(stage))
        losses = [loss for _, loss in record["loss"]]
        assert all(0 < loss < 10 for loss in losses)
        assert losses[-1] < losses[0]
        low = torch.bfloat16
        learning = low if zero else torch.float32
        assert seen == {(True, learning)} | ({(False, low)} if stage == "pretrain" else set())
        assert record["zero_stage"] == int(zero.get(stage, "0")[-1])
        made = weights(tmp_path / stage)
        assert all(torch.isfinite(tensor).all() for tensor in made.values())

        last, again = 2, tmp_path / f"interrupted-{stage}"
        with pytest.raises(InterruptedRunError):
            train(world, again, choice, adapter, zero.get(stage))
        last = STEPS
        resumed = train(world, again, choice, adapter, zero.get(stage))
        assert [loss for _, loss in resumed["loss"]] == losses
        expected = weights(again)
        assert made.keys() == expected.keys()
        assert all(torch.equal(made[key], tensor) for key, tensor in expected.items())

    assert {t.dtype for t in made.values() if t.is_floating_point()} == {torch.bfloat16}
    questions = parse_questions(read_rows(world / "questions.jsonl"), Skips("questions"))[:3]
    images = {"images": world / "images"} if specification(name).smaller_images else {}
    predictor = open_predictor(
        tmp_path / "finetune" / "model", None if images else world / "features", **images
    )
    assert len(predictor.answer(questions)) == len(questions)
