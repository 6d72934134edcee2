"""Pairs at equal cost: signs counted and tested, standard errors where there are any."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm

from paretoken.analysis.equal_cost import COLUMNS, comparisons, sign_test, tally
from paretoken.analysis.study_results import StudyResults
from paretoken.config.study import FrozenStudy

SIZES = {"a": 1.0, "b": 2.0, "c": 4.0, "d": 8.0}
TOKENS = (1, 2, 4, 8, 16, 32, 64)


def study(error, stderr=np.nan, seeds=1):
    frozen = FrozenStudy.model_validate(
        {
            "study": {
                "name": "pairs",
                "question": "?",
                "measured": "m.csv",
                "vision": "eye",
                "llms": list(SIZES),
                "suites": [{"name": "s", "title": "Scenes", "role": "reasoning"}],
                "compressors": [{"name": "random", "tokens": list(TOKENS)}],
            },
            "llms": [{"name": name, "params_b": n} for name, n in SIZES.items()],
            "vision": {"name": "eye", "grid": 24},
        }
    )
    rows = [
        {"study": "pairs", "llm": llm, "params_b": n, "compressor": "random", "visual_tokens": v,
         "seed": seed, "suite": "s", "error": error(n, v), "stderr": stderr, "source": "", "flag": ""}
        for llm, n in SIZES.items() for v in TOKENS for seed in range(seeds)
    ]  # fmt: skip
    nothing = pd.DataFrame()
    return StudyResults(frozen, pd.DataFrame(rows), {}, nothing, nothing)


def test_without_standard_errors_signs_are_counted():
    pairs = comparisons(study(lambda n, v: 1 / n))
    assert list(pairs.columns) == list(COLUMNS)
    assert set(pairs["lower"]) == {"larger"}
    assert pairs["wins"].isna().all()
    (said,) = tally(pairs, {"s": "Scenes"})
    assert f"errs less in {len(pairs)} of {len(pairs)} pairs" in said
    assert "standard errors" not in said
    assert "larger model with fewer tokens errs less more often than chance" in said


def test_pairs_that_are_tested_have_no_cell_in_common():
    pairs = comparisons(study(lambda n, v: 1 / n))
    apart = pairs[pairs["apart"]]
    cells = [
        (row[f"llm_{side}"], row[f"visual_tokens_{side}"])
        for _, row in apart.iterrows()
        for side in ("larger", "smaller")
    ]
    assert len(cells) == len(set(cells)) > 8
    assert len(apart) < len(pairs)


def test_with_standard_errors_pairs_are_decided_one_by_one():
    pairs = comparisons(study(lambda n, v: 1 / n, stderr=0.01))
    far = pairs["difference"].abs() > norm.ppf(0.975) * pairs["stderr"]
    assert (pairs["wins"] == np.where(far, pairs["lower"], "undecided")).all()
    (said,) = tally(pairs, {"s": "Scenes"})
    assert f"the 95 % interval of the difference decides for the larger one in {far.sum()}" in said


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_a_spread_over_few_seeds_decides_as_seldom_as_it_should(seeds):
    """Two standard errors of two seeds are next to nothing: Student's quantile is 12.7."""
    told = count = 0
    for number in range(30):
        generator = np.random.default_rng(number)
        pairs = comparisons(study(lambda n, v, g=generator: 0.5 + g.normal(0, 0.02), seeds=seeds))
        own = pairs[pairs["apart"]]
        told, count = told + int(own["wins"].isin(["larger", "smaller"]).sum()), count + len(own)
    assert told <= binom.ppf(1 - 1e-3, count, 0.05)


def test_seeds_that_agree_to_the_last_digit_decide_nothing():
    assert set(comparisons(study(lambda n, v: 1 / n, seeds=2))["wins"]) == {"undecided"}


def test_equal_errors_say_nothing():
    (said,) = tally(comparisons(study(lambda n, v: 0.5)), {"s": "Scenes"})
    assert "errs less in 0 of" in said
    assert "No pair has a sign that can be tested." in said


@pytest.mark.parametrize("count", [1, 5, 9])
def test_the_sign_test_is_the_binomial_one(count):
    both = [sign_test(less, count) for less in range(count + 1)]
    assert both == both[::-1]
    assert both[0] == pytest.approx(min(1, 2 * 0.5**count))
    assert all(one <= other for one, other in pairwise(both[: count // 2 + 1]))


def test_noise_is_reported_as_rarely_as_the_test_says():
    told = 0
    for seed in range(120):
        generator = np.random.default_rng(seed)
        pairs = comparisons(study(lambda n, v, g=generator: 0.5 + g.normal(0, 0.02)))
        told += "more often than chance" in tally(pairs, {"s": "Scenes"})[0]
    assert told <= binom.ppf(1 - 1e-3, 120, 0.05)


def test_the_published_signs(project):
    """19 of 19 for reasoning and 2 of 19 for OCR, as counted in the table by hand."""
    table = pd.read_csv(project / "workflow" / "reference" / "published_errors.csv")
    for suite, expected in (("visual_reasoning", 19), ("ocr", 2)):
        rows = table[table["suite"] == suite].assign(suite="s", flag="", seed=0, stderr=np.nan)
        lower = comparisons(StudyResults(study(lambda n, v: 0.5).frozen, rows, {}, rows, rows))["lower"]
        assert (lower == "larger").sum() == expected
        assert len(lower) == 19
