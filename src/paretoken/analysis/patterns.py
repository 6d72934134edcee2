"""Whether a law leaves a pattern over N and V in the residuals: a test of lack of fit.

Terms in ln N and ln V, their squares and their product are added to the law as linearised at its
estimate (an F test; Draper and Smith 1998, section 2.1, and Seber and Wild 1989, section 3.3). A law that
describes the cells has no use for them: chance alone makes the test say otherwise in 5 % of data sets.

Where the cells of a language model may share noise, the tests over sizes and within sizes are made apart,
as for a split plot: a curve over N is held against the scatter of language models, and all other patterns
against that of their cells. The two p values are combined by Fisher's method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from scipy.stats import f as f_distribution

from paretoken.analysis.estimate import Estimate
from paretoken.analysis.laws.base import Array
from paretoken.analysis.linearised import scaled_jacobian
from paretoken.analysis.noise import EXACT, SIGNIFICANT

#: p value of shared noise above which cells count as independent: that of `SIGNIFICANT` would keep noise
#: that is shared but small, and take it for patterns (Bancroft 1964 on pooling).
POOLED = 0.25
#: A term of which the law leaves less than this share is the law's own.
LEAST_LEFT = 0.1
#: Language models beyond which sizes are continuous, so that no two cells share one.
MOST_MODELS = 200


@dataclass(frozen=True)
class Pattern:
    """What the residuals of a law say of its form.

    Attributes:
        p_value: that residuals have no pattern; None if the cells cannot test it.
        reason: why they cannot; empty if they can.
    """

    p_value: float | None
    reason: str = ""

    @property
    def found(self) -> bool:
        """Whether there is more of a pattern than chance explains."""
        return self.p_value is not None and self.p_value < SIGNIFICANT


def pattern(fitted: Estimate) -> Pattern:
    """Test the residuals of a fit for patterns over N and V.

    Needs a squared loss, of errors or of their logarithms: no other residuals have an F test.
    """
    if not np.isinf(fitted.loss.delta):
        return Pattern(None, f"residuals of the loss {fitted.loss.name} have no such test")
    cells, used = fitted.cells, fitted.cells.used
    root = np.sqrt(cells.weight[used])
    residual = fitted.loss.residuals(cells.Y, fitted.predicted())[used] * root
    if float(residual @ residual) <= EXACT * float((cells.weight * cells.Y**2).sum()):
        return Pattern(1.0, "the fit is exact")
    law = scaled_jacobian(fitted)[used]
    terms = smooth_terms(fitted)[used] * root[:, None]
    effects = _effects(cells.language_models[used]) * root[:, None]
    if not _may_share_noise(cells.Y[used] * root, root, terms, effects, fitted.loss.log):
        p_value = _f_test(residual, law, terms)
    else:
        basis = _basis(effects)
        within = [values - basis @ (basis.T @ values) for values in (residual, law, terms)]
        between = [basis.T @ values for values in (residual, law, terms)]
        p_value = _combined(_f_test(*between), _f_test(*within, lost=basis.shape[1]))
    reason = "" if p_value is not None else "too few cells beyond the law's parameters"
    return Pattern(p_value, reason)


def smooth_terms(fitted: Estimate) -> Array:
    """Return ln N, ln T, their product and their squares, each of mean 0 and variance 1, (n, 5)."""
    log_n, log_t = np.log(fitted.cells.N), np.log(_tokens(fitted))
    n, t = (_standard(values) for values in (log_n, log_t))
    return np.stack([n, t, *(_standard(values) for values in (n * t, t**2, n**2))], axis=1)


def _tokens(fitted: Estimate) -> Array:
    """Return V, or Q + V where there are cells without visual tokens."""
    V = fitted.cells.V
    return V if (V > 0).all() else V + fitted.text_tokens


def _standard(values: Array) -> Array:
    spread = float(values.std())
    centred = values - values.mean()
    return np.asarray(centred / spread if spread > 0 else centred)


def _effects(models: NDArray[np.intp]) -> Array:
    """Return one column per language model; none where each has one cell, or there are very many."""
    found = np.unique(models)
    if len(found) in {1, len(models)} or len(found) > MOST_MODELS:
        return np.empty((len(models), 0))
    return np.asarray((models[:, None] == found).astype(float))


def _may_share_noise(y: Array, root: Array, terms: Array, effects: Array, log: bool) -> bool:
    """Return whether cells of a language model may lie together off any smooth surface."""
    if not effects.shape[1]:
        return False
    errors = np.log(y / root) * root if log else y
    p_value = _f_test(errors, np.hstack([root[:, None], terms]), effects, all_terms=True)
    return p_value is None or p_value < POOLED


def _f_test(
    residual: Array, law: Array, terms: Array, *, lost: int = 0, all_terms: bool = False
) -> float | None:
    """Return the p value of adding ``terms`` to ``law``; None if no term or no cell is left.

    Args:
        residual: weighted, (n,).
        law: Jacobian of the law, (n, p).
        terms: columns in the order in which they are added, (n, k).
        lost: degrees of freedom that are gone from the n rows.
        all_terms: also those that leave fewer degrees of freedom than they take.
    """
    basis = _basis(law)
    rest = residual - basis @ (basis.T @ residual)
    spare = len(residual) - lost - basis.shape[1]
    added: list[Array] = []
    for term in terms.T:
        own = term - basis @ (basis.T @ term)
        norm = float(np.linalg.norm(own))
        room = spare - 1 if all_terms else spare // 2
        if len(added) < room and norm > LEAST_LEFT * float(np.linalg.norm(term)):
            added.append(own / norm)
            basis = np.hstack([basis, added[-1][:, None]])
    freedom = spare - len(added)
    if not added or freedom < 1:
        return None
    explained = float(((np.stack(added) @ rest) ** 2).sum())
    left = max(float(rest @ rest) - explained, 0.0)
    ratio = (explained / len(added)) / (left / freedom) if left > 0 else np.inf
    return float(f_distribution.sf(ratio, len(added), freedom))


def _combined(*p_values: float | None) -> float | None:
    """Return one p value for independent ones (Fisher 1932)."""
    known = [max(p, 1e-300) for p in p_values if p is not None]
    return float(chi2.sf(-2 * np.log(known).sum(), 2 * len(known))) if known else None


def _basis(columns: Array) -> Array:
    """Return an orthonormal basis of the space of the columns, (n, rank)."""
    if not columns.shape[1]:
        return np.asarray(columns)
    norms = np.linalg.norm(columns, axis=0)
    left, singular, _ = np.linalg.svd(columns / np.where(norms > 0, norms, 1.0), full_matrices=False)
    return np.asarray(left[:, singular > 1e-8 * max(float(singular.max(initial=0.0)), 1e-300)])
