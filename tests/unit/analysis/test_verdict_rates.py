"""How often verdicts are wrong: data of known truth, the claims of the paper, and a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from paretoken.analysis.cells import Cells
from paretoken.analysis.claims.base import Claim
from paretoken.analysis.claims.verdicts import Verdict
from paretoken.analysis.effects import effects
from paretoken.analysis.estimate import estimate
from paretoken.analysis.fitted_law import FittedLaw
from paretoken.analysis.intervals import Uncertainty, matching_method
from paretoken.analysis.losses import make_loss
from paretoken.analysis.noise import measure_noise
from paretoken.analysis.profiles import profile, profiled_parameters
from paretoken.analysis.resample import draw
from paretoken.analysis.study_results import StudyResults
from paretoken.config.config import load
from paretoken.io.arrays import Array
from paretoken.registry import CLAIMS, LAWS

ROOT = Path(__file__).parents[3]
SIZES, TOKENS = (0.5, 1.8, 4.0, 7.0), (1.0, 4.0, 16.0, 36.0, 64.0, 144.0, 576.0)
N, V = (axis.ravel() for axis in np.meshgrid(SIZES, TOKENS, indexing="ij"))
REASONING, OCR = "visual_reasoning", "ocr"
#: What is claimed of the ratio alpha / beta, of V* and of the exponents, by the suite that it is about.
ABOUT = {
    "five_times_faster": REASONING, "visual_alpha": REASONING, "visual_beta": REASONING,
    "one_token_without_text": REASONING, "sixteen_tokens_at_fifty": REASONING,
    "optimal_tokens_grow_with_text": REASONING, "ocr_reverses": OCR, "ocr_alpha": OCR, "ocr_beta": OCR,
}  # fmt: skip
PRODUCT = LAWS.load("product")


def power(K: float, alpha: float, beta: float, D: float = 0.0) -> Array:
    return np.asarray(K * N**-alpha * V**-beta + D)


#: Errors without noise, and what is true of each claim then; what is not named is neither.
TRUTHS: Mapping[str, tuple[Array, Mapping[str, bool]]] = {
    "noise alone": (np.full(28, 0.5), {}),
    "as published": (
        power(0.59, 0.077, 0.0154),
        {"five_times_faster": True, "visual_alpha": True, "one_token_without_text": True,
         "optimal_tokens_grow_with_text": True, "ocr_reverses": False, "ocr_alpha": False,
         "ocr_beta": False},
    ),
    "three times faster": (
        power(0.6, 0.075, 0.025),
        {"five_times_faster": False, "visual_beta": False, "one_token_without_text": True,
         "sixteen_tokens_at_fifty": False, "optimal_tokens_grow_with_text": True, "ocr_reverses": False},
    ),
    "as OCR": (
        power(0.9, 0.029, 0.048),
        {"five_times_faster": False, "one_token_without_text": False, "sixteen_tokens_at_fifty": False,
         "optimal_tokens_grow_with_text": False, "ocr_reverses": True, "ocr_alpha": True,
         "ocr_beta": True},
    ),
    "a floor": (
        power(0.4, 0.25, 0.05, 0.2),
        {"five_times_faster": True, "visual_alpha": False, "visual_beta": False,
         "one_token_without_text": True, "optimal_tokens_grow_with_text": True, "ocr_reverses": False},
    ),
    "size alone": (power(0.6, 0.1, 0.0), {"five_times_faster": False, "ocr_reverses": False}),
    "tokens alone": (power(0.6, 0.0, 0.05), {"one_token_without_text": False, "ocr_reverses": True}),
}  # fmt: skip
#: Kinds of noise, which take turns from one data set to the next.
NOISES: Sequence[Callable[[np.random.Generator], Array]] = (
    lambda rng: rng.normal(size=28),
    lambda rng: rng.normal(size=28) + np.repeat(rng.normal(size=4), 7),  # shared by a size's cells
    lambda rng: rng.standard_t(3, size=28) / np.sqrt(3),  # heavy-tailed
)


def fitted_law(Y: Array, seed: int, replicates: int = 100) -> FittedLaw:
    """Fit as `paretoken fit` does, without what no claim here reads."""
    fitted = estimate(Cells(N, V, Y, np.ones(28)), PRODUCT, make_loss("squared"))
    noise = measure_noise(fitted)
    doubt = Uncertainty(fitted, noise, [draw(fitted, matching_method(noise), replicates, seed)])
    profiles = [profile(fitted, name) for name in profiled_parameters(fitted)]
    ratio = float(PRODUCT.exponent_ratio(fitted.values[None])[0])
    record: dict[str, Any] = {
        "law": "product",
        "loss": "squared",
        "rmse": float(np.sqrt(fitted.objective / 28)),
        "parameters": fitted.parameters,
        "alpha_over_beta": ratio if np.isfinite(ratio) else None,
        "effects": {n: found.as_record() for n, found in effects(fitted, noise.effects).items()},
        "intervals": doubt.intervals([0, 50], profiles),
        "profile": {},
        "data": {"levels": {"N": list(SIZES), "V": list(TOKENS)}},
        "draws": doubt.kept_draws(),
        "noise_draws": doubt.kept_noise(),
    }
    return FittedLaw.from_record(record)


@pytest.fixture(scope="module")
def study() -> StudyResults:
    """The published study without fits."""
    return StudyResults(
        frozen=load(ROOT / "config.yaml").freeze("published"),
        errors=pd.DataFrame(),
        fits={},
        values=pd.read_csv(ROOT / "workflow" / "reference" / "published_values.csv"),
        table1=pd.DataFrame(),
    )


def counted(study: StudyResults, truth: str, sd: float, data_sets: int) -> dict[str, Counter[str]]:
    """Return how often each claim has each verdict."""
    verdicts: dict[str, Counter[str]] = {name: Counter() for name in ABOUT}
    for seed in range(data_sets):
        noise = NOISES[seed % len(NOISES)](np.random.default_rng([seed, 11]))
        Y = TRUTHS[truth][0] + sd * noise
        fit = fitted_law(Y, seed)
        results = replace(study, fits={(suite, "product-all"): fit for suite in (REASONING, OCR)})
        for name in ABOUT:
            claim: Claim = CLAIMS.load(name)
            verdicts[name][claim.test(results).verdict] += 1
    return verdicts


def require_seldom_wrong(study: StudyResults, truth: str, sd: float, data_sets: int) -> None:
    """Count the verdicts that contradict the truth; where nothing is true, each one that decides."""
    found = counted(study, truth, sd, data_sets)
    known = TRUTHS[truth][1]
    most = binom.ppf(1 - 1e-3, data_sets, 0.05)
    for name, verdicts in found.items():
        if name in known:
            wrong = verdicts[Verdict.FAILS if known[name] else Verdict.HOLDS]
        else:
            wrong = verdicts[Verdict.HOLDS] + verdicts[Verdict.FAILS] if truth == "noise alone" else 0
        assert wrong <= most, (truth, sd, name, dict(verdicts))


@pytest.mark.parametrize("truth", ["noise alone", "three times faster"])
def test_verdicts_are_seldom_wrong(study: StudyResults, truth: str) -> None:
    require_seldom_wrong(study, truth, 0.03, 12)


@pytest.mark.slow
@pytest.mark.parametrize("truth", TRUTHS)
def test_verdicts_are_wrong_in_five_percent_at_most(study: StudyResults, truth: str) -> None:
    require_seldom_wrong(study, truth, 0.006, 102)


@pytest.mark.parametrize("truth", ["as published", "as OCR"])
def test_little_noise_decides(study: StudyResults, truth: str) -> None:
    """Verdicts are not right for want of deciding anything."""
    known = TRUTHS[truth][1]
    found = counted(study, truth, 2e-6, 6)
    for name, is_true in known.items():
        assert found[name][Verdict.HOLDS if is_true else Verdict.FAILS] == 6, (name, found[name])
