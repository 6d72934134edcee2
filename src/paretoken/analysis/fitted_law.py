"""A fit read back from ``fit.json``: what the frontier, the figures and the claims work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paretoken.analysis.fit_schema import LARGEST, require_fit
from paretoken.analysis.laws.base import Array, Law
from paretoken.analysis.limits import MOST_CONFIGURATIONS, MOST_NUMBERS, require_product
from paretoken.analysis.resample import LEVEL
from paretoken.errors import UserError
from paretoken.escape import shown
from paretoken.files import read_json
from paretoken.registry import LAWS


@dataclass(frozen=True)
class FittedLaw:
    """A law with its parameters, its bootstrap draws (R, P) and the record that it came from."""

    law: Law
    parameters: Mapping[str, float]
    draws: Array
    record: Mapping[str, Any]

    @classmethod
    def from_record(
        cls, record: Mapping[str, Any], origin: str = "fit.json", whole: bool = False
    ) -> FittedLaw:
        """Take over the content of ``fit.json``.

        Args:
            record: as JSON made it.
            origin: what to call it in messages.
            whole: whether it must have all that `paretoken fit` writes; else, what predictions need.

        Raises:
            UserError: a key or a parameter is missing or not what it should be, or the law is unknown.
        """
        require_fit(record, origin, whole)
        law: Law = LAWS.load(record["law"])
        absent = [name for name in law.parameters if name not in record["parameters"]]
        if absent:
            raise UserError(f"{origin}: the law {law.name} needs {', '.join(absent)}")
        try:
            draws = np.array(record["draws"], dtype=float).reshape(-1, len(law.parameters))
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(
                f"{origin} is a damaged fit (draws: {shown(error)}); make it with `paretoken fit`"
            ) from error
        if not (np.abs(draws) <= LARGEST).all():
            raise UserError(f"{origin} is a damaged fit (draws: a number is too large)")
        parameters = {name: float(record["parameters"][name]) for name in law.parameters}
        fit = cls(law, parameters, draws, record)
        levels = {"sizes": len(fit.sizes), "token counts": len(fit.token_counts)}
        require_product(origin, levels, MOST_CONFIGURATIONS)
        return fit

    @classmethod
    def read(cls, path: Path, whole: bool = False) -> FittedLaw:
        """Read ``fit.json`` (`UserError` if it is none), see `from_record`."""
        return cls.from_record(read_json(path), str(path), whole)

    @property
    def sizes(self) -> list[float]:
        """The N of the fitted table, ascending."""
        return [float(n) for n in self.record["data"]["levels"]["N"]]

    @property
    def fitted_sizes(self) -> list[float]:
        """The N that the fit saw, ascending: `sizes` without those held out."""
        held_out = set(self.held_out)
        return [n for n in self.sizes if n not in held_out]

    @property
    def held_out(self) -> list[float]:
        """The N that the fit did not see."""
        return [float(n) for n in self.record["data"].get("held_out", [])]

    @property
    def is_flat(self) -> bool:
        """Whether the law has an optimal V and the fitted error falls neither with N nor with V."""
        without_ratio = self.record.get("alpha_over_beta", 1.0) is None
        return self.law.constant_optimum and without_ratio and self.record.get("v_star") is None

    @property
    def token_counts(self) -> list[float]:
        """The V of the fitted table, ascending."""
        return [float(v) for v in self.record["data"]["levels"]["V"]]

    def _law_q(self, Q: float | None) -> float:
        """Q inside the law: the row's own if given, else the one of the fit."""
        return float(Q if Q is not None else self.record.get("text_tokens_in_law") or 0.0)

    def predict(self, N: Array | float, V: Array | float, Q: float | None = None) -> Array:
        """Return the predicted error; Q matters only to laws with T = Q + V."""
        return self.law.predict(self.parameters, N, V, self._law_q(Q))

    def draw_errors(self, N: Array | float, V: Array | float, Q: float | None = None) -> Array:
        """Return the predicted errors under each bootstrap draw, (R, n); R is 0 without draws."""
        sizes, tokens = np.broadcast_arrays(np.asarray(N, float), self.law.tokens(V, self._law_q(Q)))
        counts = {"draws of the fit": len(self.draws), "configurations": sizes.size}
        require_product("--fit, --n and --v", counts, MOST_NUMBERS)
        return self.law.evaluate(self.draws, np.log(sizes).ravel(), np.log(tokens).ravel())

    def interval(
        self, N: Array | float, V: Array | float, Q: float | None = None
    ) -> tuple[Array, Array]:
        """Return the 95 % interval of the predicted error (NaN without bootstrap draws)."""
        shape = np.broadcast_shapes(np.shape(N), np.shape(V))
        if not len(self.draws):
            nothing = np.full(shape, np.nan)
            return nothing, nothing
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(self.draw_errors(N, V, Q), [tail, 1 - tail], axis=0)
        return low.reshape(shape), high.reshape(shape)
