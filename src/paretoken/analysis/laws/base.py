"""What every scaling law provides to the fitter, the frontier and the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Law:
    """A law that is linear in some parameters once its exponents are fixed.

    Y = sum_j c_j * basis_j(exponents; ln N, ln T). Parameters are ordered linear ones first. Shapes:
    B problems at once, n cells, p linear parameters, q exponents.

    Attributes:
        name: the registered name.
        formula: in the paper's symbols.
        linear: names of the linear parameters.
        exponents: names of the exponents, each bounded to [0, `EXPONENT_LIMIT`].
        bounded: whether the linear parameters must be >= 0.
        floor: the linear parameter that is the irreducible error, if there is one.
        basis: (B, q), (n,), (n,) -> (B, n, p).
        basis_gradient: derivative of the basis by each exponent, -> (B, n, p, q).
        uncenter: parameters (B, p + q) fitted to centred logarithms (ln N - n0, ln T - t0), n0, t0
            -> parameters for plain ln N and ln T.
        center: the inverse of ``uncenter``.
        exponent_ratio: parameters (B, p + q) -> what alpha / beta is for this law, (B,); NaN for a law
            without slopes.
        constant_optimum: whether V* = Q / (alpha / beta - 1) at every budget.
        text_in_error: whether T = Q + V inside the law (otherwise T = V).
    """

    name: str
    formula: str
    linear: tuple[str, ...]
    exponents: tuple[str, ...]
    bounded: bool
    floor: str | None
    basis: Callable[[Array, Array, Array], Array]
    basis_gradient: Callable[[Array, Array, Array], Array]
    uncenter: Callable[[Array, float, float], Array]
    center: Callable[[Array, float, float], Array]
    exponent_ratio: Callable[[Array], Array]
    constant_optimum: bool
    text_in_error: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters, in the order of every parameter array."""
        return self.linear + self.exponents

    @property
    def slopes(self) -> tuple[str, ...]:
        """Names of what says how fast the error falls: exponents, or the slopes of a straight law."""
        return self.exponents or self.linear[1:]

    def tokens(self, V: Array | float, Q: float) -> Array:
        """Return T, what the law calls tokens: V, or Q + V."""
        return np.asarray(V, dtype=float) + (Q if self.text_in_error else 0.0)

    def evaluate(self, values: Array, log_n: Array, log_t: Array) -> Array:
        """Return predicted errors, (B, n), for parameter arrays (B, p + q)."""
        p = len(self.linear)
        basis = self.basis(values[:, p:], log_n, log_t)
        return np.asarray((basis @ values[:, :p, None])[:, :, 0])

    def jacobian(self, values: Array, log_n: Array, log_t: Array) -> Array:
        """Return the derivatives of the predictions by every parameter, (B, n, p + q)."""
        p = len(self.linear)
        basis = self.basis(values[:, p:], log_n, log_t)
        gradient = self.basis_gradient(values[:, p:], log_n, log_t)
        by_exponent = (gradient * values[:, None, :p, None]).sum(axis=2)
        return np.concatenate([basis, by_exponent], axis=2)

    def predict(
        self,
        parameters: Mapping[str, float],
        N: Array | float,
        V: Array | float,
        Q: float = 0.0,
    ) -> Array:
        """Return the predicted error Y(N, V); N in the unit of the fit, arrays broadcast.

        Q matters only to laws with T = Q + V; there Q + V must be positive, elsewhere V.
        """
        sizes, tokens = np.broadcast_arrays(np.asarray(N, float), self.tokens(V, Q))
        values = np.array([[parameters[name] for name in self.parameters]])
        flat = self.evaluate(values, np.log(sizes).ravel(), np.log(tokens).ravel())
        return flat.reshape(sizes.shape)


#: Largest exponent that the search considers; published ones lie below 1.
EXPONENT_LIMIT = 4.0
