"""A fit as read from ``fit.json``, for the frontier, the figures and the claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paretoken.analysis.fit_schema import LARGEST, require_fit
from paretoken.analysis.laws.base import Law
from paretoken.analysis.product_limits import MOST_CONFIGURATIONS, MOST_NUMBERS, require_product
from paretoken.analysis.resample import LARGEST_LOG
from paretoken.analysis.significance import LEVEL
from paretoken.config.constraints import constraints_of
from paretoken.errors import UserError
from paretoken.io.arrays import Array, Mask
from paretoken.io.escape import shown
from paretoken.io.files import read_json
from paretoken.registry import LAWS


@dataclass(frozen=True)
class FittedLaw:
    """A law with its parameters, its bootstrap draws and the record that it came from.

    Attributes:
        law: the law.
        parameters: by name.
        draws: of the parameters, (R, P); R is 0 without a bootstrap.
        noise: standard deviation of a new measurement in each draw, (R,), in the unit of residuals.
        record: the content of ``fit.json``.
    """

    law: Law
    parameters: Mapping[str, float]
    draws: Array
    noise: Array
    record: Mapping[str, Any]

    @classmethod
    def from_record(
        cls, record: Mapping[str, Any], origin: str = "fit.json", whole: bool = False
    ) -> FittedLaw:
        """Return the fit that the content of ``fit.json`` describes.

        Args:
            record: the parsed JSON.
            origin: its name in messages.
            whole: whether all keys that `paretoken fit` writes are required, or only those that
                predictions need.

        Raises:
            UserError: a key or a parameter is missing or invalid, or the law is unknown.
        """
        require_fit(record, origin, whole)
        law: Law = LAWS.load(record["law"])
        law = law.constrained(constraints_of(record.get("constraints")))
        absent = [name for name in law.parameters if name not in record["parameters"]]
        if absent:
            raise UserError(
                f"{origin}: the law {law.name} needs {', '.join(absent)}; make it with `paretoken fit`"
            )
        try:
            draws = np.array(record["draws"], dtype=float).reshape(-1, len(law.parameters))
            noise = np.array(record["noise_draws"], dtype=float).reshape(len(draws))
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(
                f"{origin} is a damaged fit (draws: {shown(error)}); make it with `paretoken fit`"
            ) from error
        for name, values in (("draws", draws), ("noise_draws", noise)):
            if not (np.abs(values) <= LARGEST).all():
                raise UserError(
                    f"{origin} is a damaged fit ({name}: a number is too large); make it with "
                    "`paretoken fit`"
                )
        parameters = {name: float(record["parameters"][name]) for name in law.parameters}
        fit = cls(law, parameters, draws, noise, record)
        levels = {"sizes": len(fit.sizes), "token counts": len(fit.token_counts)}
        require_product(origin, levels, MOST_CONFIGURATIONS)
        return fit

    @classmethod
    def read(cls, path: Path, whole: bool = False) -> FittedLaw:
        """Read ``fit.json`` (`UserError` if it is not a fit), see `from_record`."""
        return cls.from_record(read_json(path), str(path), whole)

    @property
    def sizes(self) -> list[float]:
        """The N of the fitted table, ascending."""
        return [float(n) for n in self.record["data"]["levels"]["N"]]

    @property
    def fitted_sizes(self) -> list[float]:
        """The N that were fitted, ascending: `sizes` without those held out."""
        held_out = set(self.held_out)
        return [n for n in self.sizes if n not in held_out]

    @property
    def held_out(self) -> list[float]:
        """The N that were held out of the fit."""
        return [float(n) for n in self.record["data"].get("held_out", [])]

    @property
    def is_flat(self) -> bool:
        """Whether the error falls neither with N nor with V: a constant, or a law fitted as constant."""
        if not self.law.slopes:
            return True
        without_ratio = self.record.get("alpha_over_beta", 1.0) is None
        return self.law.constant_optimum and without_ratio and self.record.get("v_star") is None

    @property
    def token_counts(self) -> list[float]:
        """The V of the fitted table, ascending."""
        return [float(v) for v in self.record["data"]["levels"]["V"]]

    def covers(self, N: Array | float, V: Array | float, Q: float | None = None) -> Mask:
        """Return whether (N, V) lies within the fitted sizes and token counts.

        For laws with T = Q + V, T must also lie within the fitted range.
        """
        seen = np.array(self.token_counts)
        inside = _within(np.asarray(N, float), np.array(self.fitted_sizes))
        inside = inside & _within(np.asarray(V, float), seen)
        if self.law.text_in_error:
            fitted = self.law.tokens(seen, self._law_q(None))
            inside = inside & _within(self.law.tokens(V, self._law_q(Q)), fitted)
        return np.asarray(inside)

    def _law_q(self, Q: float | None) -> float:
        """Return Q inside the law: the given one, or otherwise that of the fit."""
        return float(Q if Q is not None else self.record.get("text_tokens_in_law") or 0.0)

    def predict(self, N: Array | float, V: Array | float, Q: float | None = None) -> Array:
        """Return the predicted error; Q matters only to laws with T = Q + V."""
        return self.law.predict(self.parameters, N, V, self._law_q(Q))

    def draw_errors(self, N: Array | float, V: Array | float, Q: float | None = None) -> Array:
        """Return the predicted errors under each bootstrap draw, (R, n); R is 0 without draws."""
        sizes, tokens = np.broadcast_arrays(np.asarray(N, float), self.law.tokens(V, self._law_q(Q)))
        counts = {"draws of the fit": len(self.draws), "configurations": sizes.size}
        require_product("--fit, --params-b and --tokens", counts, MOST_NUMBERS)
        return self.law.evaluate(self.draws, np.log(sizes).ravel(), np.log(tokens).ravel())

    def interval(
        self, N: Array | float, V: Array | float, Q: float | None = None
    ) -> tuple[Array, Array]:
        """Return the 95 % interval of the mean error at (N, V), by the uncertainty of the law.

        It is NaN without bootstrap draws, and never outside the range of possible errors.
        """
        return self._percentiles(
            self.draw_errors(N, V, Q), np.broadcast_shapes(np.shape(N), np.shape(V))
        )

    def measurement_interval(
        self, N: Array | float, V: Array | float, Q: float | None = None
    ) -> tuple[Array, Array]:
        """Return the 95 % interval of the measured error of a newly trained model at (N, V).

        It includes the uncertainty of the law, the noise of a measurement and, if the cells of a
        language model share noise, that of the language model. It is NaN without bootstrap draws.
        """
        errors = self.draw_errors(N, V, Q)
        noise = (self.noise * _normal_scores(len(self.noise)))[:, None]
        logarithmic = str(self.record.get("loss", "")).startswith("log_")
        drawn = (
            errors * np.exp(np.clip(noise, -LARGEST_LOG, LARGEST_LOG)) if logarithmic else errors + noise
        )
        return self._percentiles(drawn, np.broadcast_shapes(np.shape(N), np.shape(V)))

    def _percentiles(self, errors: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
        if not len(errors):
            nothing = np.full(shape, np.nan)
            return nothing, nothing
        tail = (1 - LEVEL) / 2
        ends = np.quantile(errors, [tail, 1 - tail], axis=0)
        least, most = self.record.get("possible_errors") or (None, None)
        low, high = np.clip(ends, least, most) if (least, most) != (None, None) else ends
        return low.reshape(shape), high.reshape(shape)


def _within(values: Array, levels: Array) -> Mask:
    return np.asarray((values >= levels.min()) & (values <= levels.max()))


def _normal_scores(count: int) -> Array:
    """Return ``count`` evenly spaced quantiles of the standard normal distribution, in a fixed order.

    They replace a random sample, so that the interval of a new measurement is reproducible and smooth.
    """
    from scipy.special import ndtri

    order = np.random.default_rng(0).permutation(count)
    return np.asarray(ndtri((order + 0.5) / max(count, 1)))
