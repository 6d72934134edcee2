"""The interface of scaling laws for the fitter, the frontier and the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from paretoken.config.constraints import NOTHING, Constraints
from paretoken.config.needs import LARGEST_EXPONENT
from paretoken.io.arrays import Array

EXPONENT_LIMIT = LARGEST_EXPONENT


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
        exponent_ratio: parameters (B, p + q) -> alpha / beta, or its equivalent for this law, (B,); NaN
            for a law without slopes.
        constant_optimum: whether V* = Q / (alpha / beta - 1) at every budget.
        text_in_error: whether T = Q + V inside the law (otherwise T = V).
        constraints: assumptions about its parameters, which keep their places in all arrays.
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
    exponent_ratio: Callable[[Array], Array]
    constant_optimum: bool
    text_in_error: bool = False
    constraints: Constraints = NOTHING

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters, in the order of every parameter array."""
        return self.linear + self.exponents

    @property
    def slopes(self) -> tuple[str, ...]:
        """Names of the parameters of the error's fall: exponents, or the slopes of a linear law."""
        return self.exponents or self.linear[1:]

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the parameters that are fitted: neither fixed nor tied to an earlier one."""
        known = {name for name, _ in self.constraints.fixed}
        known |= {self.constraints.tied[1]} if self.constraints.tied else set()
        return tuple(name for name in self.parameters if name not in known)

    def constrained(self, constraints: Constraints) -> Law:
        """Return the law with assumptions about its parameters."""
        if constraints == NOTHING:
            return self
        formula = f"{self.formula}{constraints.in_words()}"
        return replace(self, formula=formula, constraints=constraints)

    def expansion(self, names: tuple[str, ...]) -> tuple[Array, Array]:
        """Return M and v such that the values of ``names`` are M x + v, x being the free ones of them.

        M has the shape (len(names), free), and v the shape (len(names),).
        """
        free = [name for name in names if name in self.free]
        fixed = dict(self.constraints.fixed)
        leader = dict([self.constraints.tied[::-1]]) if self.constraints.tied else {}
        matrix = [[float(leader.get(name, name) == other) for other in free] for name in names]
        values = np.array([fixed.get(name, 0.0) for name in names])
        return np.array(matrix).reshape(len(names), len(free)), values

    def center(self, values: Array, n0: float, t0: float) -> Array:
        """Return the inverse of ``uncenter``."""
        return self.uncenter(values, -n0, -t0)

    def tokens(self, V: Array | float, Q: float) -> Array:
        """Return T, the tokens in the law: V, or Q + V."""
        return np.asarray(V, dtype=float) + (Q if self.text_in_error else 0.0)

    def evaluate(self, values: Array, log_n: Array, log_t: Array) -> Array:
        """Return predicted errors, (B, n), for parameter arrays (B, p + q)."""
        p = len(self.linear)
        basis = self.basis(values[:, p:], log_n, log_t)
        plain = np.asarray((basis @ values[:, :p, None])[:, :, 0])
        chance = self.constraints.chance
        if chance is None:
            return plain
        floor = self._floor(values)
        return floor + saturated(plain - floor, chance - floor)

    def jacobian(self, values: Array, log_n: Array, log_t: Array) -> Array:
        """Return the derivatives of the predictions by every parameter, (B, n, p + q).

        The first of two tied parameters has the derivative by both, and the second has 0.
        """
        p = len(self.linear)
        basis = self.basis(values[:, p:], log_n, log_t)
        gradient = self.basis_gradient(values[:, p:], log_n, log_t)
        by_exponent = (gradient * values[:, None, :p, None]).sum(axis=2)
        jacobian = np.concatenate([basis, by_exponent], axis=2)
        if self.constraints.chance is not None:
            above = (basis @ values[:, :p, None])[:, :, 0] - self._floor(values)
            self._saturate(jacobian, above, self.constraints.chance - self._floor(values))
        if self.constraints.tied:
            first, second = (self.parameters.index(name) for name in self.constraints.tied)
            jacobian[:, :, first] += jacobian[:, :, second]
            jacobian[:, :, second] = 0.0
        return jacobian

    def _floor(self, values: Array) -> Array:
        """Return the irreducible error of each problem, (B, 1); 0 for a law without one."""
        if self.floor is None:
            return np.zeros((len(values), 1))
        position = self.parameters.index(self.floor)
        return values[:, position : position + 1]

    def _saturate(self, jacobian: Array, above: Array, room: Array) -> None:
        """Turn the derivatives of the plain law into those of the saturated one, in place.

        Args:
            jacobian: (B, n, p + q).
            above: the excess of the plain law over its floor, (B, n).
            room: the distance from the floor to the error of guessing, (B, 1).
        """
        kept = room / (room + above)
        jacobian *= (kept**2)[:, :, None]
        if self.floor is not None:
            jacobian[:, :, self.parameters.index(self.floor)] = 1 - (1 - kept) ** 2

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


def saturated(above: Array, room: Array) -> Array:
    """Return the excess of a law over its floor if it cannot exceed the error of guessing.

    It is above / (1 + above / room): a power law where it is small, and ``room`` where the power law
    diverges. That is (Y - D) / (C - Y) = power law / (C - D), the form M4 of Alabdulmohsin, Neyshabur
    and Zhai (2022, NeurIPS, "Revisiting neural scaling laws in language and vision") for learning curves
    that start at the error of guessing, with their exponent at 1.
    """
    return np.asarray(above * room / (room + above))
