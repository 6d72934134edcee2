"""The training loop of both sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from paretoken.io.callbacks import ProgressCallback, silent
from paretoken.train.loss_guard import Guard
from paretoken.train.sources.source_recipes import LlmRecipe, VisionRecipe


def train(
    parameters: Iterable[nn.Parameter],
    losses: Callable[[], Iterable[Tensor]],
    optimiser: Optimizer,
    schedule: LRScheduler,
    recipe: VisionRecipe | LlmRecipe,
    progress: ProgressCallback = silent,
) -> list[list[float]]:
    """Train, and return pairs of step and loss.

    Args:
        parameters: the parameters whose gradients are clipped.
        losses: yields the losses of a step; their gradients are summed.
        optimiser: optimiser of the parameters.
        schedule: schedule of the learning rate.
        recipe: steps, clipping and logging.
        progress: called with the steps done and the number of all steps.

    Raises:
        TrainingStoppedError: the loss is not finite, or diverges.
    """
    parameters = list(parameters)
    guard, history = Guard(recipe.divergence), []
    for step in range(1, recipe.steps + 1):
        total = 0.0
        for loss in losses():
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        norm = nn.utils.clip_grad_norm_(parameters, recipe.clip)
        guard.observe(step, total, float(norm))
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        if step == 1 or step % recipe.log_every == 0 or step == recipe.steps:
            history.append([step, total])
        progress(step, recipe.steps)
    return history
