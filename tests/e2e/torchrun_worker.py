"""What `torchrun` starts in tests: the command line, with what DeepSpeed itself holds stored beside.

``torchrun_worker.py FOLDER train ...``: after training, what `accelerate` consolidates of DeepSpeed's
weights goes to ``FOLDER/consolidated.pt``, and the weights that did not learn to ``frozen.pt``.
The process whose number is in ``FAILING_RANK`` fails at step 3.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch

from paretoken.cli import main
from paretoken.errors import UserError
from paretoken.train import stage
from paretoken.train.trainer import StageTrainer


def watch(folder: Path) -> None:
    train, gather_parameters = StageTrainer.train, stage.gather_parameters
    first = os.environ.get("RANK", "0") == "0"

    def train_and_store(self: StageTrainer, *args: Any, **kwargs: Any) -> Any:
        result = train(self, *args, **kwargs)
        if self.is_deepspeed_enabled:
            weights = self.accelerator.get_state_dict(self.model_wrapped)
            if first:
                torch.save(weights, folder / "consolidated.pt")
        return result

    def gather_and_store(model: Any) -> None:
        gather_parameters(model)
        if first:
            frozen = {n: p.detach() for n, p in model.named_parameters() if not p.requires_grad}
            torch.save(frozen, folder / "frozen.pt")

    observe = StageTrainer.observe

    def observe_or_fail(self: StageTrainer, step: int) -> None:
        if step == 3 and os.environ.get("FAILING_RANK") == os.environ.get("RANK"):
            raise UserError("this process fails at step 3")
        observe(self, step)

    StageTrainer.observe = observe_or_fail  # type: ignore[method-assign]
    StageTrainer.train, stage.gather_parameters = train_and_store, gather_and_store  # type: ignore[method-assign]


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
