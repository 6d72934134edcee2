"""What `torchrun` starts in tests: the command line, with what DeepSpeed itself holds stored beside.

``torchrun_worker.py FOLDER train ...``: after training, what `accelerate` consolidates of DeepSpeed's
weights goes to ``FOLDER/consolidated.pt``, and the weights that did not learn to ``frozen.pt``.
The process whose number is in ``FAILING_RANK`` fails at step 3; it is killed there if ``FAILURE`` is
``kill``, and lacks host memory if it is ``memory``. ``OUT_OF_MEMORY=RANK STEP ROWS``: the memory of that
process's device runs out, from that step on, in micro batches of more rows; several triples may follow.
"""

from __future__ import annotations

import os
import signal
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
            fail(os.environ.get("FAILURE"))
        observe(self, step)

    training_step = StageTrainer.training_step
    words = [int(word) for word in os.environ.get("OUT_OF_MEMORY", "").split()]
    limits = [words[start : start + 3] for start in range(0, len(words), 3)]
    own = int(os.environ.get("RANK", "0"))

    def step_or_run_out(self: StageTrainer, model: Any, batch: dict[str, Any], *args: Any) -> Any:
        for rank, step, rows in limits:
            if rank == own and self.state.global_step >= step and len(batch["input_ids"]) > rows:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return training_step(self, model, batch, *args)

    StageTrainer.observe = observe_or_fail  # type: ignore[method-assign]
    StageTrainer.training_step = step_or_run_out  # type: ignore[method-assign]
    StageTrainer.train, stage.gather_parameters = train_and_store, gather_and_store  # type: ignore[method-assign]


def fail(how: str | None) -> None:
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "memory":
        raise MemoryError("this process fails at step 3")
    raise UserError("this process fails at step 3")


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
