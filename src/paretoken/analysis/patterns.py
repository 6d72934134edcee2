"""Test whether a law leaves a pattern over N and V in the residuals: a test of lack of fit.

Powers and products of ln N and ln V are added to the law, linearised at its estimate, in F tests (Draper
and Smith 1998, "Applied regression analysis", section 2.1; Seber and Wild 1989, "Nonlinear regression",
section 3.3). They are added once up to the second degree and once up to the third: few terms find a
slight bend, more terms find a sharp one. The smaller p value is doubled (Bonferroni). If the law
describes the cells, the test finds a pattern in at most 5 % of data sets, by chance.

Cells of a language model may share noise. Therefore a bend over N alone is compared with the scatter of
language models, and all other patterns with the scatter of their cells, as for a split-plot design;
Fisher's method combines the two p values. The second test includes the relation between the fall over N
and the fall over V, but only if nothing indicates shared noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretoken.analysis.estimate import Estimate
from paretoken.analysis.linearised import orthonormal_basis, outside, scaled_jacobian
from paretoken.analysis.significance import EXACT, SIGNIFICANT, is_significant
from paretoken.io.arrays import Array

#: p value of shared noise above which cells count as independent. With `SIGNIFICANT`, small shared noise
#: would count as independent and be mistaken for patterns (Bancroft 1964, "Analysis and inference for
#: incompletely specified models").
POOLED = 0.25
#: Singular values below this share of the largest count as 0.
RANK = 1e-8
#: A term of which less than this share lies outside the space of the law is attributed to the law.
LEAST_LEFT = 0.1
#: Columns of `smooth_terms` that change with V, up to the second and to the third degree.
SLIGHT, WITHIN = [0, 1, 2], [0, 1, 2, 3, 4, 5]
#: Columns of N alone, and all columns of the second degree.
OVER_N, SECOND = [6, 7], [0, 1, 2, 6, 7]
#: Fewest language models with which shared noise can be tested beside a third power of ln N.
MANY_MODELS = 6
#: Most language models that are tested; with more, sizes are continuous and no two cells share one.
MOST_MODELS = 200


@dataclass(frozen=True)
class Pattern:
    """The result of the pattern test on the residuals of a law.

    Attributes:
        p_value: of the hypothesis that the residuals have no pattern; None if the cells cannot test it.
        reason: why there was no test; empty if there was one.
        shared_noise: whether cells of a language model deviate together from any smooth surface.
    """

    p_value: float | None
    reason: str = ""
    shared_noise: bool = False

    @property
    def found(self) -> bool:
        """Whether the pattern is significant."""
        return is_significant(self.p_value)


def pattern(fitted: Estimate) -> Pattern:
    """Test the residuals of a fit for patterns over N and V.

    The loss must be squared, of errors or of their logarithms: no other residuals have an F test.
    """
    if not np.isinf(fitted.loss.delta):
        return Pattern(None, f"residuals of the loss {fitted.loss.name} have no F test")
    cells, used = fitted.cells, fitted.cells.used
    root = np.sqrt(cells.weight[used])
    residual = fitted.loss.residuals(cells.Y, fitted.predicted())[used] * root
    if float(residual @ residual) <= EXACT * float((cells.weight * cells.Y**2).sum()):
        return Pattern(1.0, "the fit is exact")
    law = scaled_jacobian(fitted)[used]
    terms = smooth_terms(fitted) * root[:, None]
    effects = _effects(cells.language_models[used]) * root[:, None]
    if not effects.shape[1]:
        p_value = _best_of(_f_test(residual, law, terms[:, SECOND]), _f_test(residual, law, terms))
        return _judged(p_value)
    errors = np.log(cells.Y[used]) if fitted.loss.log else cells.Y[used]
    noise_p = _shared_noise(errors * root, root, terms, effects)
    base = law if noise_p >= POOLED else np.hstack([law, effects])
    basis = orthonormal_basis(effects, RANK)
    inner = outside(basis, terms)
    p_value = _combined(
        _f_test(basis.T @ residual, basis.T @ law, basis.T @ terms[:, OVER_N]),
        _best_of(*(_f_test(residual, base, inner[:, own], effects) for own in (SLIGHT, WITHIN))),
    )
    return _judged(p_value, is_significant(noise_p))


def _judged(p_value: float | None, shared_noise: bool = False) -> Pattern:
    reason = "" if p_value is not None else "too few cells beyond the law's parameters"
    return Pattern(p_value, reason, shared_noise)


def smooth_terms(fitted: Estimate) -> Array:
    """Return powers and products of ln N (n) and ln T (t) up to the third degree, standardised.

    The columns are t, n t, t^2, t^3, n^2 t, n t^2, n, n^2, n^3: an array (used cells, 9).
    """
    used = fitted.cells.used
    log_n, log_t = np.log(fitted.cells.N[used]), np.log(_tokens(fitted)[used])
    n, t = (_standard(values) for values in (log_n, log_t))
    columns = (t, n * t, t**2, t**3, n**2 * t, n * t**2, n, n**2, n**3)
    return np.stack([_standard(values) for values in columns], axis=1)


def _tokens(fitted: Estimate) -> Array:
    """Return V, or Q + V if there are cells without visual tokens."""
    V = fitted.cells.V
    return V if (V > 0).all() else V + fitted.text_tokens


def _standard(values: Array) -> Array:
    spread = float(values.std())
    centred = values - values.mean()
    return np.asarray(centred / spread if spread > 0 else centred)


def _effects(models: NDArray[np.intp]) -> Array:
    """Return one column per language model; none if each has one cell, or there are very many."""
    found = np.unique(models)
    if len(found) in {1, len(models)} or len(found) > MOST_MODELS:
        return np.empty((len(models), 0))
    return np.asarray((models[:, None] == found).astype(float))


def _shared_noise(errors: Array, root: Array, terms: Array, effects: Array) -> float:
    """Return the p value of effects of language models on top of a smooth surface.

    If the cells cannot test it, it lies halfway between the levels of independent and of shared noise.
    """
    curved = terms if effects.shape[1] >= MANY_MODELS else terms[:, :-1]
    p_value = _f_test(errors, np.hstack([root[:, None], curved]), effects, all_terms=True)
    return (POOLED + SIGNIFICANT) / 2 if p_value is None else p_value


def _f_test(
    residual: Array,
    law: Array,
    terms: Array,
    nuisance: Array | None = None,
    *,
    all_terms: bool = False,
) -> float | None:
    """Return the p value of adding ``terms`` to ``law``; None if no term or no cell is left.

    Args:
        residual: weighted, (n,).
        law: Jacobian of the law, (n, p).
        terms: columns in the order in which they are added, (n, k).
        nuisance: columns that are removed from the noise, (n, m); orthogonal to the terms.
        all_terms: whether to add terms that leave fewer degrees of freedom than they take.
    """
    basis = orthonormal_basis(law, RANK)
    noise = orthonormal_basis(law if nuisance is None else np.hstack([law, nuisance]), RANK)
    spare = len(residual) - noise.shape[1]
    room = spare - 1 if all_terms else spare // 2
    added: list[Array] = []
    for term in terms.T:
        own = outside(basis, term)
        norm = float(np.linalg.norm(own))
        if len(added) < room and norm > LEAST_LEFT * float(np.linalg.norm(term)):
            added.append(own / norm)
            basis = np.hstack([basis, added[-1][:, None]])
    if not added:
        return None
    kept = np.stack(added, axis=1)
    everything = orthonormal_basis(np.hstack([noise, kept]), RANK)
    freedom = len(residual) - everything.shape[1]
    if freedom < 1:
        return None
    explained = float(((kept.T @ residual) ** 2).sum())
    left = float((outside(everything, residual) ** 2).sum())
    ratio = (explained / len(added)) / (left / freedom) if left > 0 else np.inf
    from scipy.special import fdtrc

    return float(fdtrc(len(added), freedom, ratio))


def _best_of(*p_values: float | None) -> float | None:
    """Return the smallest p value, corrected for the choice (Bonferroni)."""
    known = [p for p in p_values if p is not None]
    return min(1.0, len(known) * min(known)) if known else None


def _combined(*p_values: float | None) -> float | None:
    """Return one p value for independent ones (Fisher's method)."""
    known = [max(p, 1e-300) for p in p_values if p is not None]
    from scipy.special import chdtrc

    return float(chdtrc(2 * len(known), -2 * np.log(known).sum())) if known else None
