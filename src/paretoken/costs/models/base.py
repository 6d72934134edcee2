"""Cost models: each has a name, a unit and a function of N, V and Q for a given deployment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from paretoken.costs.models.deployment import Deployment
from paretoken.costs.quantities import quantity
from paretoken.errors import UserError
from paretoken.io.arrays import Array, Numbers


@dataclass(frozen=True)
class CostModel:
    """One registered cost model.

    Attributes:
        name: the registered name.
        title: its name on axes and pages.
        unit: unit of costs and budgets, as written after a number.
        leaves_out: a text that says what it does not count; empty if that needs no mention.
        evaluate: deployment, N, V (both (n,)), Q -> costs (n,); NaN where the cost is unknown.
        counts: the settings of a deployment that change it.
        needs: attributes that the deployment must have: ``shapes``, ``latency``, ``price_per_hour``.
        each: what a budget applies to, if the unit does not say it.
        spread: like ``evaluate``, for the standard error of measured costs; None: it has none.
        of_batch: whether the cost is that of all questions that are answered at once, not of each.
    """

    name: str
    title: str
    unit: str
    leaves_out: str
    evaluate: Callable[[Deployment, Numbers, Numbers, float], Numbers]
    counts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    each: str = " per question"
    spread: Callable[[Deployment, Numbers, Numbers, float], Numbers | None] | None = None
    of_batch: bool = False

    def applies_to(self, batch: int) -> str:
        """Return what a budget applies to, as written after it, if ``batch`` questions come at once."""
        return f" for {batch} questions at once" if self.of_batch and batch > 1 else self.each

    def show(self, cost: float) -> str:
        """Return an amount with its unit."""
        return quantity(cost, self.unit)


#: What a cost model needs, and how to give it.
REMEDIES = {
    "shapes": "the models' dimensions: give --shapes results/STUDY/shapes.json (`paretoken shapes` "
    "makes one)",
    "latency": "measured latency: give --latency with a table of `paretoken latency`, or a trained "
    "study's tables/costs.csv",
    "price_per_hour": "the price of the device: give --price-per-hour",
}
#: Settings of a deployment, their defaults, and the options that change them.
SETTINGS = {
    "answer_tokens": (None, "--answer-tokens"),
    "batch": (1, "--batch"),
    "encoder": (True, "--no-encoder"),
    "cached_text": (False, "--cached-text"),
}


@dataclass(frozen=True)
class Cost:
    """A cost model applied to a deployment: a function of N (billions), V and Q.

    Raises:
        UserError: the deployment lacks what the model needs, or has a setting that it does not count.
    """

    model: CostModel
    deployment: Deployment = field(default_factory=Deployment)

    def __post_init__(self) -> None:
        for need in self.model.needs:
            if getattr(self.deployment, need) is None:
                raise UserError(f"the cost model {self.model.name} needs {REMEDIES[need]}")
        for name, (default, option) in SETTINGS.items():
            if name not in self.model.counts and getattr(self.deployment, name) != default:
                raise UserError(
                    f"the cost model {self.model.name} does not depend on {option}; leave it out, or "
                    "choose another --cost"
                )

    def __call__(self, N: Array | float, V: Array | float, Q: float) -> Numbers:
        """Return the cost of each configuration, NaN where it is unknown; arguments broadcast."""
        sizes, tokens = np.broadcast_arrays(np.asarray(N, float), np.asarray(V, float))
        flat = self.model.evaluate(self.deployment, sizes.ravel(), tokens.ravel(), float(Q))
        return flat.reshape(sizes.shape)

    def standard_error(self, N: Array | float, V: Array | float, Q: float) -> Numbers | None:
        """Return the standard error of each measured cost; None if it is computed or unknown."""
        if self.model.spread is None:
            return None
        sizes, tokens = np.broadcast_arrays(np.asarray(N, float), np.asarray(V, float))
        found = self.model.spread(self.deployment, sizes.ravel(), tokens.ravel(), float(Q))
        return None if found is None else found.reshape(sizes.shape)

    @property
    def measured(self) -> bool:
        """Whether the cost is based on measurements, which have noise."""
        return "latency" in self.model.needs

    @property
    def words(self) -> str:
        """The cost as a text: the model's title and the settings of the deployment."""
        return ", ".join([self.model.title, *self.deployment.words(self.model.counts)])

    def options(self) -> list[str]:
        """Return the command-line options for this cost, without those that name files."""
        words = ["--cost", self.model.name]
        for name, (default, option) in SETTINGS.items():
            value = getattr(self.deployment, name)
            if value != default:
                words += [option] if isinstance(value, bool) else [option, f"{value:g}"]
        if "price_per_hour" in self.model.needs:
            words += ["--price-per-hour", f"{self.deployment.price_per_hour:g}"]
        return words
